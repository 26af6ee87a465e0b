"""What every registered data format and data set promises."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from data_samples import SAMPLES

from orthogan.data import DATA_SETS, ImageSet, load
from orthogan.data.catalogue import FORMATS, SingleSplitError
from orthogan.errors import DataError, MissingExtraError

EVERY_FORMAT = pytest.mark.parametrize("name", list(FORMATS))
EVERY_SET = pytest.mark.parametrize("name", list(DATA_SETS))
FORMS = pytest.mark.parametrize(("size", "colour", "channels"), [(20, "grey", 1), (32, "rgb", 3)])


@pytest.fixture
def path(name: str, tmp_path: Path) -> Path:
    """A small file of the format, or a folder."""
    found = FORMATS[name]
    place = tmp_path / ("sample" + (max(found.suffixes, key=len) if found.suffixes else ""))
    write = found.example or SAMPLES[name]
    try:
        write(place)
    except MissingExtraError as error:
        pytest.skip(str(error))
    return place


def check(images: ImageSet) -> None:
    assert images.images.dtype == torch.uint8
    count, channels, height, width = images.images.shape
    assert (count, channels, height) == (len(images), images.colours, width)
    assert count >= 16
    assert len(images.images.flatten(1).unique(dim=0)) > 1
    if images.labels is None:
        assert images.class_names == ()
        return
    assert images.labels.dtype == torch.int64
    assert images.labels.shape == (count,)
    assert 0 <= int(images.labels.min()) <= int(images.labels.max()) < len(images.class_names)
    assert len(set(images.class_names)) == len(images.class_names)


@EVERY_FORMAT
def test_a_file_becomes_square_images_of_bytes(name: str, path: Path) -> None:
    check(load(path))


@EVERY_FORMAT
@FORMS
def test_images_have_the_requested_form(
    name: str, path: Path, size: int, colour: str, channels: int
) -> None:
    images = load(path, size=size, colour=colour)
    check(images)
    assert images.images.shape[1:] == (channels, size, size)


@EVERY_FORMAT
def test_a_file_is_the_same_images_twice(name: str, path: Path) -> None:
    first, second = load(path), load(path)
    assert first.fingerprint() == second.fingerprint()
    assert (first.class_names, first.notes) == (second.class_names, second.notes)


@EVERY_FORMAT
def test_a_file_without_held_out_images_says_so(name: str, path: Path) -> None:
    with pytest.raises(SingleSplitError, match="single split"):
        load(path, split="test")


@EVERY_FORMAT
@pytest.mark.parametrize("kept", [0.0, 0.49])
def test_a_damaged_file_is_refused_in_one_sentence(name: str, path: Path, kept: float) -> None:
    for file in [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]:
        content = file.read_bytes()
        file.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DataError) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@EVERY_FORMAT
def test_files_of_another_format_are_refused(name: str, path: Path) -> None:
    if path.is_file():
        path.write_bytes(b"not what the name says, however long it may be read on and on")
        with pytest.raises(DataError):
            load(path)


@EVERY_SET
def test_a_data_set_is_square_images_of_bytes(name: str) -> None:
    splits = ("train", "test") if DATA_SETS[name].has_test_split else ("train",)
    for split in splits:
        images = load(name, split=split)
        check(images)
        assert images.split == split
    assert DATA_SETS.describe(name).endswith(".")


@EVERY_SET
@FORMS
def test_a_data_set_takes_the_requested_form(
    name: str, size: int, colour: str, channels: int
) -> None:
    split = "test" if DATA_SETS[name].has_test_split else "train"
    images = load(name, split=split, size=size, colour=colour)
    assert images.images.shape[1:] == (channels, size, size)
    assert images.fingerprint() == load(name, split=split, size=size, colour=colour).fingerprint()
