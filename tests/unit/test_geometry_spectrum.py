import json

import pytest
import torch

from orthogan.geometry.spectra.correlation import (
    content_position_correlation,
    dimension_correlation,
    member_correlation,
    token_correlation,
)
from orthogan.geometry.spectra.estimates import Estimate
from orthogan.geometry.spectra.spectrum import (
    effective_rank,
    isoscore,
    mean_cosine,
    participation_ratio,
    singular_values,
    stable_rank,
)
from orthogan.geometry.spectra.usage import beside_permutations, dimension_usage
from orthogan.rng import stream
from orthogan.statistics import jackknife_interval


def cloud(*shape, seed=0, shift=0.0):
    return torch.from_numpy(stream(seed, "cloud").standard_normal(shape)) + shift


def test_known_ranks():
    assert effective_rank(torch.eye(5)) == pytest.approx(5)
    assert stable_rank(torch.eye(5)) == pytest.approx(5)
    assert participation_ratio(torch.eye(5), centred=False) == pytest.approx(5)
    assert effective_rank(torch.outer(torch.arange(1.0, 5.0), torch.ones(3))) == pytest.approx(1)
    for rank in (effective_rank, stable_rank, participation_ratio):
        assert rank(torch.zeros(4, 3)) == 0


@pytest.mark.parametrize("rank", [effective_rank, stable_rank, participation_ratio])
def test_centring_takes_a_common_mean_away(rank):
    table = cloud(50, 4)
    assert rank(table + 1000, centred=True) == pytest.approx(rank(table, centred=True), rel=1e-9)
    assert rank(table + 1000, centred=False) < 1.1
    assert rank(torch.full((7, 3), 0.1), centred=True) == 0


def test_singular_values_are_float64_and_descend():
    values = singular_values(cloud(9, 4).float())
    assert values.dtype == torch.float64
    assert values.tolist() == sorted(values.tolist(), reverse=True)


def test_a_cloud_away_from_the_origin_is_isotropic_though_its_cosines_are_high():
    table = cloud(2000, 5, shift=10.0)
    assert isoscore(table) > 0.98
    assert mean_cosine(table) > 0.95


def test_a_line_through_the_origin_is_not_isotropic_though_its_cosines_are_zero():
    line = torch.tensor([[1.0, 1.0], [-1.0, -1.0], [2.0, 2.0], [-2.0, -2.0]])
    assert isoscore(line) == pytest.approx(0, abs=1e-12)
    assert mean_cosine(line) == pytest.approx(-1 / 3)


def test_uncorrelated_columns_lie_within_their_null():
    found = dimension_usage(cloud(300, 10))
    for estimate in found.estimates:
        assert estimate.null == pytest.approx(estimate.value, rel=0.1, abs=0.01)
    assert not found.effective_rank.is_beyond_null
    assert found.num_signal <= 1
    assert found.num_signal_permuted == 0
    assert found.notes == ()


@pytest.mark.parametrize("planted", [1, 3])
def test_planted_signals_are_counted(planted):
    signals = cloud(300, planted, seed=1) @ cloud(planted, 20, seed=2)
    found = dimension_usage(4 * signals + cloud(300, 20, seed=3))
    assert (found.num_signal, found.num_signal_permuted) == (planted, planted)
    assert found.effective_rank.value < found.effective_rank.null_low
    assert found.isoscore.value < found.isoscore.null_low


@pytest.mark.parametrize(("rows", "columns"), [(5, 5), (4, 40)])
def test_too_few_samples_carry_a_warning(rows, columns):
    found = dimension_usage(cloud(rows, columns))
    assert f"no rank can exceed {rows - 1}" in found.notes[0]
    assert found.effective_rank.value <= rows - 1
    assert not found.effective_rank.is_beyond_null
    assert beside_permutations("rank", effective_rank, cloud(rows, columns)).notes == found.notes


def test_adversarial_tables_have_a_usage():
    one_column = dimension_usage(cloud(10, 1))
    assert one_column.isoscore is None
    assert one_column.effective_rank.value == pytest.approx(1)
    assert not any(estimate.is_beyond_null for estimate in one_column.estimates)
    assert one_column.num_signal_permuted == 0
    alike = dimension_usage(torch.full((6, 3), 0.1))
    assert "No two rows differ" in alike.notes[0]
    assert (alike.isoscore, alike.num_signal) == (None, 0)
    assert alike.effective_rank.value == 0
    constant = dimension_usage(torch.cat([cloud(9, 2), torch.ones(9, 1)], 1))
    assert constant.notes == ("1 of 3 columns are constant.",)


