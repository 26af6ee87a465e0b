"""Sampled images as files: a grid, an archive of arrays, or a folder of pictures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from orthogan.files import storage_errors, write_atomic
from orthogan.images.sheet import png, sheet


def write_samples(images: np.ndarray, seeds: Sequence[int], target: Path, suffix: str) -> None:
    """Writes images to `target`: a `.png` grid, a `.npz`, or, without a suffix, a folder.

    The archive holds `images` and `seeds`; the pictures of a folder are named by their seeds.

    Args:
        images: Bytes: image x row x column x colour.
        seeds: One an image.
        target: Where to.
        suffix: `.png`, `.npz` or nothing.

    Raises:
        StorageError: the place cannot be written.
    """
    with storage_errors(target):
        (target.parent if suffix else target).mkdir(parents=True, exist_ok=True)
    if suffix == ".png":
        write_atomic(target, png(sheet(images)))
        return
    if suffix == ".npz":
        buffer = io.BytesIO()
        np.savez_compressed(buffer, images=images, seeds=np.array(seeds, dtype=np.int64))
        write_atomic(target, buffer.getvalue())
        return
    for seed, row in zip(seeds, images, strict=True):
        image = Image.fromarray(row[:, :, 0] if row.shape[2] == 1 else row)
        with storage_errors(target):  # one picture is soon remade: no flush to disk for each
            (target / f"{seed:06d}.png").write_bytes(png(image))
