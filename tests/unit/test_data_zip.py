from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from orthogan.data import load
from orthogan.data.formats import zip_archive as archive
from orthogan.errors import DataError

GREY = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)


def png(array: np.ndarray) -> bytes:
    stream = BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


def write(path: Path, more: dict[str, bytes] | None = None, folder: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as stream:
        for number, array in enumerate(GREY):
            stream.writestr(f"{folder}{number:03d}.png", png(array))
        for name, content in (more or {}).items():
            stream.writestr(name, content)
    return path


def test_a_flat_archive(tmp_path: Path) -> None:
    path = write(tmp_path / "faces.zip", {"notes.txt": b"", "__MACOSX/000.png": b""})
    images = load(path)
    assert torch.equal(images.images[:, 0], torch.from_numpy(GREY))
    assert (images.name, images.labels, images.notes) == ("faces.zip", None, ())


def test_classes_and_splits(tmp_path: Path) -> None:
    more = {f"set/train/dog/{number}.png": png(GREY[number]) for number in range(4)}
    more["set/test/cat/0.png"] = png(GREY[0])
    images = load(write(tmp_path / "a.zip", more, folder="set/train/cat/"))
    assert images.class_names == ("cat", "dog")
    assert images.labels is not None
    assert images.labels.tolist() == [0] * 20 + [1] * 4


def test_unsafe_names_are_skipped_and_nothing_is_written(tmp_path: Path) -> None:
    content = png(GREY[0])
    names = ["../up.png", "a/../../up.png", "/root.png", "..\\back.png", "C:\\drive.png"]
    inner = tmp_path / "inner"
    inner.mkdir()
    images = load(write(inner / "a.zip", dict.fromkeys(names, content)))
    assert len(images) == 20
    (note,) = images.notes
    assert note.startswith("Skipped 5 of 25 files: ")
    assert note.count("(path leads outside of the archive)") == 5
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.zip", "inner"]


def test_a_large_member_is_skipped_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_FILE_BYTES", 100_000)
    images = load(write(tmp_path / "a.zip", {"bomb.png": bytes(100_001)}))
    assert images.notes == ("Skipped 1 of 21 files: bomb.png (larger than 100,000 bytes).",)


def test_a_large_sum_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_ARCHIVE_BYTES", 100_000)
    path = write(tmp_path / "a.zip", {f"{n}.png": bytes(50_000) for n in range(3)})
    with pytest.raises(DataError, match=r"bytes uncompressed, the limit is 100,000; unpack it"):
        load(path)


def test_the_limits_stop_a_real_bomb(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    write(path)
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = (2**32 - 2).to_bytes(4, "little")  # uncompressed size
    path.write_bytes(content)
    assert "000.png (larger than 67,108,864 bytes)" in load(path).notes[0]


def test_damaged_members_are_skipped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip")
    content = bytearray(path.read_bytes())
    content[100:110] = b"??????????"
    path.write_bytes(content)
    images = load(path)
    assert len(images) == 19
    assert "000.png (damaged in the archive: " in images.notes[0]


def test_unknown_compression_is_skipped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip")
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 10] = content[8] = 97
    path.write_bytes(content)
    assert "000.png (That compression method is not supported)" in load(path).notes[0]


def test_an_encrypted_archive(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="encrypted; unpack it and name the folder"):
        load(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 and no more"])
def test_not_an_archive(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match="not a zip archive") as caught:
        load(tmp_path / "a.zip")
    assert "\n" not in str(caught.value)


def test_a_truncated_archive(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="not a zip archive"):
        load(path)


def test_an_archive_without_pictures(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as stream:
        stream.writestr("a.txt", "")
        stream.writestr("folder.png/", "")
    with pytest.raises(DataError, match="holds no images"):
        load(tmp_path / "a.zip")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("place", [0, 5, 9, 30])
def test_one_damaged_member_of_any_method_is_skipped(
    tmp_path: Path, method: int, place: int
) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as stream:
        for number, array in enumerate(GREY):
            stream.writestr(f"{number:03d}.png", png(array))
    content = bytearray(path.read_bytes())
    start = content.index(b"007.png") + len("007.png") + place
    content[start : start + 30] = b"\xff" * 30
    path.write_bytes(content)
    images = load(path)
    assert torch.equal(images.images[:, 0], torch.from_numpy(np.delete(GREY, 7, 0)))
    assert images.notes[0].startswith("Skipped 1 of 20 files: 007.png (damaged in the archive: ")


def test_members_without_a_name_or_of_one_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", {"zzz.png": png(GREY[3]), "yyy.png": png(GREY[4])})
    content = path.read_bytes().replace(b"zzz.png", b"\0zz.png")  # names end at a zero byte
    path.write_bytes(content.replace(b"yyy.png", b"000.png"))
    images = load(path)
    assert torch.equal(images.images[0, 0], torch.from_numpy(GREY[4]))
    assert len(images) == 20
    assert "a member (it has no name)" in images.notes[0]
    assert "000.png (another member of this name comes later)" in images.notes[0]
