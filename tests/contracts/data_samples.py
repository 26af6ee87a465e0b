"""A small file of each data format that comes with the package."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

COUNT, SIDE = 20, 16
PIXELS = np.random.default_rng(0).integers(0, 256, (COUNT, SIDE, SIDE), dtype=np.uint8)
LABELS = np.arange(COUNT) % 4


def pictures() -> Iterator[tuple[str, bytes]]:
    for index, pixels in enumerate(PIXELS):
        content = io.BytesIO()
        Image.fromarray(pixels).save(content, "PNG")
        yield f"class-{LABELS[index]}/{index}.png", content.getvalue()


def write_folder(path: Path) -> None:
    for name, content in pictures():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)


def write_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in pictures():
            archive.writestr(name, content)


def write_idx(path: Path) -> None:
    path.write_bytes(bytes((0, 0, 8, 3)) + struct.pack(">3I", *PIXELS.shape) + PIXELS.tobytes())


def write_npz(path: Path) -> None:
    np.savez(path, images=PIXELS, labels=LABELS)


SAMPLES: dict[str, Callable[[Path], object]] = {
    "folder": write_folder,
    "idx": write_idx,
    "npy": lambda path: np.save(path, PIXELS),
    "npz": write_npz,
    "zip": write_zip,
}
