"""Tables of pixels: Kaggle's digits and their relatives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from orthogan.classification.config import LabelledDataConfig
from orthogan.classification.examples import load_split
from orthogan.data import load
from orthogan.data.catalogue import SingleSplitError
from orthogan.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 16, 16))
KINDS = np.arange(20) % 4


def write(path: Path, cells: np.ndarray, names: list[str] | None, end: str = "\n") -> Path:
    lines = [",".join(map(str, row)) for row in cells.reshape(len(cells), -1).tolist()]
    head = [] if names is None else [",".join(names)]
    path.write_bytes("".join(line + end for line in head + lines).encode())
    return path


def names_of(form: str, count: int = 256) -> list[str]:
    return [form.format(number, number // 16 + 1, number % 16 + 1) for number in range(count)]


LABELLED = np.c_[KINDS, PIXELS.reshape(20, -1)]


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (LABELLED, ["label", *names_of("pixel{0}")]),
        (LABELLED, ["Label", *names_of("{1}x{2}")]),
        (np.roll(LABELLED, -1, 1), [*names_of("pixel{0:04d}"), "label"]),
        (LABELLED, ['"label"', *names_of('"{0}"')]),
        (LABELLED, None),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_labels_and_pixels(
    tmp_path: Path, cells: np.ndarray, names: list[str] | None, end: str
) -> None:
    images = load(write(tmp_path / "train.csv", cells, names, end))
    assert torch.equal(images.images[:, 0], torch.from_numpy(PIXELS.astype(np.uint8)))
    assert images.labels is not None
    assert images.labels.tolist() == KINDS.tolist()
    assert images.name == "train.csv"


def test_without_labels(tmp_path: Path) -> None:
    for names in (None, names_of("pixel{0}")):
        images = load(write(tmp_path / "test.csv", PIXELS, names))
        assert torch.equal(images.images[:, 0], torch.from_numpy(PIXELS.astype(np.uint8)))
        assert images.labels is None


def test_colours_lie_beside_each_other(tmp_path: Path) -> None:
    colours = np.random.default_rng(1).integers(0, 256, (20, 16, 16, 3))
    names = [*names_of("pixel{0:04d}", 768), "label"]
    cells = np.c_[colours.reshape(20, -1), KINDS]
    images = load(write(tmp_path / "rgb.csv", cells, names))
    assert torch.equal(images.images.permute(0, 2, 3, 1).int(), torch.from_numpy(colours).int())


def test_numbers_in_0_to_1_are_scaled(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", PIXELS.reshape(20, -1) / 255, names_of("pixel{0}"))
    images = load(path)
    assert torch.equal(images.images[:, 0], torch.from_numpy(PIXELS.astype(np.uint8)))


def kaggle(folder: Path) -> Path:
    write(folder / "train.csv", LABELLED, ["label", *names_of("pixel{0}")])
    write(folder / "test.csv", PIXELS[:6], names_of("pixel{0}"))
    (folder / "sample_submission.csv").write_text("ImageId,Label\n1,0\n")
    return folder


def test_a_folder_as_it_is_handed_out(tmp_path: Path) -> None:
    images, held = load(kaggle(tmp_path)), load(tmp_path, split="test")
    assert (len(images), len(held)) == (20, 6)
    assert (images.class_names, held.labels) == (("0", "1", "2", "3"), None)
    assert images.notes == ("Split by its files: train.csv to train on, test.csv held out.",)


def test_a_test_part_without_labels_scores_no_classifier(tmp_path: Path) -> None:
    split = load_split(LabelledDataConfig(source=str(kaggle(tmp_path)), held_out=0.2), seed=0)
    assert (len(split.train), len(split.test)) == (16, 4)
    assert split.notes[-1].startswith(f"The test images of {tmp_path} have no labels: 4 of its 20")


def test_one_table_alone_has_no_held_out_part(tmp_path: Path) -> None:
    write(tmp_path / "mine.csv", LABELLED, ["label", *names_of("pixel{0}")])
    assert len(load(tmp_path)) == 20
    for source in (tmp_path, tmp_path / "mine.csv"):
        with pytest.raises(SingleSplitError):
            load(source, split="test")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "its first line is another one"),
        ("1,2,3\n" * 20, "its first line is another one"),
        ("name,age\nada,36\n", "its first line is another one"),
        ("label,pixel0,pixel1\n1,2,3\n", "its first line is another one"),
        ("label," + ",".join(names_of("pixel{0}")) + "\n1,2\n", "a row has 2 cells and the first"),
        ("label," + ",".join(names_of("pixel{0}")) + "\n", "at least 16 usable images, got 0"),
        (",".join(["1"] * 257) + "\n" + ",".join(["1"] * 256) + "\n", "is damaged: the number of"),
        (",".join(["1"] * 257) + "\n" + ",".join(["x"] * 257) + "\n", "is damaged: could not conv"),
        (",".join(["1"] * 257) + "\n" + ",".join(["nan"] * 257) + "\n", "holds whole numbers"),
        (",".join(["1"] * 257) + "\n" + ",".join(["1.5"] * 257) + "\n", "holds whole numbers"),
        (",".join(["9"] * 257) + "\n" + ",".join(["999"] * 257) + "\n", "pixel values lie in"),
        (",".join(["1"] * 256) + "\n" + ",".join(["nan"] * 256) + "\n", "NaN or infinite"),
        ("\0" * 5000, "its first line is another one"),
        ("\udcff\udcfe" * 50, "its first line is another one"),
    ],
)
def test_other_tables_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "train.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_of_something_else_is_not_found_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("name,age\nada,36\n")
    with pytest.raises(DataError, match="holds no images"):
        load(tmp_path)


def test_a_very_long_first_line_is_not_read_whole(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"1" * (2 * 2**20) + b"\n")
    with pytest.raises(DataError, match="its first line is another one"):
        load(tmp_path / "x.csv")
