"""Labels and examples: what class names mean, and which images are kept for scoring."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from orthogan import data
from orthogan.classification import examples
from orthogan.classification.config import LabelledDataConfig
from orthogan.classification.examples import Examples, hold_out, load_split, load_test, parts_of
from orthogan.classification.labels import LabelScheme, scheme_of
from orthogan.classification.session import one_of_each
from orthogan.data import ImageSet
from orthogan.data.catalogue import SingleSplitError
from orthogan.errors import DataError


def images(labels: list[int] | None, names: tuple[str, ...] = ("a", "b", "c")) -> ImageSet:
    count = 4 if labels is None else len(labels)
    pixels = torch.arange(count, dtype=torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 1, 16, 16)
    known = None if labels is None else torch.tensor(labels)
    return ImageSet(pixels, known, names if labels else (), "shapes")


def test_one_label_an_image() -> None:
    scheme = scheme_of(images([0, 2, 2, 0]))
    assert scheme == LabelScheme(("a", "c"))
    assert scheme.encode(images([2, 0])).tolist() == [[1], [0]]
    assert scheme.decode(torch.tensor([[1], [0]])) == ["c", "a"]


def test_several_labels_an_image() -> None:
    names = ("12", "21", "99")
    scheme = scheme_of(images([0, 1, 1], names), parts=2)
    assert scheme == LabelScheme(("1", "2"), 2)
    assert scheme.encode(images([1, 0], names)).tolist() == [[1, 0], [0, 1]]
    assert scheme.decode(torch.tensor([[1, 0], [1, 1]])) == ["21", "22"]


@given(st.lists(st.text("xyz", min_size=3, max_size=3), min_size=2, unique=True))
def test_decoding_undoes_encoding(names: list[str]) -> None:
    shown = images([*range(len(names))], tuple(names))
    scheme = scheme_of(shown, parts=3)
    assert scheme.decode(scheme.encode(shown)) == names


def test_labels_are_matched_by_name_not_by_number() -> None:
    scheme = scheme_of(images([0, 1, 2]))
    assert scheme.encode(images([0, 1], ("c", "a"))).tolist() == [[2], [0]]


def test_labels_that_cannot_be_learned_are_refused() -> None:
    with pytest.raises(DataError, match=r"shapes: has no labels, .* one sub-folder a class"):
        scheme_of(images(None))
    with pytest.raises(DataError, match=r"all images are of one class \('b'\)"):
        scheme_of(images([1, 1]))
    with pytest.raises(DataError, match="needs class names of 2 characters, one is 'a'"):
        scheme_of(images([0, 1]), parts=2)


def test_unknown_classes_are_refused_if_an_image_has_one() -> None:
    scheme = scheme_of(images([0, 1]))
    with pytest.raises(DataError, match=r"class 'c', which is none of the classes .*: a, b"):
        scheme.encode(images([0, 2]))
    assert scheme.encode(images([1])).tolist() == [[1]]  # the set knows 'c' but has none
    with pytest.raises(DataError, match=r"class 'ab'"):
        LabelScheme(("a", "b"), 3).encode(images([0, 1], ("ab", "aba")))


def test_a_long_list_of_classes_is_cut() -> None:
    scheme = LabelScheme(tuple(f"class{n}" for n in range(30)))
    with pytest.raises(DataError, match=r"class9 and 20 more\.$"):
        scheme.encode(images([0, 1]))


def test_a_share_of_every_class_is_held_out() -> None:
    labels = [0] * 40 + [1] * 10 + [2] * 2
    train, test = hold_out(images(labels), 0.2, seed=3)
    assert torch.bincount(test.labels).tolist() == [8, 2, 1]
    assert torch.bincount(train.labels).tolist() == [32, 8, 1]
    ids = torch.cat([train.images, test.images])[:, 0, 0, 0]
    assert sorted(ids.tolist()) == list(range(52))


def test_the_seed_decides_what_is_held_out() -> None:
    shown = images([0, 1] * 30)
    first, again, other = (hold_out(shown, 0.3, seed)[1] for seed in (0, 0, 1))
    assert torch.equal(first.images, again.images)
    assert not torch.equal(first.images, other.images)
    assert first.images[:, 0, 0, 0].tolist() != list(range(len(first)))


def test_a_class_of_one_image_cannot_be_held_out() -> None:
    with pytest.raises(DataError, match="class 'b' has a single image"):
        hold_out(images([0, 0, 1]), 0.5, seed=0)
    with pytest.raises(DataError, match="has no labels"):
        hold_out(images(None), 0.5, seed=0)


def test_a_source_without_a_test_set_says_what_is_held_out(tiny_file: Path) -> None:
    split = load_split(LabelledDataConfig(source=str(tiny_file), held_out=0.25), seed=7)
    assert len(split.train) + len(split.test) == 200
    assert 45 <= len(split.test) <= 55
    assert split.scheme.names == ("0", "1", "2", "3")
    assert "has no test set" in split.notes[-1]
    assert (
        f"{len(split.test)} of its 200 images (about 25% of every class, chosen by seed 7)"
        in (split.notes[-1])
    )


def test_a_test_set_of_the_source_is_used(tmp_path: Path, tiny_file: Path) -> None:
    with np.load(tiny_file, allow_pickle=False) as stored:
        pixels, labels = stored["images"], stored["labels"]
    np.savez(
        tmp_path / "both.npz",
        x_train=pixels[:150],
        y_train=labels[:150],
        x_test=pixels[150:],
        y_test=labels[150:],
    )
    split = load_split(LabelledDataConfig(source=str(tmp_path / "both.npz")), seed=0)
    assert (len(split.train), len(split.test)) == (150, 50)
    assert split.notes[-1] == "Scored on the 50 images of the test set."


def test_other_images_to_score_on_take_the_form_of_the_training_set(
    tmp_path: Path, tiny_file: Path
) -> None:
    large = np.random.default_rng(0).integers(0, 255, (20, 20, 20, 3), dtype=np.uint8)
    np.savez(tmp_path / "other.npz", images=large, labels=np.arange(20) % 4)
    config = LabelledDataConfig(source=str(tiny_file), test=str(tmp_path / "other.npz"))
    split = load_split(config, seed=0)
    assert (len(split.train), len(split.test)) == (200, 20)
    assert split.test.images.images.shape == (20, 1, 16, 16)
    assert split.notes[-1] == f"Scored on the 20 images of {tmp_path / 'other.npz'}."
    split = load_split(config.evolve("held_out=0.5"), seed=0)
    assert split.notes[-1].endswith("Nothing is held out, so data.held_out has no effect.")


def test_the_size_and_colours_asked_for(tiny_file: Path) -> None:
    config = LabelledDataConfig(source=str(tiny_file), size=20, colour="rgb")
    split = load_split(config, seed=0)
    for part in (split.train, split.test):
        assert part.images.images.shape[1:] == (3, 20, 20)


def test_stacked_digits_have_three_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    config = LabelledDataConfig(source="stacked-mnist")
    assert parts_of(config) == 3
    assert parts_of(config.evolve(label_parts=1)) == 1
    assert parts_of(LabelledDataConfig(source="mnist")) == 1
    pixels = torch.zeros(20, 3, 28, 28, dtype=torch.uint8)
    names = tuple(f"{number:03d}" for number in range(1000))
    few = ImageSet(pixels, torch.arange(20) * 51, names, "stacked-mnist")
    monkeypatch.setattr(examples.data, "load", lambda source, **form: few)
    split = load_split(config, seed=0)
    assert split.scheme == LabelScheme(tuple("0123456789"), 3)
    assert split.train.targets[-1].tolist() == [9, 6, 9]


def test_images_to_score_on_without_a_test_set_are_all_taken(tiny_file: Path) -> None:
    assert len(load_test(str(tiny_file), 16, 1)) == 200
    assert load_test("mnist", 28, 1).split == "test"
    with pytest.raises(DataError, match="neither an existing file"):
        load_test("nowhere", 16, 1)


def test_a_missing_split_is_told_from_damaged_data(tmp_path: Path, tiny_file: Path) -> None:
    with pytest.raises(SingleSplitError, match="single split"):
        data.load(tiny_file, split="test")
    with np.load(tiny_file, allow_pickle=False) as stored:
        np.savez(tmp_path / "one.npz", x_train=stored["images"], y_train=stored["labels"])
    with pytest.raises(SingleSplitError, match="single split"):
        data.load(tmp_path / "one.npz", split="test")
    (tmp_path / "folder").mkdir()
    for number in range(16):
        Image.new("L", (16, 16), number).save(tmp_path / "folder" / f"{number}.png")
    with pytest.raises(SingleSplitError, match="single split"):
        data.load(tmp_path / "folder", split="test")
    (tmp_path / "bad.npz").write_bytes(b"bad")
    with pytest.raises(DataError) as caught:
        data.load(tmp_path / "bad.npz", split="test")
    assert not isinstance(caught.value, SingleSplitError)


def test_what_is_looked_at_shows_many_classes() -> None:
    shown = images([0, 0, 0, 1, 2, 2])
    targets = torch.tensor([[0], [0], [0], [1], [2], [2]])
    found = one_of_each(Examples(images=shown, targets=targets), 5)
    assert found.tolist() == [0, 1, 3, 4, 5]
    assert one_of_each(Examples(images=shown, targets=targets), 2).tolist() == [0, 3]
    assert len(one_of_each(Examples(images=shown, targets=targets), 50)) == 6
