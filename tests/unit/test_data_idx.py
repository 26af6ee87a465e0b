from __future__ import annotations

import gzip
import lzma
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from orthogan.data import load
from orthogan.errors import DataError

COMPRESS = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}
PIXELS = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
LABELS = (np.arange(20) % 4).astype(np.uint8)


def idx_bytes(array: np.ndarray) -> bytes:
    return (
        bytes((0, 0, 8, array.ndim))
        + struct.pack(f">{array.ndim}I", *array.shape)
        + (array.tobytes())
    )


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(COMPRESS[path.suffix if path.suffix in COMPRESS else ""](content))
    return path


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz"])
@pytest.mark.parametrize("labels_suffix", ["", ".gz", ".xz"])
def test_images_with_the_labels_beside_them(
    tmp_path: Path, suffix: str, labels_suffix: str
) -> None:
    path = write(tmp_path / f"train-images-idx3-ubyte{suffix}", idx_bytes(PIXELS))
    write(tmp_path / f"train-labels-idx1-ubyte{labels_suffix}", idx_bytes(LABELS))
    images = load(path)
    assert torch.equal(images.images[:, 0], torch.from_numpy(PIXELS))
    assert images.labels is not None
    assert images.labels.tolist() == LABELS.tolist()
    assert images.class_names == ("0", "1", "2", "3")
    assert images.notes == ()


def test_without_labels(tmp_path: Path) -> None:
    images = load(str(write(tmp_path / "emnist-images-idx3-ubyte", idx_bytes(PIXELS))))
    assert images.labels is None
    assert images.class_names == ()
    assert images.notes == ("No labels file beside it.",)
    assert load(write(tmp_path / "pictures", idx_bytes(PIXELS))).labels is None


def broken(change: str) -> bytes:
    good = idx_bytes(PIXELS)
    return {
        "magic": b"\x00\x00\x08\x01" + good[4:],
        "floats": b"\x00\x00\x0d\x03" + good[4:],
        "empty": b"",
        "header": good[:9],
        "short": good[:-1],
        "long": good + b"\0",
        "huge": good[:4] + struct.pack(">3I", 2**32 - 1, 2**32 - 1, 2**32 - 1) + good[16:],
        "flat": good[:4] + struct.pack(">3I", 4, 0, 28),
    }[change]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("magic", "starts with the bytes 00 00 08 03, got 00 00 08 01"),
        ("floats", "got 00 00 0d 03"),
        ("empty", "got nothing"),
        ("header", "ends within its header"),
        ("short", r"promises 15,680 bytes \(20 x 28 x 28\), the body has 15,679"),
        ("long", "the body has more"),
        ("huge", "the limit is 4,294,967,296"),
        ("flat", "got 4 x 0 x 28"),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".gz", ".xz"])
def test_damaged_files(tmp_path: Path, change: str, message: str, suffix: str) -> None:
    path = write(tmp_path / f"a-images-idx3-ubyte{suffix}", broken(change))
    with pytest.raises(DataError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "not compressed"])
def test_damaged_compression(tmp_path: Path, suffix: str, damage: str) -> None:
    content = bytearray(COMPRESS[suffix](idx_bytes(PIXELS)))
    if damage == "truncated":
        del content[len(content) // 2 :]
    elif damage == "flipped":
        content[len(content) // 2] ^= 0xFF
    else:
        content = bytearray(idx_bytes(PIXELS))
    path = tmp_path / f"images-idx3-ubyte{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged or truncated|the body has|starts with"):
        load(path)


def test_labels_of_another_count(tmp_path: Path) -> None:
    path = write(tmp_path / "images-idx3-ubyte", idx_bytes(PIXELS))
    write(tmp_path / "labels-idx1-ubyte", idx_bytes(LABELS[:-1]))
    with pytest.raises(DataError, match="got 19 labels for 20 images"):
        load(path)


def test_there_is_no_test_split_in_one_file(tmp_path: Path) -> None:
    path = write(tmp_path / "images-idx3-ubyte", idx_bytes(PIXELS))
    with pytest.raises(DataError, match="single split"):
        load(path, split="test")
