"""Folders of files of another format: what is found, which part is which, what is refused."""

from __future__ import annotations

import gzip
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from orthogan.classification.config import LabelledDataConfig
from orthogan.classification.examples import load_split
from orthogan.data import load
from orthogan.data.catalogue import SingleSplitError
from orthogan.data.file_parts import part_word
from orthogan.errors import DataError

TRAIN = np.random.default_rng(0).integers(0, 256, (24, 16, 16), dtype=np.uint8)
HELD = np.random.default_rng(1).integers(0, 256, (8, 16, 16), dtype=np.uint8)
KINDS = np.arange(24) % 4


def write_idx(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    head = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    content = head + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_mnist(folder: Path, held: str = "t10k", end: str = "", form: str = "-") -> Path:
    for part, images in (("train", TRAIN), (held, HELD)):
        write_idx(folder / f"{part}-images{form}idx3-ubyte{end}", images)
        write_idx(folder / f"{part}-labels{form}idx1-ubyte{end}", KINDS[: len(images)])
    return folder


@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("held", ["t10k", "test"])
@pytest.mark.parametrize("form", ["-", "."])
def test_a_folder_as_mnist_has_it(tmp_path: Path, held: str, end: str, form: str) -> None:
    folder = write_mnist(tmp_path / "digits", held, end, form)
    images, test = load(folder), load(folder, split="test")
    assert torch.equal(images.images[:, 0], torch.from_numpy(TRAIN))
    assert torch.equal(test.images[:, 0], torch.from_numpy(HELD))
    assert images.labels is not None
    assert images.labels.tolist() == KINDS.tolist()
    assert (images.name, images.split, test.split) == ("digits", "train", "test")
    names = [f"{part}-images{form}idx3-ubyte{end}" for part in ("train", held)]
    assert images.notes == (f"Split by its files: {names[0]} to train on, {names[1]} held out.",)


def test_it_is_found_below_and_beside_its_compressed_twin(tmp_path: Path) -> None:
    folder = write_mnist(tmp_path / "MNIST" / "raw")
    write_mnist(folder, end=".gz")
    (tmp_path / "notes.txt").write_text("torchvision keeps both")
    assert len(load(tmp_path)) == 24
    assert len(load(tmp_path, split="test")) == 8


def test_a_classifier_is_scored_on_the_test_file(tmp_path: Path) -> None:
    source = str(write_mnist(tmp_path / "digits"))
    split = load_split(LabelledDataConfig(source=source), seed=0)
    assert (len(split.train), len(split.test)) == (24, 8)
    assert split.notes[-1] == "Scored on the 8 images of the test set."


def test_pictures_go_before_other_files(tmp_path: Path) -> None:
    for number, array in enumerate(HELD.repeat(2, 0)):
        Image.fromarray(array).save(tmp_path / f"{number}.png")
    np.save(tmp_path / "x_train.npy", TRAIN)
    assert len(load(tmp_path)) == 16


def test_several_files_or_sets_that_could_be_meant_are_named(tmp_path: Path) -> None:
    for name in ("balanced", "letters"):
        write_idx(tmp_path / "emnist" / f"emnist-{name}-train-images-idx3-ubyte", TRAIN)
    with pytest.raises(DataError, match=r"holds 2 IDX files of images \(emnist-balanced-train"):
        load(tmp_path / "emnist")
    np.savez(tmp_path / "more.npz", images=TRAIN)
    with pytest.raises(DataError, match=r"holds 2 data sets \(array-folder in .*; idx-folder in "):
        load(tmp_path)


@pytest.mark.parametrize("names", [("x_{}", "y_{}"), ("X_{}", "Y_{}"), ("{}_images", "{}_labels")])
def test_a_folder_of_npy_files(tmp_path: Path, names: tuple[str, str]) -> None:
    for part, images in (("train", TRAIN), ("test", HELD)):
        np.save(tmp_path / f"{names[0].format(part)}.npy", images)
        np.save(tmp_path / f"{names[1].format(part)}.npy", KINDS[: len(images)])
    images, test = load(tmp_path), load(tmp_path, split="test")
    assert torch.equal(images.images[:, 0], torch.from_numpy(TRAIN))
    assert torch.equal(test.images[:, 0], torch.from_numpy(HELD))
    assert (images.class_names, test.class_names) == (("0", "1", "2", "3"),) * 2


def test_one_npy_file_of_any_name(tmp_path: Path) -> None:
    np.save(tmp_path / "faces.npy", TRAIN)
    assert (len(load(tmp_path)), load(tmp_path).name) == (24, tmp_path.name)
    with pytest.raises(SingleSplitError):
        load(tmp_path, split="test")
    np.save(tmp_path / "places.npy", TRAIN)
    with pytest.raises(DataError, match=r"no file is named like images .* faces\.npy, places\.npy"):
        load(tmp_path)


def test_labels_of_another_count_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", TRAIN)
    np.save(tmp_path / "labels.npy", KINDS[:-1])
    with pytest.raises(DataError, match=r"labels\.npy: one label per image is needed, got 23"):
        load(tmp_path)


def test_a_folder_of_npz_files(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", images=TRAIN, labels=KINDS)
    np.savez(tmp_path / "test.npz", x=HELD)
    assert torch.equal(load(tmp_path).images[:, 0], torch.from_numpy(TRAIN))
    assert torch.equal(load(tmp_path, split="test").images[:, 0], torch.from_numpy(HELD))
    (tmp_path / "test.npz").unlink()
    with pytest.raises(SingleSplitError):
        load(tmp_path, split="test")
    np.savez(tmp_path / "train.npz", x_train=TRAIN, x_test=HELD)
    assert len(load(tmp_path, split="test")) == 8


def test_hidden_folders_are_left_alone(tmp_path: Path) -> None:
    write_mnist(tmp_path / ".cache")
    with pytest.raises(DataError, match="holds no images"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("t10k-images-idx3-ubyte", "test"), ("emnist-letters-train-images", "train"),
        ("val.npz", "val"), ("latest.csv", None), ("trainer.npz", None), ("X_TEST.npy", "test"),
    ],
)  # fmt: skip
def test_words_of_parts(name: str, word: str | None) -> None:
    assert part_word(name) == word


def records(count: int, *limits: int, seed: int = 0) -> np.ndarray:
    source = np.random.default_rng(seed)
    rows = source.integers(0, 256, (count, len(limits) + 3072), dtype=np.uint8)
    for place, limit in enumerate(limits):
        rows[:, place] = (np.arange(count) * (place + 3)) % limit
    return rows


def test_cifar_10_as_it_is_unpacked(tmp_path: Path) -> None:
    names = [
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ]
    rows = [records(20, 10, seed=seed) for seed in range(3)]
    for file, part in zip(("data_batch_2", "data_batch_1", "test_batch"), rows, strict=True):
        (tmp_path / f"{file}.bin").write_bytes(part.tobytes())
    (tmp_path / "batches.meta.txt").write_text("\n".join(names) + "\n\n")
    (tmp_path / "readme.html").write_text("")
    images, held = load(tmp_path), load(tmp_path, split="test")
    expected = np.concatenate([rows[1], rows[0]])
    planes = torch.from_numpy(expected[:, 1:].reshape(-1, 3, 32, 32))
    assert torch.equal(images.images, planes)
    assert images.labels is not None
    assert [names[label] for label in expected[:, 0]] == [
        images.class_names[label] for label in images.labels.tolist()
    ]
    assert (images.class_names, len(held)) == (tuple(names), 20)
    (note,) = images.notes
    assert note.endswith("data_batch_1.bin, data_batch_2.bin to train on, test_batch.bin held out.")


def test_cifar_100_takes_the_fine_classes(tmp_path: Path) -> None:
    rows = records(200, 20, 100)
    for file in ("train.bin", "test.bin"):
        (tmp_path / file).write_bytes(rows.tobytes())
    names = [f"fine {number}" for number in range(100)]
    (tmp_path / "fine_label_names.txt").write_text("\n".join(names))
    (tmp_path / "coarse_label_names.txt").write_text("\n".join(names[:20]))
    images = load(tmp_path)
    assert images.labels is not None
    assert [images.class_names[label] for label in images.labels.tolist()] == [
        names[label] for label in rows[:, 1]
    ]
    assert len(load(tmp_path, split="test")) == 200


def test_a_single_file_of_cifar(tmp_path: Path) -> None:
    file = tmp_path / "data_batch_3.bin"
    file.write_bytes(records(20, 10).tobytes())
    assert load(file).class_names == tuple("0123456789")
    with pytest.raises(SingleSplitError):
        load(file, split="test")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (records(20, 10).tobytes()[:-1], "whole records of 3073 .* bytes, got 61,459 bytes"),
        (b"", "whole records of .* got 0 bytes"),
        (records(20, 250).tobytes(), "its labels are not those of CIFAR-10"),
    ],
)
def test_other_binary_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "data_batch_1.bin").write_bytes(content)
    for source in (tmp_path, tmp_path / "data_batch_1.bin"):
        with pytest.raises(DataError, match=message):
            load(source)


