"""The watch over the start: planted dead pairs are found, healthy ones are left alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from orthogan.gan.objectives import DiscriminatorStep
from orthogan.gan.watch.saturation import (
    FLAT_PATIENCE,
    PATIENCE,
    STEPS_BETWEEN_MEASUREMENTS,
    UNDECIDED,
    WON,
    SaturationWatch,
    spread,
)
from orthogan.rng import normal, stream

REAL = normal((8, 1, 4, 4), stream(0, "real"))
FLAT = normal((1, 1, 4, 4), stream(0, "flat")).expand(8, -1, -1, -1)
STEPS = PATIENCE * STEPS_BETWEEN_MEASUREMENTS
FLAT_STEPS = FLAT_PATIENCE * STEPS_BETWEEN_MEASUREMENTS


def judged(gap: float) -> DiscriminatorStep:
    zero = torch.zeros(())
    return DiscriminatorStep(zero, zero, torch.full((8,), gap), torch.zeros(8))


def shown(watch: SaturationWatch, steps: int, fake: Tensor = FLAT, gap: float = 10.0) -> bool:
    for _ in range(steps):
        watch.observe(REAL, fake, judged(gap))
    return watch.is_saturated


def test_a_saturated_pair_is_found_after_exactly_the_patience() -> None:
    watch = SaturationWatch()
    assert not watch.is_saturated
    assert not shown(watch, STEPS - 1)
    assert watch.looks == PATIENCE - 1
    assert shown(watch, 1)
    assert watch.looks == PATIENCE
    assert watch.verdict == WON


@pytest.mark.parametrize("gap", [0.0, 0.5, -10.0])
def test_one_image_is_found_even_if_nobody_wins_but_later(gap: float) -> None:
    watch = SaturationWatch()
    assert FLAT_STEPS > 2 * STEPS
    assert not shown(watch, FLAT_STEPS - 1, gap=gap)
    assert (watch.looks, watch.flat_looks, watch.verdict) == (0, FLAT_PATIENCE - 1, "")
    assert shown(watch, 1, gap=gap)
    assert watch.verdict == UNDECIDED


def test_one_look_at_fakes_that_differ_starts_the_longer_count_again() -> None:
    watch = SaturationWatch()
    shown(watch, FLAT_STEPS - STEPS_BETWEEN_MEASUREMENTS, gap=0.0)
    shown(watch, STEPS_BETWEEN_MEASUREMENTS, REAL, gap=0.0)
    assert watch.flat_looks == 0
    assert not shown(watch, FLAT_STEPS - 1, gap=0.0)
    assert shown(watch, 1, gap=0.0)


@pytest.mark.parametrize(
    ("fake", "gap"),
    [
        (REAL.flip(0), 10.0),  # the discriminator wins, but the fakes differ
        (REAL.flip(0), 0.0),
        (0.2 * REAL, 10.0),  # a twenty-fifth of the real variance is above the line
    ],
)
def test_a_healthy_pair_is_left_alone(fake: Tensor, gap: float) -> None:
    watch = SaturationWatch()
    assert not shown(watch, 2 * FLAT_STEPS, fake, gap)
    assert (watch.looks, watch.flat_looks) == (0, 0)


def test_fakes_that_hardly_differ_count_as_one_image() -> None:
    assert shown(SaturationWatch(), STEPS, FLAT + 0.1 * REAL)


def test_one_healthy_look_starts_the_count_again() -> None:
    watch = SaturationWatch()
    shown(watch, STEPS - STEPS_BETWEEN_MEASUREMENTS)
    shown(watch, STEPS_BETWEEN_MEASUREMENTS, REAL)
    assert watch.looks == 0
    assert not shown(watch, STEPS - 1)
    assert shown(watch, 1)


@pytest.mark.parametrize("steps", [0, 13, STEPS - 1, STEPS])
def test_state_makes_the_same_watch_again(steps: int) -> None:
    watch = SaturationWatch()
    shown(watch, steps)
    again = SaturationWatch(**watch.state())
    assert again.state() == watch.state()
    assert again.is_saturated == watch.is_saturated
    for _ in range(STEPS):
        assert shown(watch, 1) == shown(again, 1)


@pytest.mark.parametrize("steps", [13, FLAT_STEPS - 1, FLAT_STEPS])
def test_state_holds_both_counts(steps: int) -> None:
    watch = SaturationWatch()
    shown(watch, steps, gap=0.0)
    again = SaturationWatch(**watch.state())
    for _ in range(2 * STEPS_BETWEEN_MEASUREMENTS):
        assert watch.verdict == again.verdict
        assert shown(watch, 1, gap=0.0) == shown(again, 1, gap=0.0)


def test_a_state_from_before_the_longer_count_is_read() -> None:
    assert SaturationWatch(looks=2, steps=16).state() == {
        "looks": 2,
        "steps": 16,
        "flat_looks": 0,
    }


def test_spread_is_the_mean_variance_over_the_batch() -> None:
    torch.testing.assert_close(spread(REAL), REAL.var(dim=0).mean())
    assert float(spread(FLAT)) < 1e-12
    assert float(spread(FLAT + 3)) == pytest.approx(0.0, abs=1e-12)
    assert float(spread(2 * REAL)) == pytest.approx(4 * float(spread(REAL)), rel=1e-5)
    assert spread(REAL.bfloat16()).dtype == torch.float32


def look(watch: SaturationWatch, steps: int, spread: float = 0.0, lead: float = 5.0) -> None:
    """Steps with fakes of a given share of the reals' variance, behind by `lead` logits."""
    real = torch.tensor([-1.0, 1.0]).repeat(8).reshape(16, 1, 1, 1).expand(16, 1, 4, 4)
    zero = torch.tensor(0.0)
    judged = DiscriminatorStep(zero, zero, torch.full((16,), lead), torch.zeros(16))
    for _ in range(steps):
        watch.observe(real, real * spread**0.5, judged)


def test_the_watch_sees_a_saturated_start_after_its_patience() -> None:
    watch = SaturationWatch()
    look(watch, STEPS - 1)
    assert not watch.is_saturated
    resumed = SaturationWatch(**watch.state())
    look(resumed, 1)
    assert resumed.is_saturated


@pytest.mark.parametrize(("spread", "lead"), [(0.03, 5.0), (0.0, 1.0), (1.0, 0.0), (0.03, 0.0)])
def test_one_sign_alone_is_no_saturation(spread: float, lead: float) -> None:
    watch = SaturationWatch()
    look(watch, 2 * STEPS, spread, lead)
    assert watch.looks == 0


def test_a_healthy_look_starts_the_count_again() -> None:
    watch = SaturationWatch()
    look(watch, STEPS - STEPS_BETWEEN_MEASUREMENTS)
    look(watch, STEPS_BETWEEN_MEASUREMENTS, spread=1.0)
    look(watch, STEPS - 1)
    assert not watch.is_saturated
