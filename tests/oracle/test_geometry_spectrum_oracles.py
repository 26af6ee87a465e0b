"""Spectra and correlations against numpy, scipy, closed forms and explicit loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch

from orthogan.geometry.spectra.correlation import (
    column_correlation,
    content_position_correlation,
    row_correlation,
    rv_coefficient,
    token_correlation,
)
from orthogan.geometry.spectra.nulls import marchenko_pastur_edges
from orthogan.geometry.spectra.spectrum import (
    effective_rank,
    isoscore,
    participation_ratio,
    stable_rank,
)
from orthogan.rng import stream


def table(rows, columns, seed=0, shift=0.0):
    source = stream(seed, "oracle")
    mix = source.standard_normal((columns, columns))
    return torch.from_numpy(source.standard_normal((rows, columns)) @ mix + shift)


@pytest.mark.parametrize(("rows", "columns"), [(30, 5), (5, 30), (7, 7), (9, 1), (1, 9)])
def test_ranks_agree_with_their_formulas_in_numpy(rows, columns):
    found = table(rows, columns)
    sigma = np.linalg.svd(found.numpy(), compute_uv=False)
    assert effective_rank(found) == pytest.approx(
        math.exp(scipy.stats.entropy(sigma / sigma.sum())), rel=1e-12
    )
    assert stable_rank(found) == pytest.approx(
        np.linalg.norm(found, "fro") ** 2 / np.linalg.norm(found, 2) ** 2, rel=1e-12
    )


def test_the_participation_ratio_is_that_of_the_covariance():
    found = table(40, 6, shift=100.0)
    covariance = np.cov(found.numpy().T)
    wanted = np.trace(covariance) ** 2 / np.trace(covariance @ covariance)
    assert participation_ratio(found) == pytest.approx(wanted, rel=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_isoscore_agrees_with_the_algorithm_step_by_step(seed):
    points = table(50, 7, seed, shift=2.0).numpy()
    n = points.shape[1]
    centred = points - points.mean(0)
    turned = centred @ np.linalg.svd(centred)[2].T  # principal components
    variances = np.diag(np.cov(turned.T))
    normalised = np.sqrt(n) * variances / np.linalg.norm(variances)
    defect = np.linalg.norm(normalised - np.ones(n)) / np.sqrt(2 * (n - np.sqrt(n)))
    share = (n - defect**2 * (n - np.sqrt(n))) ** 2 / n**2
    wanted = (n * share - 1) / (n - 1)
    assert isoscore(torch.from_numpy(points)) == pytest.approx(wanted, abs=1e-12)


def test_isoscore_of_a_gaussian_nears_that_of_its_covariance():
    variances = np.array([4.0, 1.0, 1.0])
    draws = stream(0, "gaussian").standard_normal((40_000, 3)) * np.sqrt(variances)
    wanted = (6**2 / 18 - 1) / 2
    assert isoscore(torch.from_numpy(draws)) == pytest.approx(wanted, abs=0.01)


def test_the_edges_hold_the_spectrum_of_a_large_uncorrelated_table():
    rows, columns = 2000, 500
    draws = stream(1, "edges").standard_normal((rows, columns))
    values = np.linalg.eigvalsh(np.corrcoef(draws.T))
    low, high = marchenko_pastur_edges(rows - 1, columns)
    assert values.min() == pytest.approx(low, rel=0.06)
    assert values.max() == pytest.approx(high, rel=0.06)


def test_column_and_row_correlations_agree_with_numpy_pair_by_pair():
    found = table(20, 6, shift=3.0)

    def off_diagonal(matrix):
        return math.sqrt(np.mean(matrix[~np.eye(len(matrix), dtype=bool)] ** 2))

    assert column_correlation(found) == pytest.approx(
        off_diagonal(np.corrcoef(found.numpy().T)), rel=1e-10
    )
    moved = found.numpy() - found.numpy().mean(0)
    unit = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    assert row_correlation(found) == pytest.approx(off_diagonal(unit @ unit.T), rel=1e-10)
    assert row_correlation(found.T) == pytest.approx(_rms_of_rows(found.T), rel=1e-10)


def _rms_of_rows(rows):
    moved = rows - rows.mean(0)
    cosines = [
        float(torch.cosine_similarity(moved[i], moved[j], dim=0))
        for i in range(len(rows))
        for j in range(len(rows))
        if i != j
    ]
    return math.sqrt(np.mean(np.square(cosines)))


def test_token_correlation_of_one_column_is_pearson():
    states = table(30, 2)[:, :, None]
    wanted = abs(np.corrcoef(states[:, 0, 0], states[:, 1, 0])[0, 1])
    assert token_correlation(states).value == pytest.approx(wanted, rel=1e-10)


def test_the_null_of_the_rv_coefficient_has_the_mean_of_kazi_aoual():
    content, position = table(25, 4), table(25, 3, seed=1)
    wanted = math.sqrt(participation_ratio(content) * participation_ratio(position)) / 24
    found = content_position_correlation(content, position, num_draws=2000)
    assert found.null == pytest.approx(wanted, rel=0.05)
    squared = np.corrcoef(content[:, 0], position[:, 0])[0, 1] ** 2
    assert rv_coefficient(content[:, :1], position[:, :1]) == pytest.approx(squared, rel=1e-10)
