"""TIFF pictures: every depth, pages, tiles, and a decoder that prints."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from orthogan.data import load
from orthogan.data.pictures import decode

GREY = np.random.default_rng(0).integers(0, 256, (20, 16, 16), dtype=np.uint8)


def tiff(array: np.ndarray, **options: Any) -> bytes:
    stream = BytesIO()
    Image.fromarray(array).save(stream, "TIFF", **options)
    return stream.getvalue()


def write(folder: Path, contents: list[bytes]) -> Path:
    for number, content in enumerate(contents):
        (folder / f"{number:02d}.tif").write_bytes(content)
    return folder


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_bytes_are_kept(tmp_path: Path, compression: str | None) -> None:
    images = load(write(tmp_path, [tiff(each, compression=compression) for each in GREY]))
    assert torch.equal(images.images[:, 0], torch.from_numpy(GREY))
    assert images.notes == ()


def test_twelve_bits_use_the_whole_range(tmp_path: Path) -> None:
    deep = GREY.astype(np.uint16) * 16 + 15
    images = load(write(tmp_path, [tiff(each) for each in deep]))
    assert torch.equal(images.images[:, 0], torch.from_numpy(GREY))
    assert images.notes == ("20 of 20 images: of 16 bits, of which the set uses 12.",)


def test_floats_in_0_to_1(tmp_path: Path) -> None:
    values = (GREY / 255).astype(np.float32)
    images = load(write(tmp_path, [tiff(each) for each in values]))
    assert torch.equal(images.images[:, 0], torch.from_numpy(GREY))


@pytest.mark.parametrize("bad", [-0.5, 1.5, np.nan, np.inf])
def test_other_floats_are_skipped(tmp_path: Path, bad: float) -> None:
    values = (GREY / 255).astype(np.float32)
    odd = values[0].copy()
    odd[3, 3] = bad
    (note,) = load(write(tmp_path, [*(tiff(each) for each in values), tiff(odd)])).notes
    assert note == "Skipped 1 of 21 files: 20.tif (floats outside of 0 to 1)."


def test_32_bits_are_skipped(tmp_path: Path) -> None:
    large = np.full((16, 16), 100_000, np.int32)
    (note,) = load(write(tmp_path, [*(tiff(each) for each in GREY), tiff(large)])).notes
    assert "20.tif (values above 65,535, which is white in 16 bits)" in note


def test_of_several_pages_the_first_counts(tmp_path: Path) -> None:
    second = Image.new("L", (16, 16), 200)
    contents = [tiff(each, save_all=True, append_images=[second]) for each in GREY]
    images = load(write(tmp_path, contents))
    assert torch.equal(images.images[:, 0], torch.from_numpy(GREY))
    assert images.notes == ("20 of 20 images: of several pages, the first was used.",)


def directory(*tags: tuple[int, int]) -> bytes:
    """A TIFF file of nothing but these tags, whose values are long integers."""
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + body + bytes(4 + 512)


SMALL = ((256, 16), (257, 16), (258, 8), (259, 5), (262, 1), (277, 1))
STRIP = ((273, 200), (279, 64))


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        (((256, 60_000), (257, 60_000), *SMALL[2:], *STRIP), "more than 50,000,000 pixels"),
        ((*SMALL, (322, 60_000), (323, 60_000), (324, 200), (325, 64)), "tiles of more than"),
        ((*SMALL, (322, 0), (323, 0), (324, 200), (325, 64)), "20.tif ("),
    ],
)  # fmt: skip
def test_bombs_are_skipped(tmp_path: Path, tags: tuple[tuple[int, int], ...], why: str) -> None:
    contents = [*(tiff(each) for each in GREY), directory(*tags)]
    (note,) = load(write(tmp_path, contents)).notes
    assert why in note


def test_its_decoder_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    content = bytearray(tiff(GREY[0], compression="tiff_lzw"))
    content[10:60] = b"\xff" * 50
    with pytest.raises(OSError, match="decoder error"):
        decode(bytes(content))
    assert capfd.readouterr() == ("", "")


def test_a_file_without_an_end_of_its_pages_ends() -> None:
    first = tiff(GREY[0])
    at = int.from_bytes(first[4:8], "little")
    num_tags = int.from_bytes(first[at : at + 2], "little")
    link = at + 2 + 12 * num_tags
    looped = first[:link] + first[4:8] + first[link + 4 :]  # the next page is this one
    assert decode(looped).remarks == ("of several pages, the first was used",)
