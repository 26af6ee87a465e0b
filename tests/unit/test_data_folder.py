from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from orthogan.data import load, pictures
from orthogan.errors import DataError

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (20, 28, 28), dtype=np.uint8)
RGB = RANDOM.integers(0, 256, (20, 28, 28, 3), dtype=np.uint8)


def png(array: np.ndarray, mode: str | None = None) -> bytes:
    image = Image.fromarray(array)
    stream = io.BytesIO()
    (image.convert(mode) if mode else image).save(stream, "PNG")
    return stream.getvalue()


def fill(folder: Path, arrays: np.ndarray = GREY, start: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, array in enumerate(arrays, start):
        (folder / f"{number:03d}.png").write_bytes(png(array))
    return folder


def huge_png(side: int = 50_000) -> bytes:
    """A valid header of a `side` x `side` picture with a body that inflates to nothing."""
    chunks = [
        (b"IHDR", struct.pack(">2I5B", side, side, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def test_pictures_in_order_of_their_names(tmp_path: Path) -> None:
    images = load(fill(tmp_path / "faces"))
    assert torch.equal(images.images[:, 0], torch.from_numpy(GREY))
    assert images.labels is None
    assert (images.name, images.notes) == ("faces", ())
    assert load(str(tmp_path / "faces")).fingerprint() == images.fingerprint()


def test_rgb(tmp_path: Path) -> None:
    images = load(fill(tmp_path, RGB))
    assert torch.equal(images.images, torch.from_numpy(RGB).permute(0, 3, 1, 2))


def test_classes_are_sub_folders(tmp_path: Path) -> None:
    fill(tmp_path / "data" / "dog" / "deep", GREY[:8])
    fill(tmp_path / "data" / "cat", GREY[8:])
    images = load(tmp_path)
    assert images.class_names == ("cat", "dog")
    assert images.labels is not None
    assert images.labels.tolist() == [0] * 12 + [1] * 8
    assert torch.equal(images.images[0, 0], torch.from_numpy(GREY[8]))


@pytest.mark.parametrize("folder", [".", "one"])
def test_pictures_beside_the_only_folder_have_no_classes(tmp_path: Path, folder: str) -> None:
    fill(tmp_path / "one", GREY)
    if folder == ".":
        fill(tmp_path, GREY[:2])
    assert load(tmp_path).labels is None


def test_splits_are_sub_folders(tmp_path: Path) -> None:
    for split, num in (("train", 20), ("test", 18)):
        fill(tmp_path / split / "a", GREY[: num // 2])
        fill(tmp_path / split / "b", GREY[: num // 2])
    train, test = load(tmp_path), load(tmp_path, split="test")
    assert (len(train), len(test), test.split) == (20, 18, "test")
    assert test.class_names == ("a", "b")
    with pytest.raises(DataError, match="single split"):
        load(tmp_path / "train", split="test")


@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "webp", "bmp", "gif", "png"])
def test_every_format(tmp_path: Path, suffix: str) -> None:
    smooth = np.linspace(0, 255, 28 * 28).reshape(28, 28).astype(np.uint8)
    for number in range(16):
        Image.fromarray(smooth).save(tmp_path / f"{number}.{suffix}", lossless=True)
    images = load(tmp_path)
    assert images.images.shape == (16, 1, 28, 28)
    assert np.abs(images.images[3, 0].numpy().astype(int) - smooth).max() <= 8


def test_bad_pictures_are_counted_and_listed(tmp_path: Path) -> None:
    fill(tmp_path)
    good = png(RGB[0])
    bad = {
        "a-truncated.png": good[: len(good) // 2],
        "b-empty.png": b"",
        "c-text.jpg": b"not a picture",
        "d-huge.png": huge_png(),
        "e-big.png": huge_png(8_000),
        "f-tiff.png": b"II*\0" + bytes(40),
        "g-flipped.png": good[:60] + b"????" + good[64:],
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "README.txt").write_text("no picture, no remark", encoding="ascii")
    (tmp_path / ".hidden.png").write_bytes(b"")
    images = load(tmp_path)
    assert len(images) == 20
    (note,) = images.notes
    assert note.startswith("Skipped 7 of 27 files: a-truncated.png (")
    for name in bad:
        assert name in note
    assert "d-huge.png (more than 50,000,000 pixels)" in note
    assert "e-big.png (more than 50,000,000 pixels)" in note
    assert "c-text.jpg (not a readable image)" in note


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    fill(tmp_path)
    for number in range(13):
        (tmp_path / f"bad{number:02d}\x1b[31m.png").write_bytes(b"")
    (note,) = load(tmp_path).notes
    assert note.startswith("Skipped 13 of 33 files: bad00\\x1b[31m.png (")
    assert note.endswith("bad09\\x1b[31m.png (not a readable image), and 3 more.")


def test_long_and_undecodable_names_can_be_shown(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / (200 * "x" + ".png")).write_bytes(b"")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")).write_bytes(b"")
    (note,) = load(tmp_path).notes
    assert f"...{73 * 'x'}.png (" in note
    assert "\\udcff.png (" in note
    note.encode("utf-8")


def test_oversized_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orthogan.data.formats.folder.MAX_FILE_BYTES", 2000)
    fill(tmp_path)
    (tmp_path / "large.png").write_bytes(bytes(2001))
    assert load(tmp_path).notes == ("Skipped 1 of 21 files: large.png (larger than 2,000 bytes).",)


def test_mixed_sizes_are_resized_and_noted(tmp_path: Path) -> None:
    fill(tmp_path)
    large = RANDOM.integers(0, 256, (2, 100, 70), dtype=np.uint8)
    fill(tmp_path, large, start=50)
    images = load(tmp_path)
    assert images.size == 32
    assert images.notes == (
        "Images were resized from 2 different shapes to 32 x 32 after a centred square crop.",
    )
    assert load(tmp_path, size=64).size == 64


def test_one_bad_size_among_large_pictures_is_noted_too(tmp_path: Path) -> None:
    fill(tmp_path, RANDOM.integers(0, 256, (18, 128, 128), dtype=np.uint8))
    assert load(tmp_path).notes == (
        "Images were resized from 128 x 128 to 32 x 32; --size, up to 128, keeps more.",
    )
    whole = load(tmp_path, size=128)
    assert (whole.size, whole.notes) == (128, ())


def test_large_photographs(tmp_path: Path) -> None:
    row = np.linspace(0, 255, 900).astype(np.uint8)
    photo = Image.fromarray(np.broadcast_to(row, (700, 900)).copy())
    for number in range(16):
        photo.save(tmp_path / f"{number}.jpg", quality=95)
    images = load(tmp_path, size=64).images
    middle = row[100:800].reshape(1, -1).astype(float)
    expected = np.array([part.mean() for part in np.array_split(middle[0], 64)])
    assert np.abs(images[0, 0, 30].numpy() - expected).max() <= 3


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    fill(tmp_path)
    deep = GREY[0].astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "999.png")
    assert torch.equal(load(tmp_path).images[-1, 0], torch.from_numpy(GREY[0]))


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "RGB", "L"])
def test_modes_of_grey(tmp_path: Path, mode: str) -> None:
    flat = np.where(GREY > 127, 255, 0).astype(np.uint8)
    for number, array in enumerate(flat):
        (tmp_path / f"{number:03d}.png").write_bytes(png(array, mode))
    images = load(tmp_path)
    assert torch.equal(images.images[:, 0], torch.from_numpy(flat))
    assert images.notes == ()


def test_cmyk_pictures(tmp_path: Path) -> None:
    for number in range(16):
        Image.new("CMYK", (28, 28), (0, 255, 255, 0)).save(tmp_path / f"{number}.jpg")
    red, green, blue = load(tmp_path).images[0].float().mean((1, 2)).tolist()
    assert red > 200
    assert max(green, blue) < 60


def test_transparency_lies_over_white(tmp_path: Path) -> None:
    fill(tmp_path)
    Image.new("RGBA", (28, 28), (0, 0, 0, 0)).save(tmp_path / "998.png")
    Image.new("RGBA", (28, 28), (0, 0, 0, 255)).save(tmp_path / "999.png")
    images = load(tmp_path)
    assert (images.images[-2] == 255).all()
    assert (images.images[-1] == 0).all()
    assert images.notes == (
        "1 of 22 images: transparent, laid over white; --colour rgba keeps transparency.",
        "2 of 22 images are blank: all their pixels have the same colour.",
    )


def test_animations_give_their_first_frame(tmp_path: Path) -> None:
    fill(tmp_path)
    frames = [Image.new("L", (28, 28), shade) for shade in (0, 255)]
    frames[0].save(tmp_path / "999.gif", save_all=True, append_images=frames[1:])
    images = load(tmp_path)
    assert (images.images[-1] == 0).all()
    assert images.notes[0] == "1 of 21 images: animated, the first frame was used."


def test_photographs_are_turned_upright(tmp_path: Path) -> None:
    fill(tmp_path)
    array = np.zeros((28, 28), np.uint8)
    array[:14] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.fromarray(array).save(tmp_path / "999.jpg", exif=exif, quality=95)
    assert load(tmp_path).images[-1, 0, :10].float().mean() < 20


@pytest.mark.parametrize("num", [0, 1, 15])
def test_too_few_pictures(tmp_path: Path, num: int) -> None:
    fill(tmp_path, GREY[:num])
    message = "at least 16 usable images, got" if num else r"holds no images \(\.png"
    with pytest.raises(DataError, match=message) as caught:
        load(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


def test_only_bad_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"no usable images\. Skipped 1 of 1 files: a\.png"):
        load(tmp_path)


def test_links_that_lead_back_are_harmless(tmp_path: Path) -> None:
    fill(tmp_path / "a")
    (tmp_path / "a" / "back").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    (tmp_path / "self.png").symlink_to(tmp_path / "self.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    images = load(tmp_path)
    assert len(images) == 20
    (note,) = images.notes
    assert "a/back (link to a folder already read)" in note
    assert note.count("broken link or not a regular file") == 3


def test_folders_without_permission_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "open")
    (tmp_path / "shut").mkdir()
    whole = Path.iterdir

    def refuse(self: Path) -> object:
        if self.name == "shut":
            raise PermissionError(13, "Permission denied")
        return whole(self)

    monkeypatch.setattr(Path, "iterdir", refuse)
    images = load(tmp_path)
    assert len(images) == 20
    assert images.notes == (
        "Skipped 1 of 21 files: shut (folder cannot be read: Permission denied).",
    )


def test_reasons_are_short() -> None:
    assert pictures.reason(ValueError()) == "ValueError"
    assert pictures.reason(OSError("first\nsecond")) == "first"
    assert len(pictures.reason(OSError(500 * "x"))) == 80


@pytest.mark.parametrize(("size", "decoded"), [(None, 256), (32, 256), (64, 256), (128, 512)])
def test_large_jpegs_are_decoded_at_four_times_the_size(size: int | None, decoded: int) -> None:
    content = io.BytesIO()
    Image.new("RGB", (2048, 2048), "red").save(content, "JPEG")
    found = pictures.decode(content.getvalue(), size=size)
    assert found.picture.shape == (decoded, decoded, 3)
