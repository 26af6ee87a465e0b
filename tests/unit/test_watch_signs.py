"""The signs: healthy pairs read about one, planted faults read as what they are."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from orthogan import rng
from orthogan.gan.objectives import DiscriminatorStep
from orthogan.gan.watch.geometry_signs import geometry_signs
from orthogan.gan.watch.judge_signs import JudgeSigns
from orthogan.gan.watch.signs import BURN_IN, Drift, StepSigns, dimension
from orthogan.training.health import KEPT_MILESTONES, Health

ZERO = torch.zeros(())


def smooth(count: int, name: str) -> Tensor:
    """Images whose neighbouring pixels go together."""
    coarse = rng.normal((count, 1, 4, 4), rng.stream(0, name))
    return nn.functional.interpolate(coarse, size=16, mode="bilinear", align_corners=False)


REAL, FAKE = smooth(32, "real"), smooth(32, "fake")


def looked(
    fake: Tensor = FAKE,
    lead: float = 0.0,
    signs: StepSigns | None = None,
    networks: dict[str, nn.Module] | None = None,
    real: Tensor = REAL,
) -> dict[str, float]:
    judged = DiscriminatorStep(ZERO, ZERO, torch.full((32,), lead), torch.zeros(32))
    gradients = {"generator": torch.tensor(0.1), "discriminator": torch.tensor(100.0)}
    players = networks or {"generator": nn.Linear(2, 2), "discriminator": nn.Linear(2, 2)}
    return (signs or StepSigns()).look(real, fake, judged, gradients, players)


def test_a_healthy_pair_reads_about_one() -> None:
    found = looked()
    for sign in ("spread", "dimension", "roughness"):
        assert 0.7 < found[sign] < 1.4
    assert found["win"] == pytest.approx(0.5)
    assert found["lead"] == 0.0
    assert found["data_drift"] == 1.0
    assert found["generator_gradient"] == pytest.approx(-1.0)
    assert found["discriminator_gradient"] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("sign", "fake", "expected"),
    [
        ("spread", 0.1 * FAKE, 0.01),
        ("spread", FAKE[:1].expand(32, -1, -1, -1), 0.0),
        ("dimension", FAKE[:2].repeat(16, 1, 1, 1), 1 / 10),
        ("roughness", rng.normal((32, 1, 16, 16), rng.stream(0, "noise")), 30.0),
    ],
)
def test_planted_faults_of_the_images_are_read(sign: str, fake: Tensor, expected: float) -> None:
    found, healthy = looked(fake)[sign], looked()[sign]
    assert found / healthy == pytest.approx(expected, rel=0.7, abs=1e-9)


def test_a_discriminator_that_wins_is_read() -> None:
    assert looked(lead=8.0)["win"] > 0.99
    assert looked(lead=-8.0)["win"] < 0.01


def test_weights_that_stay_read_zero_and_others_do_not() -> None:
    players: dict[str, nn.Module] = {
        "generator": nn.Linear(3, 3),
        "discriminator": nn.Linear(3, 3),
    }
    signs = StepSigns()
    assert looked(signs=signs, networks=players)["generator_moved"] == 1.0  # nothing to compare
    with torch.no_grad():
        players["discriminator"].weight[0, 0] += 1e-3
    found = looked(signs=signs, networks=players)
    assert found["generator_moved"] == 0.0
    assert found["discriminator_moved"] > 1e-6
    again = StepSigns(**signs.state())
    assert looked(signs=again, networks=players)["discriminator_moved"] == 0.0


def test_a_dead_player_has_a_gradient_of_minus_infinity() -> None:
    judged = DiscriminatorStep(ZERO, ZERO, torch.zeros(32), torch.zeros(32))
    players = {"generator": nn.Linear(2, 2), "discriminator": nn.Linear(2, 2)}
    gradients = {"generator": ZERO, "discriminator": ZERO}
    found = StepSigns().look(REAL, FAKE, judged, gradients, players)
    assert found["generator_gradient"] == -math.inf


def test_dimension_counts_directions() -> None:
    ways = torch.eye(8).reshape(8, 1, 2, 4)
    assert float(dimension(ways)) == pytest.approx(7.0, rel=1e-5)
    assert float(dimension(100 * ways + 3)) == pytest.approx(7.0, rel=1e-4)


def batches(count: int, mean: float, name: str) -> list[list[float]]:
    draws = rng.normal((count, 16), rng.stream(0, name)) + mean
    return [[float(value) for value in row] for row in draws]


def test_a_change_of_the_data_is_read_and_chance_is_not() -> None:
    drift = Drift()
    calm = [drift.observe(row) for row in batches(60, 0.0, "before")]
    assert calm[:BURN_IN] == [1.0] * BURN_IN
    assert max(calm) < 4
    again = Drift(**drift.state())
    after = [drift.observe(row) for row in batches(4, 4.0, "after")]
    assert after == [again.observe(row) for row in batches(4, 4.0, "after")]
    assert min(after[:3]) > 4


class Memory(nn.Module):
    """Finds images real by a shift that it gives to some of them."""

    def __init__(self, known: Tensor) -> None:
        super().__init__()
        self.known = known

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        is_known = torch.tensor([any(torch.equal(x, y) for y in self.known) for x in images])
        return is_known.float() + 0.1 * images.mean((1, 2, 3))


def test_a_memory_of_the_training_images_is_read() -> None:
    unseen = smooth(32, "unseen")
    assert JudgeSigns().look(Memory(REAL), REAL, unseen, FAKE)["overfitting"] > 0.8
    honest = Memory(torch.cat([REAL, unseen]))
    signs = JudgeSigns()
    assert abs(signs.look(honest, REAL, unseen, FAKE)["overfitting"]) < 0.2
    # The means go on where they were.
    again = JudgeSigns(**signs.state())
    assert again.look(honest, REAL, unseen, FAKE) == signs.look(honest, REAL, unseen, FAKE)


def test_signs_of_the_geometry() -> None:
    look = {
        "mode_collapse": 0.5,
        "generator_rank_collapse": None,
        "generator": {
            "attention": {
                "a": {"entropy": [math.log(4), math.log(4)], "bound": [0, 0], "tokens": 4},
                "b": {"entropy": [0.0, math.log(4)], "bound": [0, 0], "tokens": 4},
            }
        },
        "discriminator": {"features": {"real_rank": 0.8, "fake_rank": 0.2}},
    }
    assert geometry_signs(look) == pytest.approx(
        {"mode_collapse": 0.5, "generator_entropy_collapse": 0.5, "dimension_collapse": 0.75}
    )
    assert geometry_signs({"unreadable": "'states' holds NaN"}) == {}


def test_a_healthy_milestone_outlives_those_that_are_not() -> None:
    health = Health(images=100, geometry=40)
    for images in (30, 60, 90, 120, 150, 180, 210):
        health.keep_milestone(images)
    assert health.milestones == [30, 90, *(150, 180, 210)[-KEPT_MILESTONES:]]
    assert health.milestone(geometry_is_suspicious=False) == 90
    assert health.milestone(geometry_is_suspicious=True) == 30
    assert set(health.marks()) == {100, 40, *health.milestones}
    assert Health(**health.state()) == health
    assert Health().milestone(geometry_is_suspicious=False) == 0
