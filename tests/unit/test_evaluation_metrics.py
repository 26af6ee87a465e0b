"""Each metric against numbers that no other metric has, and each threshold from both sides."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from prdc import compute_prdc
from scipy import stats

from orthogan.evaluation import frechet, kernel, modes
from orthogan.evaluation.comparison import Comparison, Sample
from orthogan.evaluation.metrics import METRICS
from orthogan.statistics import Interval, centred_interval, mean_interval, share_interval


def cloud(n: int, width: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


def sample(features: torch.Tensor, classes: torch.Tensor | None = None) -> Sample:
    pixels = torch.zeros(len(features), 1, 28, 28, dtype=torch.uint8)
    if classes is None:
        classes = torch.arange(len(features)) % 10
    return Sample(pixels, features, classes)


@pytest.fixture(scope="module")
def pair() -> Comparison:
    fake, real = sample(0.6 * cloud(400, seed=1) + 0.8), sample(cloud(400))
    return Comparison(fake, real, real, real, 10, seed=0)


def test_each_overlap_metric_is_the_one_of_its_name(pair: Comparison) -> None:
    wanted = compute_prdc(
        pair.reference.features.double().numpy(),
        pair.candidate.features.double().numpy(),
        nearest_k=5,
    )
    values = sorted(wanted.values())
    assert min(np.diff(values)) > 0.01  # no two could be taken for one another
    for name, value in wanted.items():
        found = METRICS[name].compute(pair)
        assert found.value == pytest.approx(float(value), abs=1e-6), name
        assert found.n == 400
        if name != "density":
            assert found.interval == share_interval(found.value, 400)
    assert METRICS["density"].compute(pair).interval == mean_interval(pair.overlap.density)


def test_distances_are_the_ones_of_their_names_with_their_intervals(pair: Comparison) -> None:
    fake, real = pair.candidate.features, pair.reference.features
    found = METRICS["fd"].compute(pair)
    moments = [frechet.moments(rows) for rows in (fake, real)]
    assert found.value == pytest.approx(frechet.frechet_distance(*moments))
    assert found.interval == frechet.frechet_interval(fake, moments[1], found.value, 0)
    found = METRICS["kd"].compute(pair)
    assert (found.value, found.interval) == kernel.kernel_distance(fake, real, 0)


def test_shares_of_classes_are_compared_with_those_of_the_data() -> None:
    classes = torch.arange(1000) % 10
    even, uneven = sample(cloud(1000), classes), sample(cloud(1000), classes.clamp_min(5))
    shares = torch.tensor([0.0] * 5 + [0.6] + [0.1] * 4, dtype=torch.float64)
    data = torch.full((10,), 0.1, dtype=torch.float64)
    estimate = METRICS["class-kl"].compute(Comparison(uneven, even, even, even, 10, 0))
    plain = float(torch.xlogy(shares, shares / data).sum())
    assert estimate.value == pytest.approx(plain - 4 / 2000, abs=1e-9)


def test_the_kernel_interval_is_students_t_over_the_subsets() -> None:
    fake, real = cloud(500, seed=1) + 0.3, cloud(500)
    value, interval = kernel.kernel_distance(fake, real)
    parts = [kernel._subsets(rows, 100, 5, 0) for rows in (fake, real)]
    values = [kernel.squared_discrepancy(*two) for two in zip(*parts, strict=True)]
    low, high = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert value == pytest.approx(np.mean(values))
    assert interval == pytest.approx((low, high), rel=1e-3)
    assert len(torch.cat(parts[0]).unique(dim=0)) == 500  # no picture in two subsets


def test_the_frechet_interval_is_as_wide_as_repeated_measurements_spread() -> None:
    real = frechet.moments(cloud(4000))
    sets = [cloud(500, seed=seed) + 0.5 for seed in range(1, 41)]
    values = [frechet.frechet_distance(frechet.moments(rows), real) for rows in sets]
    ends = [
        frechet.frechet_interval(rows, real, value)
        for rows, value in zip(sets, values, strict=True)
    ]
    widths = [high - low for low, high in ends]
    assert np.mean(widths) == pytest.approx(2 * 1.96 * np.std(values, ddof=1), rel=0.3)
    assert [sum(end) / 2 for end in ends] == pytest.approx(values, abs=0.15 * np.mean(widths))


def test_intervals_are_the_textbook_ones() -> None:
    values = torch.tensor([1.0, 2.0, 3.0, 6.0])
    low, high = mean_interval(values)
    half = stats.t.ppf(0.975, 3) * float(values.double().std()) / 2
    assert (low, high) == pytest.approx((3 - half, 3 + half))
    assert share_interval(0.1, 50) == pytest.approx((0.0434755, 0.2136022), abs=1e-5)
    draws = list(np.linspace(10, 20, 1001))
    assert centred_interval(5.0, draws) == pytest.approx((0.25, 9.75))
    assert centred_interval(5.0, draws, lowest=1.0, highest=6.0) == Interval(1.0, 6.0)


def test_the_interval_of_a_histogram_is_that_of_a_binomial() -> None:
    counts = torch.tensor([300, 700])
    low, high = modes.histogram_interval(lambda row: float(row[0]), counts, seed=0)
    half = 1.96 * math.sqrt(1000 * 0.3 * 0.7)
    assert (low, high) == pytest.approx((300 - half, 300 + half), abs=2.5)


def test_half_a_count_is_added_to_each_class_of_the_data() -> None:
    found = modes.data_shares(torch.tensor([0, 3, 5]))
    assert found.tolist() == pytest.approx([0.5 / 9.5, 3.5 / 9.5, 5.5 / 9.5])
