"""Schedules: their ends, their shape, the half-life of the average."""

from __future__ import annotations

import pytest

from orthogan.gan import schedule
from orthogan.gan.config import AverageConfig, OptimizerConfig, PenaltyConfig, TrainingConfig

ADAM = OptimizerConfig(learning_rate=0.02, final_share=0.25, beta2_start=0.5, beta2_end=0.9)
PENALTY = PenaltyConfig(gamma_start=8.0, gamma_end=2.0)


def test_ends_of_the_budget() -> None:
    assert schedule.learning_rate(ADAM, 0.0, 0) == pytest.approx(0.02)
    assert schedule.learning_rate(ADAM, 1.0, 0) == pytest.approx(0.005)
    assert schedule.gamma(PENALTY, 0.0) == pytest.approx(8.0)
    assert schedule.gamma(PENALTY, 1.0) == pytest.approx(2.0)
    assert schedule.beta2(ADAM, 0.0) == pytest.approx(0.5)
    assert schedule.beta2(ADAM, 0.5) == pytest.approx(0.9)
    assert schedule.beta2(ADAM, 1.0) == pytest.approx(0.9)


def test_the_rate_is_held_before_it_decays() -> None:
    held = ADAM.evolve("hold_share=0.6")
    assert [schedule.learning_rate(held, p, 0) for p in (0.0, 0.3, 0.6)] == pytest.approx(
        [0.02] * 3
    )
    assert schedule.learning_rate(held, 0.8, 0) == pytest.approx((0.02 + 0.005) / 2)
    assert schedule.learning_rate(held, 1.0, 0) == pytest.approx(0.005)
    assert schedule.learning_rate(ADAM.evolve("hold_share=1"), 1.0, 0) == pytest.approx(0.02)


def test_the_rate_falls_with_the_root_of_the_images() -> None:
    late = ADAM.evolve("root_after=1000")
    rates = [schedule.learning_rate(late, 0.0, seen) for seen in (0, 1000, 4000, 100_000)]
    assert rates == pytest.approx([0.02, 0.02, 0.01, 0.005])  # never below the last
    assert schedule.learning_rate(late, 0.5, 4000) == pytest.approx(0.0075)
    assert schedule.learning_rate(late, 1.0, 4000) == pytest.approx(0.005)
    never = ADAM.evolve("root_after=null")
    assert schedule.learning_rate(never, 0.0, 10**9) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("start", "end", "sizes"),
    [
        (32, None, [32, 32, 32, 32, 32]),
        (32, 32, [32, 32, 32, 32, 32]),
        (32, 64, [32, 32, 64, 64, 64]),
        (32, 128, [32, 32, 64, 128, 128]),
        (32, 100, [32, 32, 64, 64, 64]),  # doubling again would pass the end
    ],
)
def test_batches_double_at_equal_shares(start: int, end: int | None, sizes: list[int]) -> None:
    config = TrainingConfig(batch_size=start, final_batch_size=end)
    assert [schedule.batch_size(config, p) for p in (0.0, 0.3, 0.5, 0.8, 1.0)] == sizes


def test_halfway_is_the_mean_of_the_ends() -> None:
    assert schedule.cosine(3.0, 1.0, 0.5) == pytest.approx(2.0)
    assert schedule.cosine(3.0, 1.0, 1 / 3) == pytest.approx(1.0 + 2 * 0.75)
    assert schedule.beta2(ADAM, 0.25) == pytest.approx(0.7)


@pytest.mark.parametrize("progress", [-0.5, 1.5, 100.0])
def test_beyond_the_budget_the_end_values_hold(progress: float) -> None:
    expected = 3.0 if progress < 0 else 1.0
    assert schedule.cosine(3.0, 1.0, progress) == pytest.approx(expected)


def test_the_way_down_is_monotonic() -> None:
    rates = [schedule.learning_rate(ADAM, i / 50, 10_000 * i) for i in range(51)]
    assert rates == sorted(rates, reverse=True)


def test_equal_ends_are_constant() -> None:
    values = {schedule.cosine(0.3, 0.3, i / 7) for i in range(8)}
    assert values == {0.3}


def test_the_average_halves_over_its_half_life() -> None:
    config = AverageConfig(half_life_share=0.1, half_life_max=1000)
    # At 5,000 images the half-life is 500, so ten steps of 50 images halve what was there.
    assert schedule.average_decay(config, 5_000, 50) ** 10 == pytest.approx(0.5)
    # The ramp ends at half_life_max.
    assert schedule.average_decay(config, 10**9, 50) ** 20 == pytest.approx(0.5)
    assert schedule.average_decay(config, 10_000, 50) == schedule.average_decay(config, 10**9, 50)


def test_before_the_first_image_the_average_is_a_copy() -> None:
    assert schedule.average_decay(AverageConfig(), 0, 64) == 0.0
    assert 0 < schedule.average_decay(AverageConfig(), 64, 64) < 0.01
