import numpy as np
import pytest
import torch

from orthogan.errors import ConfigError, DataError, ShapeError
from orthogan.evaluation.frechet import (
    Moments,
    frechet_distance,
    frechet_interval,
    moments,
)
from orthogan.evaluation.kernel import kernel_distance, squared_discrepancy
from orthogan.statistics import centred_interval, mean_interval, share_interval


def cloud(n, width=8, seed=0, shift=0.0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, width, generator=generator) * scale + shift


def test_moments_are_those_of_numpy():
    rows = cloud(50)
    found = moments(rows)
    np.testing.assert_allclose(found.mean, rows.double().mean(0), atol=1e-14)
    np.testing.assert_allclose(found.covariance, np.cov(rows.double().numpy().T), atol=1e-13)
    assert found.n == 50
    assert found.covariance.dtype == torch.float64


def test_the_frechet_distance_of_a_set_to_itself_is_zero():
    found = moments(cloud(100))
    assert frechet_distance(found, found) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(found, found) >= 0


def test_the_frechet_distance_is_symmetric_and_grows_with_the_shift():
    real = moments(cloud(400))
    near, far = moments(cloud(400, seed=1, shift=0.5)), moments(cloud(400, seed=1, shift=1.0))
    assert frechet_distance(near, real) == pytest.approx(frechet_distance(real, near), rel=1e-10)
    assert frechet_distance(far, real) > frechet_distance(near, real) + 4


def test_a_collapsed_set_is_as_far_as_the_spread_it_lacks():
    real = moments(cloud(1000))
    collapsed = moments(real.mean.float().expand(1000, -1))
    assert frechet_distance(collapsed, real) == pytest.approx(
        float(real.covariance.trace()), rel=1e-6
    )


def test_too_few_images_are_refused():
    with pytest.raises(ConfigError, match="needs at least 16 images, got 15"):
        moments(cloud(15))
    assert moments(cloud(16)).n == 16


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_features_that_are_not_finite_are_refused(bad):
    rows = cloud(40)
    rows[3, 2] = bad
    with pytest.raises(DataError, match="NaN or infinite"):
        moments(rows)


def test_different_widths_are_refused():
    with pytest.raises(ShapeError, match="4 != 8"):
        frechet_distance(moments(cloud(40, width=4)), moments(cloud(40)))
    with pytest.raises(ShapeError, match="4 != 8"):
        squared_discrepancy(cloud(40, width=4), cloud(40))


def test_a_negative_distance_beyond_rounding_is_an_error_not_zero():
    eye = torch.eye(2, dtype=torch.float64)
    zero = torch.zeros(2, dtype=torch.float64)
    broken = Moments(zero, torch.diag(torch.tensor([4.0, -4.0], dtype=torch.float64)), 9)
    with pytest.raises(ArithmeticError, match="negative"):
        frechet_distance(broken, Moments(zero, eye, 9))


def test_the_frechet_interval_holds_the_mean_of_repeated_measurements():
    real = Moments(torch.zeros(4, dtype=torch.float64), torch.eye(4, dtype=torch.float64), 9)
    sets = [cloud(400, width=4, seed=seed, shift=0.3) for seed in range(40)]
    values = [frechet_distance(moments(rows), real) for rows in sets]
    intervals = [
        frechet_interval(rows, real, value) for rows, value in zip(sets, values, strict=True)
    ]
    holds = [low <= np.mean(values) <= high for low, high in intervals]
    assert np.mean(holds) > 0.85
    assert all(low < value < high for value, (low, high) in zip(values, intervals, strict=True))


def test_the_frechet_interval_is_a_function_of_the_seed():
    real, rows = moments(cloud(100)), cloud(100, seed=1)
    assert frechet_interval(rows, real, 1.0, seed=3) == frechet_interval(rows, real, 1.0, seed=3)
    assert frechet_interval(rows, real, 1.0, seed=3) != frechet_interval(rows, real, 1.0, seed=4)


def test_the_kernel_distance_of_the_same_law_has_zero_in_its_interval():
    value, (low, high) = kernel_distance(cloud(3000), cloud(3000, seed=1))
    assert low < 0 < high
    assert low < value < high


def test_the_kernel_distance_sees_shift_and_collapse():
    real = cloud(1000)
    for fake in (cloud(1000, seed=1, shift=0.5), cloud(1000, seed=1, scale=0.1)):
        value, (low, _) = kernel_distance(fake, real)
        assert 0 < low < value


def test_the_kernel_distance_needs_a_hundred_images():
    with pytest.raises(ConfigError, match="at least 100 images in both sets, got 99"):
        kernel_distance(cloud(99), cloud(500))
    kernel_distance(cloud(100), cloud(500))


def test_a_share_interval_stays_inside_zero_and_one():
    for n in (1, 10, 10_000):
        for share in (0.0, 0.5, 1.0):
            low, high = share_interval(share, n)
            assert 0 <= low <= share <= high <= 1
            assert low < high


def test_a_mean_interval_shrinks_with_the_root_of_n():
    few, many = mean_interval(cloud(100).flatten()), mean_interval(cloud(10_000).flatten())
    assert (few.high - few.low) / (many.high - many.low) == pytest.approx(10, rel=0.1)


def test_a_centred_interval_holds_the_value_and_keeps_its_bounds():
    low, high = centred_interval(0.01, [0.5, 0.6, 0.7], lowest=0.0)
    assert 0 <= low <= 0.01 <= high
