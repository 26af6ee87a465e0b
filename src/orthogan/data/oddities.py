"""Oddities of a set of images that are to be known before it is trained on."""

from __future__ import annotations

import numpy as np

from orthogan.data.facts import Note
from orthogan.rng import stream
from orthogan.shapes import Pixels

DARK = 31  # an eighth of the range: values of 0 and 1, or class numbers, were meant as such


def oddities(images: Pixels) -> list[str]:
    """Sentences on images that are blank, repeat another or are nearly black; usually none.

    >>> import torch
    >>> oddities(torch.zeros(2, 1, 16, 16, dtype=torch.uint8))
    ['2 of 2 images are blank: all their pixels have the same colour.']
    """
    found: list[str] = []
    count, pixels = len(images), images.flatten(2).numpy()
    if count == 0:
        return found
    blank = (pixels == pixels[:, :, :1]).all((1, 2))
    if num_blank := int(blank.sum()):
        said = (
            f"{num_blank:,} of {count:,} images are blank: all their pixels have the same colour."
        )
        found.append(Note(said, "blanks"))
    if repeats := _num_repeats(images.flatten(1).numpy()[~blank]):
        found.append(Note(f"{repeats:,} of {count:,} images repeat another one exactly.", "copies"))
    brightest = int(pixels.max(initial=0))
    if num_blank < count and brightest <= DARK:
        said = (
            f"No pixel is brighter than {brightest} of 255, so all images are nearly black; "
            "scale them if that is not meant."
        )
        found.append(Note(said, "dark"))
    return found


def _num_repeats(rows: np.ndarray) -> int:
    """How many rows of bytes equal an earlier one."""
    if len(rows) < 2:
        return 0
    words = np.ascontiguousarray(rows).view(np.uint64)  # sides are multiples of 4: no rest
    weights = stream(0, "checksum").integers(0, 2**63, words.shape[1], dtype=np.uint64)
    # Equal rows have equal sums; a hundred times quicker than a set of all rows.
    _, place, copies = np.unique(words @ weights, return_inverse=True, return_counts=True)
    candidates = rows[copies[place] > 1]
    return len(candidates) - len({row.tobytes() for row in candidates})
