"""Ranks, isotropy and correlations: identities that hold for every table."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from orthogan.geometry.spectra.correlation import (
    column_correlation,
    row_correlation,
    rv_coefficient,
)
from orthogan.geometry.spectra.spectrum import (
    effective_rank,
    isoscore,
    mean_cosine,
    participation_ratio,
    stable_rank,
)
from orthogan.rng import stream

SLACK = 1e-9


@st.composite
def tables(draw: st.DrawFn, least_rows: int = 1, least_columns: int = 1) -> Tensor:
    """Full, rank-deficient, repeated, constant, huge, tiny and shifted tables."""
    rows, columns = draw(st.integers(least_rows, 12)), draw(st.integers(least_columns, 8))
    source = stream(draw(st.integers(0, 10**6)), "table")
    rank = draw(st.integers(0, min(rows, columns)))
    table = source.standard_normal((rows, rank)) @ source.standard_normal((rank, columns))
    table = table * 10.0 ** draw(st.integers(-150, 150)) + draw(st.sampled_from([0.0, 1.0, -1e6]))
    if draw(st.booleans()):
        table[:] = table[source.integers(0, rows, rows)]
    return torch.from_numpy(table)


def rotation(width: int, seed: int) -> Tensor:
    square = torch.from_numpy(stream(seed, "rotation").standard_normal((width, width)))
    return torch.linalg.qr(square)[0]


@settings(deadline=None, max_examples=80)
@given(tables())
def test_ranks_lie_between_one_and_the_rank_and_in_order(table: Tensor) -> None:
    limit = int(torch.linalg.matrix_rank(table / table.abs().max().clamp_min(1e-300)))
    found = effective_rank(table), participation_ratio(table, centred=False), stable_rank(table)
    if not bool(table.any()):
        assert found == (0, 0, 0)
        return
    assert all(1 - SLACK <= one <= limit * (1 + 1e-6) for one in found)
    assert found[2] <= found[1] + SLACK
    assert found[1] <= found[0] + SLACK


@settings(deadline=None, max_examples=60)
@given(tables(), st.floats(1e-3, 1e3), st.integers(0, 99))
def test_ranks_see_neither_scale_nor_rotation(table: Tensor, scale: float, seed: int) -> None:
    turned = scale * table @ rotation(table.shape[1], seed)
    for rank in (effective_rank, stable_rank):
        assert rank(turned) == pytest.approx(rank(table), rel=1e-7)
    assert participation_ratio(turned, centred=False) == pytest.approx(
        participation_ratio(table, centred=False), rel=1e-7
    )


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 9), st.integers(1, 9), st.floats(1e-9, 1e9))
def test_isoscore_is_linear_in_the_number_of_dimensions_used(
    width: int, used: int, scale: float
) -> None:
    used = min(used, width)
    axes = scale * torch.eye(width, dtype=torch.float64)[:used]
    found = isoscore(torch.cat([axes, -axes]))
    assert found == pytest.approx((used - 1) / (width - 1), abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(2, 30),
    st.integers(2, 8),
    st.integers(0, 10**6),
    st.floats(-1e3, 1e3),
    st.floats(1e-3, 1e3),
)
def test_isoscore_sees_neither_mean_nor_scale_nor_rotation_and_is_the_participation_ratio(
    rows: int, columns: int, seed: int, shift: float, scale: float
) -> None:
    table = torch.from_numpy(stream(seed, "iso").standard_normal((rows, columns)))
    found = isoscore(table)
    assert 0 <= found <= 1
    assert isoscore(scale * table @ rotation(columns, seed) + shift) == pytest.approx(
        found, abs=1e-7
    )
    ratio = participation_ratio(table)
    assert found == pytest.approx((ratio - 1) / (columns - 1), abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(tables(least_rows=2))
def test_mean_cosine_is_the_mean_over_all_pairs(table: Tensor) -> None:
    largest = table.abs().amax(1, keepdim=True).clamp_min(1e-300)
    unit = torch.nn.functional.normalize(table / largest, dim=1)
    count = len(table)
    pairs = [float(unit[i] @ unit[j]) for i in range(count) for j in range(count) if i != j]
    assert mean_cosine(table) == pytest.approx(math.fsum(pairs) / len(pairs), abs=1e-12)


@settings(deadline=None, max_examples=80)
@given(tables(least_rows=3, least_columns=2))
def test_correlations_are_shares_and_total_where_everything_lies_on_a_line(table: Tensor) -> None:
    assert 0 <= column_correlation(table) <= 1
    assert 0 <= row_correlation(table) <= 1
    assert 0 <= rv_coefficient(table, table.flip(1)) <= 1 + SLACK
    line = torch.outer(torch.arange(5.0, dtype=torch.float64), table[0])
    if bool((table[0].abs() > 1e-140).all()):
        assert column_correlation(line) == pytest.approx(1, abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(st.integers(3, 9), st.integers(1, 5), st.integers(0, 10**6))
def test_a_turned_and_scaled_copy_is_fully_correlated(rows: int, width: int, seed: int) -> None:
    table = torch.from_numpy(stream(seed, "copy").standard_normal((rows, width)))
    copy = 3 * table @ rotation(width, seed) + 5
    assert rv_coefficient(table, copy) == pytest.approx(1, abs=1e-9)
