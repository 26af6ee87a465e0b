"""What TIFF files have that other pictures have not: pages, tiles, floats, and a noisy decoder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # either byte order, of 32 or 64 bits
MAX_PART_PIXELS = 2**26  # of a tile or a strip, which the decoder sets memory aside for
TILE_WIDTH, TILE_LENGTH, ROWS_PER_STRIP = 322, 323, 278  # tags
STDERR = 2


def check_tiff(image: Image.Image) -> list[str]:
    """What is to be said of a TIFF picture that is not yet read.

    Raises:
        ValueError: it has tiles that are much larger than pictures are.
    """
    tags: Any = getattr(image, "tag_v2", {})
    width = tags.get(TILE_WIDTH, image.width)
    rows = tags.get(TILE_LENGTH, min(tags.get(ROWS_PER_STRIP, 1), image.height))
    if not isinstance(width, int) or not isinstance(rows, int) or width * rows > MAX_PART_PIXELS:
        raise ValueError(f"tiles of more than {MAX_PART_PIXELS:,} pixels")
    # Pillow would count the pages by going through all of them.
    has_more = bool(getattr(tags, "next", 0))
    return ["of several pages, the first was used"] if has_more else []


def of_floats(image: Image.Image) -> Image.Image:
    """A picture of floats in [0, 1] as bytes.

    Raises:
        ValueError: its values lie elsewhere, or are not finite.
    """
    values = np.asarray(image)
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
        raise ValueError("floats outside of 0 to 1")
    return Image.fromarray((values * 255).round().astype(np.uint8))


@contextmanager
def quiet_tiff(content: bytes) -> Iterator[None]:
    """Within the block, libtiff's complaints about this file go nowhere; other files have none.

    It prints them itself, to the handle that Python's standard error has.
    """
    if not content.startswith(MAGIC):
        yield
        return
    try:
        kept = os.dup(STDERR)
    except OSError:  # closed: nothing can be printed there
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device
            os.dup2(nowhere.fileno(), STDERR)
        yield
    finally:
        os.dup2(kept, STDERR)
        os.close(kept)
