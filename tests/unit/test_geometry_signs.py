import pytest
import torch

from orthogan.errors import ConfigError, DataError, ShapeError
from orthogan.geometry.collapse.signs import (
    calibrated_rank,
    dimension_reading,
    spectral_reading,
    spread_reading,
)
from orthogan.rng import stream


def cloud(*shape, seed=0):
    return torch.from_numpy(stream(seed, "cloud").standard_normal(shape))


def test_the_calibrated_rank_of_independent_columns_is_one_for_any_number_of_rows():
    for rows, slack in ((6, 0.2), (20, 0.1), (400, 0.01)):
        assert calibrated_rank(cloud(rows, 10)) == pytest.approx(1, abs=slack)
    assert calibrated_rank(torch.ones(5, 3)) == 0


def test_fewer_modes_are_fewer_dimensions():
    real = cloud(200, 12)

    def value(modes):
        return dimension_reading(cloud(modes, 12, seed=1).repeat(200 // modes, 1), real).value

    assert value(2) < value(4) < value(8) < 0.9
    assert value(2) < 0.2
    assert value(200) == pytest.approx(1, abs=0.05)


def test_dimension_readings_obey_their_options():
    real, fake = cloud(60, 6), cloud(3, 6, seed=1).repeat(20, 1)
    assert dimension_reading(fake, real).verdict == "collapsed"
    assert dimension_reading(fake, real, threshold=0.01).verdict == "healthy"
    plain = dimension_reading(fake, real).value
    assert dimension_reading(fake, real, seed=1).value != plain
    assert dimension_reading(fake, real, num_draws=3).value != plain
    with pytest.raises(ConfigError, match="at least 1 draw"):
        dimension_reading(fake, real, num_draws=0)


def test_sets_of_unequal_length_are_compared_at_the_shorter():
    real = cloud(500, 30)
    assert dimension_reading(real[:20], real).value == 1
    assert dimension_reading(real, real[:20]).value == 1


def test_dead_fakes_are_read_as_collapsed_and_dead_references_refused():
    real = cloud(8, 3)
    assert dimension_reading(torch.zeros(8, 3), real).verdict == "collapsed"
    with pytest.raises(DataError, match="'real' needs two rows that differ"):
        dimension_reading(real, torch.zeros(8, 3))
    with pytest.raises(ShapeError, match="at least 2 rows to have a variance, got 1"):
        calibrated_rank(real[:1])


def test_lost_directions_of_a_weight():
    healthy = spectral_reading(cloud(32, 64))
    assert (healthy.value, healthy.null, healthy.verdict) == (0, 0, "healthy")
    narrow = cloud(32, 4) @ cloud(4, 64, seed=1)
    assert spectral_reading(narrow).value == 28 / 32
    assert spectral_reading(narrow).verdict == "collapsed"
    assert spectral_reading(narrow, threshold=0.9).verdict == "healthy"
    assert spectral_reading(narrow.reshape(32, 4, 4, 4)).value == 28 / 32


def test_the_null_of_a_square_weight_is_the_quarter_circle():
    nulls = [spectral_reading(torch.eye(100), seed=seed).null for seed in range(30)]
    # 2 / pi (x sqrt(1 - x^2) + asin x) at x = 0.01
    assert sum(nulls) / len(nulls) == pytest.approx(0.0127, abs=0.004)
    assert len(set(nulls)) > 1


def test_one_image_has_no_spread():
    real = cloud(8, 1, 4, 4)
    dead = spread_reading(torch.ones(8, 1, 4, 4), real, threshold=0.02)
    assert (dead.value, dead.verdict) == (0, "collapsed")
    half = spread_reading(0.5 * real, real, threshold=0.02)
    assert (half.value, half.verdict) == (pytest.approx(0.25), "healthy")
    assert spread_reading(0.5 * real, real, threshold=0.3).verdict == "collapsed"
    wanted = cloud(6, 5).var(0).mean() / cloud(8, 5, seed=1).var(0).mean()
    assert spread_reading(cloud(6, 5), cloud(8, 5, seed=1), 0.1).value == pytest.approx(
        float(wanted)
    )


@pytest.mark.parametrize(
    ("fake", "real", "message"),
    [
        (torch.ones(4), torch.ones(4, 2), "'fake' needs the axes"),
        (torch.ones(4, 3), torch.ones(4, 2), "same number of pixels, got 3 and 2"),
        (torch.ones(1, 2), torch.eye(2), "'fake' needs at least 2 images"),
        (torch.eye(2), torch.ones(1, 2), "'real' needs at least 2 images"),
    ],
)
def test_spreads_that_cannot_be_compared_are_refused(fake, real, message):
    with pytest.raises(ShapeError, match=message):
        spread_reading(fake, real, 0.1)


def test_a_dead_reference_has_no_spread_to_compare_with():
    with pytest.raises(DataError, match="'real' needs two images that differ"):
        spread_reading(torch.eye(2), torch.ones(4, 2), 0.1)
