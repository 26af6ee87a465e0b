"""Classes are named only where features tell them apart; else groups that look alike."""

from __future__ import annotations

import pytest
import torch
from scipy import stats
from torch import Tensor

from orthogan.evaluation.groups import _as_normal, groups_of, shares_of

NAMES = ("cat", "dog", "hen")


def clouds(count: int, apart: float, seed: int) -> tuple[Tensor, Tensor]:
    """Three classes, as many points of each, and their labels."""
    draws = torch.Generator().manual_seed(seed)
    labels = torch.arange(3).repeat_interleave(count)
    centres = apart * torch.eye(3, 8)
    return centres[labels] + torch.randn(3 * count, 8, generator=draws), labels


def test_a_missing_class_is_named() -> None:
    real, labels = clouds(200, 8, 1)
    ours, ours_labels = clouds(200, 8, 2)
    found = groups_of(ours[ours_labels != 1], real, labels, NAMES, seed=0)
    assert [group.name for group in found] == ["class cat", "class dog", "class hen"]
    assert [round(group.share, 2) for group in found] == [0.5, 0.0, 0.5]
    assert [group.is_certain for group in found] == [True, True, True]
    assert all(group.examples == () for group in found)


def test_classes_that_cannot_be_told_apart_are_not_spoken_of() -> None:
    real, labels = clouds(200, 1, 1)
    found = groups_of(clouds(200, 1, 2)[0], real, labels, NAMES, seed=0)
    assert all(group.name.startswith("group ") for group in found)
    assert not any(group.is_certain for group in found)


def test_without_labels_groups_are_found_and_have_examples() -> None:
    real, labels = clouds(200, 8, 1)
    ours, ours_labels = clouds(200, 8, 2)
    found = groups_of(ours[ours_labels != 1], real, None, (), seed=0)
    short = [group for group in found if group.is_certain and group.share == 0]
    assert short
    for group in short:
        assert {int(labels[place]) for place in group.examples} == {1}
    assert sum(group.share for group in found) == pytest.approx(1)
    assert sum(group.real_share for group in found) == pytest.approx(1)


def test_a_group_of_one_class_bears_its_name() -> None:
    real, labels = clouds(200, 8, 1)
    one = torch.zeros_like(labels)  # one class: nothing to classify
    found = groups_of(real, real, one, ("cat",), seed=0)
    assert all(group.name.endswith("(mostly class cat)") for group in found)


def test_few_or_equal_images_have_no_groups() -> None:
    real, _ = clouds(20, 8, 1)
    assert groups_of(real, real, None, (), seed=0) == []
    same = torch.ones(200, 8)
    assert [group.share for group in groups_of(same, same, None, (), seed=0)] == [1.0]


def test_the_same_seed_gives_the_same_groups() -> None:
    real, _ = clouds(200, 3, 1)
    first, again = (groups_of(real, real, None, (), seed=4) for _ in range(2))
    assert first == again


def test_a_difference_is_certain_by_the_test_of_two_fractions() -> None:
    """Of 1000 and 1000: 100 beside 140, z = 2.75, beside 150, 3.38, and beside 170, 4.6."""
    for more, certain in ((140, False), (150, True), (170, True)):
        found = shares_of(["a", "b"], torch.tensor([100, 900]), torch.tensor([more, 1000 - more]))
        assert [group.is_certain for group in found] == [certain] * 2
    # One of many that differs by as much may be chance.
    ours, real = torch.full((20,), 100), torch.full((20,), 100)
    ours[0], ours[1] = 55, 145
    assert not any(
        group.is_certain for group in shares_of(list("abcdefghijklmnopqrst"), ours, real)
    )


@pytest.mark.parametrize(("freedom", "value"), [(1, 3.0), (9, 20.0), (9, 4.0), (30, 70.0)])
def test_chi_squared_as_a_normal_score(freedom: int, value: float) -> None:
    wanted = stats.norm.isf(stats.chi2.sf(value, freedom))
    assert _as_normal(value, freedom) == pytest.approx(wanted, abs=0.05)
