import math
from functools import partial

import numpy as np
import pytest
import torch

from orthogan.errors import ConfigError
from orthogan.evaluation import modes
from orthogan.evaluation.metrics import METRICS

UNIFORM = modes.uniform_shares(1000)


def draw(n, seed, shares=UNIFORM):
    return torch.from_numpy(np.random.default_rng(seed).multinomial(n, shares.numpy()))


def test_the_floor_of_a_perfect_uniform_generator_is_the_published_0_0193():
    scores = [modes.divergence(draw(26_000, seed), UNIFORM) for seed in range(50)]
    assert np.mean(scores) == pytest.approx(0.0193, abs=3e-4)
    assert np.std(scores) == pytest.approx(0.0008, abs=3e-4)


def test_the_correction_removes_that_floor():
    scores = [modes.corrected_divergence(draw(26_000, seed), UNIFORM) for seed in range(50)]
    assert np.mean(scores) == pytest.approx(0, abs=4e-4)
    counts = draw(26_000, 0)
    gap = modes.divergence(counts, UNIFORM) - modes.corrected_divergence(counts, UNIFORM)
    assert gap == pytest.approx(999 / 52_000)


def test_one_mode_costs_the_logarithm_of_their_number():
    counts = modes.class_counts(torch.full((500,), 7), 1000)
    assert modes.count_modes(counts) == 1
    assert modes.divergence(counts, UNIFORM) == pytest.approx(math.log(1000))


def test_half_the_modes_evenly_cost_the_logarithm_of_two():
    counts = torch.tensor([100] * 500 + [0] * 500)
    assert modes.count_modes(counts) == 500
    assert modes.divergence(counts, UNIFORM) == pytest.approx(math.log(2))


def test_the_correction_counts_the_classes_that_were_seen():
    counts = torch.tensor([50, 50, 0, 0])
    expected = math.log(2) - 1 / 200  # two classes seen, of four
    found = modes.corrected_divergence(counts, modes.uniform_shares(4))
    assert found == pytest.approx(expected, rel=1e-12)


def test_classes_the_data_lacks_cost_a_finite_amount():
    target = modes.data_shares(torch.tensor([100, 0]))
    assert target.sum() == pytest.approx(1)
    assert 1 < modes.divergence(torch.tensor([0, 10]), target) < 10


def test_no_images_are_refused():
    with pytest.raises(ConfigError, match="at least 1 image, got 0"):
        modes.class_counts(torch.empty(0, dtype=torch.int64), 10)


def test_the_interval_holds_the_truth():
    shares = modes.data_shares(torch.arange(1, 11))
    statistic = partial(modes.corrected_divergence, target=modes.uniform_shares(10))
    truth = float((shares * (shares * 10).log()).sum())
    intervals = [
        modes.histogram_interval(statistic, draw(500, seed, shares), seed) for seed in range(30)
    ]
    assert np.mean([low <= truth <= high for low, high in intervals]) > 0.8


def test_the_interval_of_a_mode_count_ends_at_the_number_of_modes():
    counts = draw(6000, 0)
    found = modes.histogram_interval(modes.count_modes, counts, seed=0)
    low, high = METRICS["modes"].within.cut(found, modes.count_modes(counts))
    assert low < high <= 1000
