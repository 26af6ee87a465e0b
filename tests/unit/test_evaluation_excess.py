"""How many pictures are nearer than honest ones account for."""

from __future__ import annotations

import pytest
import torch

from orthogan.evaluation.excess import excess
from orthogan.statistics.student import Z


def test_a_mixture_of_copies_and_honest_pictures_is_told_apart() -> None:
    honest = torch.linspace(0.5, 1.5, 1000)
    mixed = torch.cat([torch.full((300,), 0.1), honest[::2], honest[::5]])  # 300 of 1000
    share, interval = excess(mixed, honest)
    assert share == pytest.approx(0.3, abs=0.01)
    assert interval.low < 0.3 < interval.high
    # Each fraction is known to within Z standard errors.
    assert interval.high - interval.low == pytest.approx(2 * Z * (0.21 / 1000) ** 0.5, rel=0.3)


def test_honest_pictures_show_nothing() -> None:
    honest = torch.linspace(0.5, 1.5, 1000)
    share, interval = excess(honest + 1e-4, honest)
    assert share == pytest.approx(0, abs=0.002)
    assert interval.low < 0


def test_the_interval_holds_the_fraction_where_pictures_are_farther_than_honest_ones() -> None:
    honest = torch.linspace(0.5, 1.5, 1000)
    share, interval = excess(honest + 5, honest)
    assert share == 0
    assert interval.low < 0 <= interval.high


def test_pictures_as_near_as_real_ones_that_repeat_are_copies() -> None:
    """Two in a hundred real ones stand twice: the threshold is 0, and copies lie on it."""
    honest = torch.cat([torch.zeros(20), torch.linspace(0.5, 1.5, 980)])
    found = torch.cat([torch.zeros(60), torch.full((40,), 0.45)])
    assert excess(found, honest)[0] > 0.95
    alone = torch.cat([torch.zeros(300), torch.linspace(0.5, 1.5, 700)])  # more than a fifth
    assert excess(torch.zeros(100), alone)[0] == 1


def test_where_all_are_as_near_nothing_is_claimed() -> None:
    assert excess(torch.zeros(50), torch.zeros(50)) == (0.0, (0.0, 1.0))