def test_draws_and_seed_do_something_and_repeat():
    table = cloud(30, 5)
    first = dimension_usage(table)
    assert dimension_usage(table) == first
    assert dimension_usage(table, seed=1).effective_rank.null != first.effective_rank.null
    wider = dimension_usage(table, num_draws=200).effective_rank
    assert wider.null_high > first.effective_rank.null_high
    for kind in (dimension_correlation, member_correlation):
        assert kind(table) == kind(table)
        assert kind(table, seed=1).null != kind(table).null
        assert kind(table, num_draws=200).null_high > kind(table).null_high
    states = cloud(30, 4, 2)
    assert token_correlation(states, seed=1).null != token_correlation(states).null
    assert token_correlation(states, num_draws=9).null != token_correlation(states).null
    pair = (cloud(30, 3), cloud(30, 2, seed=1))
    plain = content_position_correlation(*pair)
    assert content_position_correlation(*pair, seed=1).null != plain.null
    assert content_position_correlation(*pair, num_draws=9).null != plain.null


def test_a_usage_prints_and_is_json():
    found = dimension_usage(cloud(20, 4))
    printed = str(found)
    assert printed.startswith("20 rows x 4 columns\neffective rank ")
    assert "above the Marchenko-Pastur edge" in printed
    read = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert read["effective_rank"]["value"] == found.effective_rank.value
    assert read["isoscore"]["null_low"] <= read["isoscore"]["null_high"]


def test_an_estimate_is_beyond_its_null_only_outside_its_range():
    def at(value):
        return Estimate("x", value, 1.0, 0.5, 1.5).is_beyond_null

    assert [at(0.4), at(0.5), at(1.5 + 1e-12), at(1.6)] == [True, False, False, True]


def test_correlated_dimensions_are_found():
    table = cloud(200, 6)
    found = dimension_correlation(table)
    assert found.value == pytest.approx(199**-0.5, rel=0.4)
    mixed = dimension_correlation(table @ cloud(6, 6, seed=1))
    assert mixed.is_beyond_null
    assert mixed.low < mixed.value < mixed.high
    assert mixed.low > mixed.null_high


def test_members_of_few_clusters_are_correlated():
    clusters = cloud(4, 8, seed=1).repeat(20, 1) + 0.1 * cloud(80, 8)
    assert member_correlation(clusters).low > member_correlation(clusters).null_high
    assert not member_correlation(cloud(80, 8)).is_beyond_null


def test_tokens_that_share_a_factor_are_correlated():
    shared = cloud(60, 1, 5, seed=1)
    found = token_correlation(cloud(60, 4, 5) + 2 * shared)
    assert found.low > found.null_high
    assert found.value == pytest.approx(0.8, abs=0.05)
    assert not token_correlation(cloud(60, 4, 5)).is_beyond_null


def test_correlation_of_tokens_ignores_a_mean_that_depends_on_the_position():
    states = cloud(60, 4, 5)
    moved = states + 50 * cloud(1, 4, 5, seed=1)
    assert token_correlation(moved).value == pytest.approx(token_correlation(states).value)


def test_content_that_follows_position_is_found():
    position = cloud(100, 3)
    follows = position @ cloud(3, 6, seed=1) + 0.5 * cloud(100, 6, seed=2)
    assert content_position_correlation(follows, position).is_beyond_null
    free = content_position_correlation(cloud(100, 6, seed=2), position)
    assert not free.is_beyond_null
    assert content_position_correlation(torch.ones(5, 2), cloud(5, 3)).value == 0


def test_intervals_cover_about_as_often_as_they_claim():
    truth = 0.5
    mix = torch.tensor([[1.0, truth], [0.0, (1 - truth**2) ** 0.5]], dtype=torch.float64)
    hits = 0
    for seed in range(100):
        found = dimension_correlation(cloud(100, 2, seed=seed) @ mix, num_draws=1)
        hits += found.low <= truth <= found.high
    assert 88 <= hits <= 100


def test_too_few_units_have_no_interval():
    assert jackknife_interval(lambda rows: float(rows.mean()), torch.ones(2)) is None
    found = dimension_correlation(cloud(3, 2))
    assert (found.low, found.high) == (None, None)
    assert "[" not in str(found)
