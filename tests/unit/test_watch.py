"""The watch over the start: planted dead pairs are found, healthy ones are left alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from orthogan.adversarial.steps import DiscriminatorStep
from orthogan.rng import normal, stream
from orthogan.training.watch import PATIENCE, STEPS_BETWEEN_LOOKS, SaturationWatch, spread

REAL = normal((8, 1, 4, 4), stream(0, "real"))
FLAT = normal((1, 1, 4, 4), stream(0, "flat")).expand(8, -1, -1, -1)
STEPS = PATIENCE * STEPS_BETWEEN_LOOKS


def judged(gap: float) -> DiscriminatorStep:
    zero = torch.zeros(())
    return DiscriminatorStep(zero, zero, torch.full((8,), gap), torch.zeros(8))


def shown(watch: SaturationWatch, steps: int, fake: Tensor = FLAT, gap: float = 10.0) -> bool:
    for _ in range(steps):
        watch.see(REAL, fake, judged(gap))
    return watch.is_saturated


def test_a_saturated_pair_is_found_after_exactly_the_patience() -> None:
    watch = SaturationWatch()
    assert not watch.is_saturated
    assert not shown(watch, STEPS - 1)
    assert watch.looks == PATIENCE - 1
    assert shown(watch, 1)
    assert watch.looks == PATIENCE


@pytest.mark.parametrize(
    ("fake", "gap"),
    [
        (REAL.flip(0), 10.0),  # the discriminator wins, but the fakes differ
        (FLAT, 0.5),  # every fake is the same, but it still fools
        (REAL.flip(0), 0.0),
        (0.2 * REAL, 10.0),  # a twenty-fifth of the real variance is above the line
    ],
)
def test_a_healthy_pair_is_left_alone(fake: Tensor, gap: float) -> None:
    watch = SaturationWatch()
    assert not shown(watch, 3 * STEPS, fake, gap)
    assert watch.looks == 0


def test_fakes_that_hardly_differ_count_as_one_image() -> None:
    assert shown(SaturationWatch(), STEPS, FLAT + 0.1 * REAL)


def test_one_healthy_look_starts_the_count_again() -> None:
    watch = SaturationWatch()
    shown(watch, STEPS - STEPS_BETWEEN_LOOKS)
    shown(watch, STEPS_BETWEEN_LOOKS, REAL)
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


def test_spread_is_the_mean_variance_over_the_batch() -> None:
    torch.testing.assert_close(spread(REAL), REAL.var(dim=0).mean())
    assert float(spread(FLAT)) < 1e-12
    assert float(spread(FLAT + 3)) == pytest.approx(0.0, abs=1e-12)
    assert float(spread(2 * REAL)) == pytest.approx(4 * float(spread(REAL)), rel=1e-5)
    assert spread(REAL.bfloat16()).dtype == torch.float32
