"""The hub reader against a stand-in for the `datasets` package."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from orthogan.data import load
from orthogan.data.catalogue import SingleSplitError
from orthogan.data.sets import hub
from orthogan.errors import DataError, MissingExtraError

GREY = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)


class HubImage:
    def __init__(self, decode: bool = True) -> None:
        self.decode = decode


class HubClass:
    names = ("ant", "bee")


class Rows:
    def __init__(self, features: dict[str, Any] | None, rows: list[dict[str, Any]]) -> None:
        self.features = features
        self.rows = rows
        self.decoded = True

    def cast_column(self, column: str, feature: HubImage) -> Rows:
        assert column == "picture"
        self.decoded = feature.decode
        return self

    def __iter__(self) -> Iterator[dict[str, Any]]:
        assert not self.decoded, "pictures must arrive compressed"
        return iter(self.rows)


def cell(array: np.ndarray) -> dict[str, Any]:
    stream = BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return {"bytes": stream.getvalue(), "path": None}


FEATURES = {"id": object(), "picture": HubImage(), "kind": HubClass()}


def rows(num: int = 20) -> list[dict[str, Any]]:
    return [{"picture": cell(array), "kind": n % 2} for n, array in enumerate(GREY[:num])]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What `load_dataset` was called with; its last element is what it returns."""
    seen: list[Any] = [Rows(FEATURES, rows())]

    def load_dataset(name: str, **options: Any) -> Rows:
        seen.insert(0, (name, options))
        if isinstance(seen[-1], Exception):
            raise seen[-1]
        return seen[-1]

    module = SimpleNamespace(Image=HubImage, ClassLabel=HubClass, load_dataset=load_dataset)
    monkeypatch.setitem(sys.modules, "datasets", module)
    return seen


def test_pictures_and_classes_are_streamed(calls: list[Any]) -> None:
    images = load("hf:someone/insects", split="test")
    assert torch.equal(images.images[:, 0], torch.from_numpy(GREY))
    assert images.labels is not None
    assert images.labels.tolist() == [0, 1] * 10
    assert images.class_names == ("ant", "bee")
    assert (images.name, images.split, images.notes) == ("insects", "test", ())
    assert calls[0] == ("someone/insects", {"split": "test", "streaming": True})


def test_without_a_class_column(calls: list[Any]) -> None:
    calls[-1] = Rows({"picture": HubImage()}, rows())
    assert load("hf:x").labels is None


def test_rows_without_a_class_or_picture(calls: list[Any]) -> None:
    calls[-1].rows[3]["kind"] = -1
    assert load("hf:x").labels is None
    calls[-1] = Rows(FEATURES, [*rows(), {"picture": None, "kind": 0}])
    images = load("hf:x")
    assert len(images) == 20
    assert images.notes == ("Skipped 1 of 21 files: row 20 (no picture in this row).",)


def test_the_limit_is_stated(calls: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "MAX_IMAGES", 17)
    images = load("hf:x")
    assert len(images) == 17
    assert images.notes == ("17 of 17 images: read, which is the limit for a hub data set.",)


@pytest.mark.parametrize("features", [None, {"text": object()}])
def test_no_image_column(calls: list[Any], features: dict[str, Any] | None) -> None:
    calls[-1] = Rows(features, [])
    with pytest.raises(DataError, match="has no image column, only: "):
        load("hf:x")


@pytest.mark.parametrize(
    "error", [ConnectionError("no network"), ValueError("bad split\nmore"), RuntimeError()]
)
def test_failures_are_one_sentence(calls: list[Any], error: Exception) -> None:
    calls[-1] = error
    with pytest.raises(DataError, match=r"hf:x: cannot be loaded: \w+") as caught:
        load("hf:x")
    assert "\n" not in str(caught.value)


def test_no_usable_rows(calls: list[Any]) -> None:
    calls[-1] = Rows(FEATURES, [])
    with pytest.raises(DataError, match="hf:x: holds no usable images"):
        load("hf:x")


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtraError, match=r"orthogan\[hf\]"):
        load("hf:someone/insects")


@pytest.mark.parametrize("word", ["Bad split: test. Available", 'Unknown split "test".'])
def test_a_missing_split_is_told_from_other_failures(calls: list[Any], word: str) -> None:
    calls[-1] = ValueError(word)
    with pytest.raises(SingleSplitError, match="hf:x: this source has a single split"):
        load("hf:x", split="test")
    calls[-1] = ConnectionError("no network")
    with pytest.raises(DataError) as caught:
        load("hf:x", split="test")
    assert not isinstance(caught.value, SingleSplitError)


def test_a_validation_split_is_held_out_where_there_is_no_test_split(
    calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def load_dataset(name: str, *, split: str, streaming: bool) -> Rows:
        if split not in ("train", "validation"):
            raise ValueError(f"Bad split: {split}. Available splits: ['train', 'validation']")
        return Rows(FEATURES, rows(17 if split == "validation" else 20))

    monkeypatch.setattr(sys.modules["datasets"], "load_dataset", load_dataset)
    assert len(load("hf:x", split="test")) == 17
    assert len(load("hf:x")) == 20