def test_a_batch_of_the_other_version_is_named(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1.bin").write_bytes(records(20, 10).tobytes())
    (tmp_path / "data_batch_2.bin").write_bytes(records(20, 20, 100).tobytes())
    with pytest.raises(DataError, match=r"data_batch_2\.bin: is not of CIFAR-10, as the files"):
        load(tmp_path)


@pytest.mark.parametrize("text", ["a\nb\n", "same\n" * 10, "\0" * 70_000])
def test_class_names_of_another_number_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "data_batch_1.bin").write_bytes(records(20, 10).tobytes())
    (tmp_path / "batches.meta.txt").write_text(text)
    with pytest.raises(DataError, match=r"batches\.meta\.txt: holds the 10 different class names"):
        load(tmp_path)


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('unpickled')",)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_pickled_batch_is_refused_with_the_way_out(tmp_path: Path, protocol: int) -> None:
    for name in ("data_batch_1", "batches.meta"):
        (tmp_path / name).write_bytes(pickle.dumps(Bomb(), protocol))
    for source in (tmp_path, tmp_path / "data_batch_1"):
        with pytest.raises(DataError, match=r"is a pickle.*cifar-10-binary\.tar\.gz or cifar-100"):
            load(source)


@pytest.mark.parametrize("name", ["set.pkl", "set.pt", "faces"])
def test_other_pickles_are_refused_too(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Bomb(), 4))
    for source in (tmp_path, tmp_path / name):
        with pytest.raises(DataError, match=r"is a pickle, which can run code.*numpy\.savez"):
            load(source)
