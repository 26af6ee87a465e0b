"""Whether a distance still falls, what more images would bring, and when that is settled."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from orthogan.gan.config import TrainingConfig
from orthogan.gan.course import LEAST_READINGS, LEAST_TO_END, Course, Trend
from orthogan.gan.ending import ANNEAL_SHARE, Ending
from orthogan.gan.outcome import next_words, outcome


def course(power: float, floor: float = 0.0, noise: float = 0.0, seed: int = 0) -> Course:
    source = np.random.default_rng(seed)
    found = Course()
    for images in range(1000, 20_001, 1000):
        distance = floor + (images / 10_000) ** -power
        found.add(images, distance * math.exp(noise * source.standard_normal()))
    return found


@pytest.mark.parametrize("power", [0.0, 0.3, 1.2])
def test_the_power_of_a_curve_is_found(power: float) -> None:
    trend = course(power).trend()
    assert trend is not None
    assert trend.power == pytest.approx(power, abs=1e-9)
    assert trend.margin == pytest.approx(0.0, abs=1e-6)
    assert trend.readings == 11  # those from half of the images on
    assert trend.gain(2.0)[1] == pytest.approx(1 - 2**-power, abs=1e-9)


def test_the_interval_holds_the_power_of_noisy_curves() -> None:
    held = 0
    for seed in range(200):
        trend = course(0.4, noise=0.05, seed=seed).trend()
        assert trend is not None
        held += abs(trend.power - 0.4) <= trend.margin
    assert held >= 180


def test_neighbours_that_go_together_widen_the_interval() -> None:
    apart, together = Course(), Course()
    for at in range(1, 21):
        apart.add(1000 * at, math.exp(0.1 * (-1) ** at))
        together.add(1000 * at, math.exp(0.1 * (-1) ** (at // 4)))
    plain, wide = apart.trend(), together.trend()
    assert plain is not None
    assert wide is not None
    assert wide.margin > 1.5 * plain.margin


def test_too_few_readings_say_nothing() -> None:
    found = Course()
    assert found.best is None
    for at in range(LEAST_READINGS - 1):
        found.add(1000 + at, 1.0)
        assert found.trend() is None
        assert not found.is_settled
    found.add(2000, 1.0)
    assert found.trend() is not None


def test_flat_is_settled_after_three_readings_that_agree() -> None:
    found, settled = Course(), []
    for at in range(1, 25):
        found.add(1000 * at, 1 + 0.001 * (-1) ** at)
        settled.append(found.is_settled)
    first = settled.index(True) + 1
    assert all(settled[first:])
    trends = [found._before(24 - at).trend() for at in range(1, 25)]
    flat = [
        trend is not None and trend.readings >= LEAST_TO_END and trend.is_flat for trend in trends
    ]
    assert first == flat.index(True) + 1 + 2


@pytest.mark.parametrize("noise", [0.02, 0.05])
def test_a_falling_distance_is_not_settled(noise: float) -> None:
    settled = [course(0.6, noise=noise, seed=seed).is_settled for seed in range(100)]
    assert sum(settled) <= 2


def test_a_rising_distance_is_flat_for_a_run() -> None:
    trend = course(-0.5).trend()
    assert trend is not None
    assert trend.is_flat
    assert not trend.is_falling


def test_noise_without_an_end_is_not_called_flat() -> None:
    assert not Trend(power=0.0, margin=0.5, readings=9).is_flat


def test_the_best_reading_and_one_twice_at_one_place() -> None:
    found = Course()
    for images, distance in ((100, 3.0), (200, 1.0), (300, 2.0), (300, 1.5)):
        found.add(images, distance)
    assert [each.distance for each in found.readings] == [3.0, 1.0, 1.5]
    assert found.best is not None
    assert found.best.images == 200
    again = Course(**found.state())
    assert again.readings == found.readings


def test_a_reading_before_others_takes_their_place() -> None:
    found = Course([100.0, 3.0, 200.0, 1.0])
    found.add(150, 2.0)
    assert [each.images for each in found.readings] == [100, 150]


def test_outcomes_say_which_images_they_rest_on_and_the_interval() -> None:
    falling = outcome(course(0.5), unseen=True)
    assert falling.kind == "still improving"
    assert (
        "held-out images, as many images again would lower it by about 29% (95%: 29% to 29%)"
        in (falling.sentence)
    )
    assert outcome(course(0.0), unseen=False).kind == "converged"
    assert "training images (none are held out)" in outcome(course(0.0), unseen=False).sentence
    assert outcome(course(0.1, noise=0.3, seed=1), unseen=True).kind == "unsettled"
    assert outcome(Course([10.0, 1.0]), unseen=True).sentence == (
        "Whether more training would help, 1 reading of the distance to held-out images cannot say."
    )


CONFIG = TrainingConfig().evolve("data.source=pictures", "budget={images: 1000}")


@pytest.mark.parametrize(
    ("power", "said", "words"),
    [
        (0.5, "Usable: 95%", ["--run", Path("runs/a"), "--images", "2000"]),
        (0.0, "Usable: 95%", ["sample"]),
        (0.0, "Not realistic: 10%", ["evaluate"]),
        (0.5, "Not realistic: 10%", ["--run", Path("runs/a"), "--images", "2000"]),
        (0.5, "Memorising: 60%", [Path("runs/a-augmented"), "augmentation.policy=auto"]),
        (0.5, "Collapsed: 90%", [Path("runs/a-gentler")]),
        (0.5, "", ["--images", "2000"]),
        (0.0, "", ["sample"]),
    ],
)  # fmt: skip
def test_what_follows_from_a_verdict(power: float, said: str, words: list[object]) -> None:
    found = next_words(Path("runs/a"), CONFIG, outcome(course(power), unseen=True), said)
    assert found[0] == "orthogan"
    assert all(word in found for word in words)


def test_a_time_budget_is_doubled_in_seconds() -> None:
    config = CONFIG.evolve("budget={seconds: 90}")
    found = next_words(Path("runs/a"), config, outcome(course(0.5), unseen=True), "")
    assert found[-2:] == ["--for", "180s"]


def test_images_in_memory_cannot_be_named_in_a_command() -> None:
    config = CONFIG.evolve("data.source=memory-1a2b")
    found = next_words(Path("runs/a"), config, outcome(course(0.0), True), "Memorising: 60%")
    assert found == ["orthogan", "evaluate", Path("runs/a")]


def test_an_ending_runs_the_schedule_to_its_end_and_not_under_another_budget() -> None:
    ending = Ending()
    assert ending.progress(0.3, 100.0) == 0.3
    ending.begin(0.5, 100.0)
    assert ending.progress(0.5, 100.0) == 0.5
    assert ending.progress(0.5 + 0.5 * ANNEAL_SHARE, 100.0) == pytest.approx(1.0)
    assert ending.progress(0.6, 200.0) == 0.6
    assert Ending(**ending.state()) == ending


def test_an_ending_that_begins_late_ends_with_the_budget() -> None:
    ending = Ending()
    ending.begin(0.98, 100.0)
    assert ending.progress(0.99, 100.0) == pytest.approx(0.99)
    assert ending.progress(1.0, 100.0) == pytest.approx(1.0)
