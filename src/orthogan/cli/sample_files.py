"""Sampled images as files: a grid, an archive of arrays, or a folder of pictures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from orthogan.files import storage_errors, write_atomic
from orthogan.grid import grid, png
from orthogan.shapes import Pixels


def write_samples(pixels: Pixels, seeds: Sequence[int], target: Path, suffix: str) -> None:
    """Writes images to `target`: a `.png` grid, a `.npz`, or, without a suffix, a folder.

    The archive holds `images` (uint8, image x row x column x colour) and `seeds`; the pictures of
    a folder are named by their seeds.

    Raises:
        StorageError: the place cannot be written.
    """
    with storage_errors(target):
        (target.parent if suffix else target).mkdir(parents=True, exist_ok=True)
    if suffix == ".png":
        write_atomic(target, png(grid(pixels)))
        return
    rows = pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    if suffix == ".npz":
        buffer = io.BytesIO()
        np.savez_compressed(buffer, images=rows, seeds=np.array(seeds, dtype=np.int64))
        write_atomic(target, buffer.getvalue())
        return
    for seed, row in zip(seeds, rows, strict=True):
        image = Image.fromarray(row[:, :, 0] if row.shape[2] == 1 else row)
        with storage_errors(target):  # one picture is soon remade: no flush to disk for each
            (target / f"{seed:06d}.png").write_bytes(png(image))
