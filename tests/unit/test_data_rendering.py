"""Pictures that leave their ground or their white open: one choice that keeps the whole set."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from orthogan.data import load
from orthogan.data.oddities import oddities
from orthogan.data.rendering import Rendering, Traits, rendering_of

Chunk = tuple[bytes, bytes]
KINDS = {1: 0, 2: 4, 3: 2, 4: 6}  # colour type of a PNG by its channels


def deep_png(values: np.ndarray, *more: Chunk) -> bytes:
    """A PNG of 16 bits a channel."""
    height, width, channels = values.shape
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">2I5B", width, height, 16, KINDS[channels], 0, 0, 0)
    chunks = [(b"IHDR", head), *more, (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def noise(top: int, channels: int = 1) -> list[np.ndarray]:
    """16 pictures of values up to `top`, which occurs."""
    found = np.random.default_rng(0).integers(0, top + 1, (16, 16, 16, channels))
    found[3, 5, 7, 0] = top
    return list(found)


def write(folder: Path, pictures: Sequence[bytes | Image.Image]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures):
        path = folder / f"{number:03d}.png"
        path.write_bytes(picture) if isinstance(picture, bytes) else picture.save(path)
    return folder


@pytest.mark.parametrize(
    ("top", "white"),
    [(4095, 4095), (4000, 4095), (900, 1023), (16383, 16383), (200, 255), (20_000, 65535),
     (65535, 65535)],
)  # fmt: skip
@pytest.mark.parametrize("channels", [1, 3])
def test_values_of_fewer_bits_use_the_whole_range(
    tmp_path: Path, top: int, white: int, channels: int
) -> None:
    pictures = noise(top, channels)
    images = load(write(tmp_path, [deep_png(picture) for picture in pictures]))
    expected = np.stack(pictures) * 255 // white
    if channels == 3 and white == 65535:
        expected = np.stack(pictures) >> 8  # as Pillow reads them
    found = images.images.permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(found, expected)
    note = f"16 of 16 images: of 16 bits, of which the set uses {white.bit_length()}."
    assert (note in images.notes) == (white != 65535)


def test_one_white_for_the_set_and_for_both_parts(tmp_path: Path) -> None:
    bright = [deep_png(picture) for picture in noise(4095)]
    write(tmp_path / "train", bright)
    write(tmp_path / "test", [deep_png(picture // 8) for picture in noise(4095)])
    dark = load(tmp_path, split="test").images
    assert torch.equal(dark[3, 0, 5, 7], torch.tensor(511 * 255 // 4095, dtype=torch.uint8))
    assert load(tmp_path).images.max() == 255


@pytest.mark.parametrize(
    ("bits", "top", "brightest"),
    [(12, 1500, 1500 * 255 // 4095), (12, 24_000, 24_000 // 257), (16, 1500, 1500 // 257)],
)
def test_stated_bits_go_before_guessed_ones(
    tmp_path: Path, bits: int, top: int, brightest: int
) -> None:
    stated = (b"sBIT", bytes([bits]))
    images = load(write(tmp_path, [deep_png(picture, stated) for picture in noise(top)]))
    assert images.images.max() == brightest


def test_a_clear_value_of_16_bits(tmp_path: Path) -> None:
    pictures = [np.maximum(picture, 100) for picture in noise(4095)]
    for picture in pictures:
        picture[:, :4] = 7
    files = [deep_png(picture, (b"tRNS", struct.pack(">H", 7))) for picture in pictures]
    images = load(write(tmp_path, files)).images[:, 0].numpy()
    assert (images[:, :, :4] == 255).all()
    np.testing.assert_array_equal(images[:, :, 4:], np.stack(pictures)[:, :, 4:, 0] * 255 // 4095)


def icons(*shades: int, mode: str = "RGBA") -> list[Image.Image]:
    """16 squares of each shade in turn on nothing."""
    pictures = []
    for number in range(16):
        values = np.zeros((16, 16, 4), np.uint8)
        values[..., :3] = shades[number % len(shades)]
        values[3 + number % 4 : 12, 2 : 6 + number // 2, 3] = 255
        picture = Image.fromarray(values)
        pictures.append(picture.quantize(4) if mode == "P" else picture.convert(mode))
    return pictures


@pytest.mark.parametrize(
    ("shades", "ground"),
    [((255,), 0), ((250,), 0), ((0,), 255), ((128,), 255), ((0, 255), 128), ((255, 200), 0)],
)
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_the_ground_keeps_the_shapes(
    tmp_path: Path, shades: tuple[int, ...], ground: int, mode: str
) -> None:
    images = load(write(tmp_path, icons(*shades, mode=mode)))
    assert images.colours == 1
    assert (images.images[:, 0, 0, 0] == ground).all()
    inside = images.images[:, 0, 8, 3].tolist()
    assert inside == [shades[number % len(shades)] for number in range(16)]
    name = {0: "black", 128: "grey", 255: "white"}[ground]
    assert f"transparent, laid over {name}" in images.notes[0]
    assert not any("blank" in note for note in images.notes)


def test_both_parts_lie_over_the_same_ground(tmp_path: Path) -> None:
    write(tmp_path / "train", icons(255))
    write(tmp_path / "val", icons(0))
    for split in ("train", "test"):
        assert (load(tmp_path, split=split).images[:, 0, 0, 0] == 128).all()


def test_one_odd_picture_in_many_does_not_decide() -> None:
    black, white = Traits(contrasts=(90.0, 0.0, 45.0)), Traits(contrasts=(0.0, 90.0, 45.0))
    nothing = Traits(contrasts=(0.0, 0.0, 0.0))
    assert rendering_of([white, *[black] * 199]).ground == 255
    assert rendering_of([white, *[black] * 19]).ground == 128
    assert rendering_of([nothing] * 5) == rendering_of([]) == Rendering()


def test_bright_shapes_of_12_bits_keep_a_dark_ground(tmp_path: Path) -> None:
    files = []
    for number in range(16):
        values = np.full((16, 16, 4), 4095)
        values[..., 3] = 0
        values[4:12, 2 : 8 + number % 6, 3] = 65535
        files.append(deep_png(values))
    images = load(write(tmp_path, files)).images
    assert (images[:, 0, 0, 0] == 0).all()
    assert (images[:, 0, 8, 4] == 255).all()


def test_blank_and_repeated_images_are_counted(tmp_path: Path) -> None:
    random = np.random.default_rng(0).integers(0, 256, (20, 16, 16)).astype(np.uint8)
    random[3:6] = 7
    random[11] = random[12] = random[13]
    np.savez(tmp_path / "a.npz", images=random)
    folder = write(tmp_path / "set", [Image.fromarray(picture) for picture in random])
    for source in (tmp_path / "a.npz", folder):
        assert load(source).notes == (
            "3 of 20 images are blank: all their pixels have the same colour.",
            "2 of 20 images repeat another one exactly.",
        )


def test_nearly_black_images_are_told() -> None:
    values = torch.arange(512, dtype=torch.uint8).reshape(2, 1, 16, 16) % 4
    values[1, 0, 0, 0] = 5
    (note,) = oddities(values)
    assert note.startswith("No pixel is brighter than 5 of 255")
    assert oddities(values * 30) == []


def test_repeats_are_exact() -> None:
    """Images that differ in one top bit have nearly equal checksums."""
    values = torch.zeros(300, 1, 16, 16, dtype=torch.uint8)
    for number in range(256):
        values[number, 0, 0, 7], values[number, 0, 1, 7] = number, 255 - number
        values[number, 0, 2, 0] = 200
    values[256:] = values[:44]
    assert oddities(values) == ["44 of 300 images repeat another one exactly."]
