"""What every registered data format and data set promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from orthogan.data import DATA_SETS, ImageSet, load
from orthogan.data.catalogue import FORMATS, Colour, SingleSplitError
from orthogan.errors import DataError, MissingExtraError
from orthogan.testing.contract import Contract

FORMS = pytest.mark.parametrize(("size", "colour", "channels"), [(20, "grey", 1), (32, "rgb", 3)])


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


class FormatContract(Contract):
    """A file becomes the same squares of bytes twice, and damage one sentence."""

    registry = FORMATS
    # What writes a small file of a format that brings no `example` of its own.
    samples: ClassVar[Mapping[str, Callable[[Path], object]]] = {}

    @pytest.fixture
    def path(self, name: str, tmp_path: Path) -> Path:
        """A small file of the format, or a folder."""
        found = FORMATS[name]
        place = tmp_path / ("sample" + (max(found.suffixes, key=len) if found.suffixes else ""))
        write = found.example or self.samples[name]
        try:
            write(place)
        except MissingExtraError as error:
            pytest.skip(str(error))
        return place

    def test_a_file_becomes_square_images_of_bytes(self, name: str, path: Path) -> None:
        check(load(path))

    @FORMS
    def test_images_have_the_requested_form(
        self, name: str, path: Path, size: int, colour: Colour, channels: int
    ) -> None:
        images = load(path, size=size, colour=colour)
        check(images)
        assert images.images.shape[1:] == (channels, size, size)

    def test_a_file_is_the_same_images_twice(self, name: str, path: Path) -> None:
        first, second = load(path), load(path)
        assert first.fingerprint() == second.fingerprint()
        assert (first.class_names, first.notes) == (second.class_names, second.notes)

    def test_a_file_without_held_out_images_says_so(self, name: str, path: Path) -> None:
        with pytest.raises(SingleSplitError, match="single split"):
            load(path, split="test")

    @pytest.mark.parametrize("kept", [0.0, 0.49])
    def test_a_damaged_file_is_refused_in_one_sentence(
        self, name: str, path: Path, kept: float
    ) -> None:
        for file in (
            [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
        ):
            content = file.read_bytes()
            file.write_bytes(content[: int(kept * len(content))])
        with pytest.raises(DataError) as caught:
            load(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_files_of_another_format_are_refused(self, name: str, path: Path) -> None:
        if path.is_file():
            path.write_bytes(b"not what the name says, however long it may be read on and on")
            with pytest.raises(DataError):
                load(path)


class DataSetContract(Contract):
    """A named set is squares of bytes in the form asked for."""

    registry = DATA_SETS

    def test_a_data_set_is_square_images_of_bytes(self, name: str) -> None:
        splits = ("train", "test") if DATA_SETS[name].has_test_split else ("train",)
        for split in splits:
            images = load(name, split=split)
            check(images)
            assert images.split == split
        assert DATA_SETS.describe(name).endswith(".")

    @FORMS
    def test_a_data_set_takes_the_requested_form(
        self, name: str, size: int, colour: Colour, channels: int
    ) -> None:
        split = "test" if DATA_SETS[name].has_test_split else "train"
        images = load(name, split=split, size=size, colour=colour)
        assert images.images.shape[1:] == (channels, size, size)
        assert (
            images.fingerprint() == load(name, split=split, size=size, colour=colour).fingerprint()
        )
