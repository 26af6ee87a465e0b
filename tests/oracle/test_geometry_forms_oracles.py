"""Forms, chains, bounds and decompositions against brute force and other people's solvers."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
import scipy.stats
import torch

from orthogan.geometry import (
    analyze_heads,
    attention_entropy,
    effective_rank,
    entropy_bound,
    four_terms,
    stable_rank,
    two_collapses,
)
from orthogan.geometry.heads import largest_share, reversible_chain
from orthogan.rng import stream


def cloud(*shape, seed=0):
    return torch.from_numpy(stream(seed, "cloud").standard_normal(shape))


@pytest.mark.parametrize("seed", range(3))
def test_the_signature_is_that_of_the_symmetric_part_in_numpy(seed):
    query, key = cloud(1, 6, 4, seed=seed), cloud(1, 6, 4, seed=seed + 9)
    found = analyze_heads(query, key).heads[0]
    form = (query[0] @ key[0].T).numpy()
    values = np.linalg.eigvalsh((form + form.T) / 2)
    assert found.positive == (values > 1e-10).sum()
    assert found.negative == (values < -1e-10).sum()
    assert found.rank == np.linalg.matrix_rank(form)


def test_the_nearest_positive_form_agrees_with_a_polar_decomposition():
    form = cloud(1, 5, 5)
    found = analyze_heads(form, torch.eye(5)[None]).heads[0]
    even = ((form[0] + form[0].T) / 2).numpy()
    polar = scipy.linalg.polar(even)[1]  # Higham 1988: the nearest is (even + polar) / 2
    wanted = np.linalg.norm(form[0].numpy() - (even + polar) / 2) ** 2
    assert found.tied_defect == pytest.approx(wanted / float(form.square().sum()), rel=1e-10)


def test_the_value_defect_is_that_of_least_squares():
    query, key, value = cloud(1, 6, 3), cloud(1, 6, 3, seed=1), cloud(1, 6, 2, seed=2)
    form = (query[0] @ key[0].T).numpy()
    best = np.linalg.lstsq(value[0].numpy(), form.T, rcond=None)[0]
    lost = np.linalg.norm(form - best.T @ value[0].numpy().T) ** 2 / np.linalg.norm(form) ** 2
    found = analyze_heads(query, key, value).heads[0]
    assert found.value_defect == pytest.approx(lost, rel=1e-10)


def test_the_stationary_shares_are_those_of_a_long_walk():
    states = cloud(5, 3)
    weights = (states @ states.T).softmax(1)
    walked = torch.linalg.matrix_power(weights, 4096)[0]
    chain = reversible_chain(states @ states.T)
    assert chain.stationary == pytest.approx(walked.tolist(), abs=1e-9)


def test_the_four_terms_agree_with_loops():
    content, position, form = cloud(2, 3, 4), cloud(3, 4, seed=1), cloud(1, 4, 4, seed=2)
    found = four_terms(content, position, form, scale=0.5)
    for b, s, t in itertools.product(range(2), range(3), range(3)):
        c, d, p, q = content[b, s], content[b, t], position[s], position[t]
        wanted = [0.5 * float(x @ form[0] @ y) for x in (c, p) for y in (d, q)]
        terms = (
            found.content_content,
            found.content_position,
            found.position_content,
            found.position_position,
        )
        assert [float(term[b, 0, s, t]) for term in terms] == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(("norm", "tokens"), [(0.5, 3), (2.0, 3), (1.0, 5), (4.0, 5), (3.0, 8)])
def test_no_search_finds_less_entropy_than_the_bound(norm, tokens):
    def entropy(point):
        row = point - point.mean()
        row = norm * row / max(np.linalg.norm(row), 1e-12)
        return scipy.stats.entropy(np.exp(row - scipy.special.logsumexp(row)))

    starts = stream(0, "starts").standard_normal((12, tokens))
    lowest = min(scipy.optimize.minimize(entropy, start).fun for start in starts)
    assert lowest == pytest.approx(entropy_bound(norm, tokens), abs=1e-6)
    assert lowest >= entropy_bound(norm, tokens) - 1e-9


def test_entropies_agree_with_scipy():
    weights = cloud(4, 3, 7).softmax(-1)
    wanted = scipy.stats.entropy(weights.numpy(), axis=-1)
    np.testing.assert_allclose(attention_entropy(weights), wanted, rtol=1e-12)


def test_the_strongest_share_is_one_over_the_stable_rank():
    form = cloud(6, 6)
    assert largest_share(form) == pytest.approx(1 / stable_rank(form), rel=1e-12)
    assert effective_rank(form) <= 6


def test_the_shares_agree_with_two_way_analysis_of_variance():
    states = cloud(7, 4, 1) + 2 * cloud(7, 1, 1, seed=1) + cloud(1, 4, 1, seed=2)
    table = states[:, :, 0].numpy()
    found = two_collapses(states)
    # The one-way F statistics of scipy hold the same sums of squares.
    by_token = scipy.stats.f_oneway(*table.T).statistic
    between = found.position_energy / 3
    within = (found.context_energy + found.residual_energy) / (28 - 4)
    assert by_token == pytest.approx(between / within, rel=1e-10)
    by_image = scipy.stats.f_oneway(*table).statistic
    between = found.context_energy / 6
    within = (found.position_energy + found.residual_energy) / (28 - 7)
    assert by_image == pytest.approx(between / within, rel=1e-10)
    assert found.total_energy == pytest.approx(table.var() * 28, rel=1e-12)


def test_null_shares_are_the_mean_over_independent_states():
    shares = np.array([two_collapses(cloud(3, 4, 2, seed=seed)).shares for seed in range(2000)])
    null = two_collapses(cloud(3, 4, 2)).null_shares
    error = shares.std(0) / math.sqrt(len(shares))
    assert np.all(np.abs(shares.mean(0) - null) < 4 * error)
