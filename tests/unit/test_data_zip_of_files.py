"""Zip archives that hold no pictures but files of another format."""

from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from orthogan.data import load, unpacking
from orthogan.errors import DataError

TRAIN = np.random.default_rng(0).integers(0, 256, (24, 16, 16), dtype=np.uint8)
HELD = np.random.default_rng(1).integers(0, 256, (8, 16, 16), dtype=np.uint8)
KINDS = np.arange(24, dtype=np.uint8) % 4


def idx(array: np.ndarray) -> bytes:
    head = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.tobytes()


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as stream:
        for name, content in members.items():
            stream.writestr(name, content)
    return path


MNIST = {
    "archive/train-images-idx3-ubyte": idx(TRAIN),
    "archive/train-labels-idx1-ubyte": idx(KINDS),
    "archive/t10k-images-idx3-ubyte": idx(HELD),
    "archive/t10k-labels-idx1-ubyte": idx(KINDS[:8]),
    "__MACOSX/archive/._train-images-idx3-ubyte": b"\0" * 100,
    "readme.md": b"digits",
}


def test_idx_files_with_their_held_out_part(tmp_path: Path) -> None:
    path = zipped(tmp_path / "digits.zip", MNIST)
    images, test = load(path), load(path, split="test")
    assert torch.equal(images.images[:, 0], torch.from_numpy(TRAIN))
    assert torch.equal(test.images[:, 0], torch.from_numpy(HELD))
    assert images.labels is not None
    assert images.labels.tolist() == KINDS.tolist()
    assert (images.name, test.split) == ("digits.zip", "test")


def test_the_table_of_pixels_that_competitions_hand_out(tmp_path: Path) -> None:
    head = "label," + ",".join(f"pixel{place}" for place in range(256))
    images = TRAIN.reshape(len(TRAIN), -1)
    rows = [",".join(map(str, row)) for row in np.c_[KINDS, images]]
    table = "\n".join([head, *rows]).encode()
    read = load(zipped(tmp_path / "recognizer.zip", {"train.csv": table}))
    assert torch.equal(read.images[:, 0], torch.from_numpy(TRAIN))


def test_a_damaged_file_is_told_of_the_archive(tmp_path: Path) -> None:
    path = zipped(tmp_path / "cut.zip", {"train-images-idx3-ubyte": idx(TRAIN)[:-5]})
    with pytest.raises(DataError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}/train-images-idx3-ubyte: ")
    assert str(tmp_path) in str(caught.value)


def test_names_that_lead_outside_write_nothing(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    bad = {f"{way}train-images-idx3-ubyte": idx(TRAIN) for way in ("../", "/", "a/../../", "..\\")}
    with pytest.raises(DataError, match="holds no images"):
        load(zipped(inner / "a.zip", bad))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.zip", "inner"]


def test_a_name_that_is_a_file_and_a_folder_at_once(tmp_path: Path) -> None:
    path = zipped(tmp_path / "odd.zip", {"a": b"1", "a/train.npy": b"2"})
    with pytest.raises(DataError, match=r"odd\.zip: "):
        load(path)


def test_a_pickle_is_refused_and_never_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    with pytest.raises(DataError, match=r"batches\.zip.*pickle"):
        load(zipped(tmp_path / "batches.zip", {"data_batch_1": pickle.dumps(Trap())}))
    assert not (tmp_path / "sprung").exists()


def test_more_than_the_limits_is_refused_before_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(tmp_path / "digits.zip", MNIST)
    monkeypatch.setattr(unpacking, "MAX_BYTES", 1000)
    monkeypatch.setattr(unpacking, "_unpack", lambda *_: pytest.fail("it was written"))
    with pytest.raises(DataError, match="unpack it and name the folder"):
        load(path)


def test_many_pictures_that_are_not_read_are_named_and_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "_unpack", lambda *_: pytest.fail("it was written"))
    drawings = {f"{number}.svg": b"<svg/>" for number in range(unpacking.MAX_FILES + 1)}
    with pytest.raises(DataError, match=r"svg"):
        load(zipped(tmp_path / "icons.zip", drawings | {"notes.txt": b"icons"}))
