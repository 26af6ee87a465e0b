"""Heads, tied queries, four terms and entropy: identities that hold for every form."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from orthogan.geometry.heads.entropy import attention_entropy, entropy_bound, extremal_logits
from orthogan.geometry.heads.forms import (
    change_of_basis,
    head_forms,
    keys_from_values,
    keys_from_values_defect,
    misalignment,
)
from orthogan.geometry.heads.keys import analyze_heads
from orthogan.geometry.heads.logits import cross_terms_vanish, four_terms
from orthogan.geometry.heads.tied import previous_token, reversible_chain
from orthogan.rng import stream

seeds = st.integers(0, 10**6)
widths = st.integers(1, 7)
EXACT = {"rtol": 0, "atol": 1e-12}


def draw(seed: int, name: str, *shape: int) -> Tensor:
    return torch.from_numpy(stream(seed, name).standard_normal(shape))


@settings(deadline=None, max_examples=50)
@given(widths, widths, seeds, st.sampled_from([1.0, 1e-90, 1e90]))
def test_the_energy_of_a_form_is_that_of_its_two_halves(
    width: int, key: int, seed: int, scale: float
) -> None:
    query, keys = scale * draw(seed, "q", 1, width, key), draw(seed, "k", 1, width, key)
    head = analyze_heads(query, keys).heads[0]
    assert head.symmetric + head.antisymmetric == pytest.approx(1, abs=1e-12)
    assert head.rank == min(width, key)
    assert head.positive + head.negative <= min(width, 2 * key)
    assert head.antisymmetric <= head.tied_defect <= 1 + 1e-12
    assert head.norm == pytest.approx(float((query[0] / scale @ keys[0].T).norm()) * scale)


@settings(deadline=None, max_examples=50)
@given(widths, seeds)
def test_the_tied_defect_is_the_distance_to_the_nearest_tied_form(width: int, seed: int) -> None:
    form = draw(seed, "form", width, width)
    head = analyze_heads(form[None], torch.eye(width, dtype=torch.float64)[None]).heads[0]
    energy = float(form.square().sum())
    for other in range(5):
        root = draw(other, "tied", width, width)
        tied = root @ root.T
        best = max(float((form * tied).sum() / tied.square().sum()), 0.0) * tied
        assert float((form - best).square().sum()) / energy >= head.tied_defect - 1e-12
    values, vectors = torch.linalg.eigh((form + form.T) / 2)
    nearest = vectors * values.clamp_min(0) @ vectors.T
    reached = float((form - nearest).square().sum()) / energy
    assert reached == pytest.approx(head.tied_defect, abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(widths, st.integers(1, 7), seeds)
def test_tied_queries_give_a_change_of_basis_and_direction_or_repulsion_none(
    width: int, key: int, seed: int
) -> None:
    weights = draw(seed, "w", 1, width, key)
    form = head_forms(weights, weights)[0]
    basis = change_of_basis(form)
    assert basis is not None
    x, y = draw(seed, "x", 5, width), draw(seed, "y", 5, width)
    torch.testing.assert_close((x @ basis.T) @ (y @ basis.T).T, x @ form @ y.T, rtol=0, atol=1e-9)
    head = analyze_heads(weights, weights).heads[0]
    assert head.is_change_of_basis == (key >= width)
    assert (int(torch.linalg.matrix_rank(basis)) == width) == head.is_change_of_basis
    assert head.tied_defect == pytest.approx(0, abs=1e-20)
    assert change_of_basis(-form) is None
    if width > 1:
        turn = torch.zeros(width, width, dtype=torch.float64)
        turn[0, 1], turn[1, 0] = 1, -1
        assert change_of_basis(form + turn) is None


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 8), st.integers(1, 6), seeds)
def test_keys_come_from_values_iff_the_rows_of_the_form_lie_among_the_values(
    width: int, key: int, value: int, tokens: int, seed: int
) -> None:
    form = head_forms(draw(seed, "q", 1, width, key), draw(seed, "k", 1, width, key))[0]
    values = draw(seed, "v", width, value)
    found = keys_from_values(form, values)
    # Random spaces of dimensions key and value: one contains the other iff values fill the width.
    assert (found is not None) == (value >= width)
    inside = form @ values @ torch.linalg.pinv(values)
    made = keys_from_values(inside, values)
    assert made is not None
    states = draw(seed, "x", tokens, width)
    torch.testing.assert_close(
        states @ made @ values.T @ states.T, states @ inside @ states.T, rtol=1e-7, atol=1e-9
    )
    lost = float((form - inside).square().sum() / form.square().sum())
    assert keys_from_values_defect(form, values) == pytest.approx(lost, abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 6), seeds, st.floats(1e-6, 1e6))
def test_the_whitening_defect_is_zero_iff_the_form_is_an_inverse_covariance(
    width: int, seed: int, scale: float
) -> None:
    root = draw(seed, "root", width, width) + 3 * torch.eye(width, dtype=torch.float64)
    covariance = root @ root.T
    eye = torch.eye(width, dtype=torch.float64)[None]
    inverse = scale * torch.linalg.inv(covariance)[None]
    white = analyze_heads(inverse, eye, covariance=covariance).heads[0]
    assert white.whitening_defect == pytest.approx(0, abs=1e-12)
    away = analyze_heads(-inverse, eye, covariance=covariance).heads[0]
    assert away.whitening_defect == 1
    other = draw(seed, "other", width, width)
    cosine = float((other * inverse[0]).sum() / other.norm() / inverse.norm())
    assert misalignment(other, inverse[0]) == pytest.approx(1 - max(cosine, 0) ** 2, abs=1e-12)


@settings(deadline=None, max_examples=50)
@example(tokens=6, width=1, seed=342, scale=30.0)
@given(st.integers(1, 8), st.integers(1, 8), seeds, st.sampled_from([0.1, 1.0, 30.0]))
def test_tied_attention_is_a_reversible_chain_with_a_spectrum_from_0_to_1(
    tokens: int, width: int, seed: int, scale: float
) -> None:
    states = scale * draw(seed, "x", tokens, width)
    chain = reversible_chain(states @ states.T)
    weights = (states @ states.T).softmax(1)
    stationary = torch.tensor(chain.stationary, dtype=torch.float64)
    torch.testing.assert_close(stationary @ weights, stationary, rtol=0, atol=1e-9)
    assert chain.balance_error < 1e-9
    assert chain.is_positive
    assert chain.spectrum[0] == pytest.approx(1, abs=1e-9)
    assert chain.spectrum[-1] >= -1e-9
    # LAPACK's iteration does not end on weights of 1e-200 (tokens 6, width 1, seed 342, scale 30).
    plain = torch.linalg.eigvals(weights.where(weights > 1e-100, 0.0))
    assert float(plain.imag.abs().max()) < 1e-5
    wanted = plain.real.sort(descending=True).values
    torch.testing.assert_close(
        torch.tensor(chain.spectrum, dtype=torch.float64), wanted, rtol=0, atol=1e-5
    )


@settings(deadline=None, max_examples=50)
@given(st.integers(3, 9), seeds)
def test_symmetric_logits_never_make_a_cyclic_previous_token_head(n: int, seed: int) -> None:
    logits = 5 * draw(seed, "logits", n, n)
    logits = logits + logits.T
    cyclic = previous_token(logits, cyclic=True)
    assert not cyclic.is_previous_token_head
    assert cyclic.mean_lead == pytest.approx(0, abs=1e-12)
    chain = previous_token(logits)
    assert chain.range >= (n - 1) * chain.margin - 1e-12
    offsets = (torch.arange(n)[:, None] - torch.arange(n)).abs()
    assert not previous_token(draw(seed, "by offset", n)[offsets]).is_previous_token_head


@settings(deadline=None, max_examples=40)
@given(st.integers(3, 9), st.floats(0.01, 100))
def test_symmetric_logits_make_an_open_one_at_exactly_the_price(n: int, margin: float) -> None:
    steps = torch.arange(n - 1, 0, -1, dtype=torch.float64)
    logits = margin * (torch.diag(steps, -1) + torch.diag(steps, 1))
    found = previous_token(logits)
    assert found.margin == pytest.approx(margin)
    assert found.range == pytest.approx((n - 1) * margin)
    assert not previous_token(logits, cyclic=True).is_previous_token_head


@settings(deadline=None, max_examples=40)
@given(st.integers(3, 9), seeds)
def test_tied_queries_make_an_open_one_only_with_falling_lengths(n: int, seed: int) -> None:
    lengths = 3.0 ** -torch.arange(n, dtype=torch.float64)
    angles = torch.eye(n, dtype=torch.float64)
    neighbours = torch.arange(n - 1)
    angles[neighbours, neighbours + 1] = angles[neighbours + 1, neighbours] = 0.5
    logits = lengths[:, None] * angles * lengths
    assert reversible_chain(logits).is_positive
    assert previous_token(logits).is_previous_token_head
    states = torch.nn.functional.normalize(draw(seed, "x", n, n), dim=1)
    assert (states @ states.T).argmax(1).tolist() == list(range(n))


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 3), st.integers(1, 6), widths, st.integers(1, 3), seeds, st.floats(0.01, 10))
def test_the_four_terms_add_up_to_the_logits(
    images: int, tokens: int, width: int, heads: int, seed: int, scale: float
) -> None:
    content, position = draw(seed, "c", images, tokens, width), draw(seed, "p", tokens, width)
    forms = draw(seed, "form", heads, width, width)
    found = four_terms(content, position, forms, scale)
    states = (content + position)[:, None]
    logits = scale * states @ forms @ states.transpose(-1, -2)
    size = float(logits.abs().max())
    torch.testing.assert_close(found.logits, logits, rtol=0, atol=1e-12 * max(size, 1))
    if tokens > 1:
        ones = torch.ones(heads, dtype=torch.float64)
        torch.testing.assert_close(found.shares.sum(1), ones, **EXACT)
        centred = logits - logits.mean(-1, keepdim=True)
        total = found.energies.sum(1) * (1 + found.interference)
        torch.testing.assert_close(total, centred.square().mean(dim=(0, 2, 3)), rtol=1e-9, atol=0)


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 4), seeds)
def test_cross_terms_vanish_iff_the_form_says_so(width: int, seed: int) -> None:
    tokens = torch.cat([draw(seed, "e", 5, width), torch.zeros(5, width)], 1)
    places = torch.cat([torch.zeros(3, width), draw(seed, "p", 3, width)], 1)
    mixed = draw(seed, "form", 1, 2 * width, 2 * width)
    apart = mixed.clone()
    apart[:, :width, width:] = apart[:, width:, :width] = 0
    one_way = mixed.clone()
    one_way[:, :width, width:] = 0
    forms = torch.cat([apart, mixed, one_way])
    assert cross_terms_vanish(tokens, places, forms) == (True, False, False)
    # In another basis tokens and places are no longer at right angles, and still never meet.
    basis = draw(seed, "basis", 2 * width, 2 * width) + 4 * torch.eye(2 * width)
    inverse = torch.linalg.inv(basis)
    moved = (inverse @ apart[0] @ inverse.T)[None]
    assert float((tokens @ basis @ (places @ basis).T).abs().max()) > 1e-6
    assert cross_terms_vanish(tokens @ basis, places @ basis, moved) == (True,)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 12), seeds, st.floats(0, 60))
def test_no_row_of_logits_has_less_entropy_than_the_bound(
    tokens: int, seed: int, norm: float
) -> None:
    bound = entropy_bound(norm, tokens)
    assert 0 <= bound <= math.log(tokens) + 1e-12
    rows = draw(seed, "rows", 40, tokens)
    rows = rows - rows.mean(1, keepdim=True)
    rows = norm * torch.nn.functional.normalize(rows, dim=1)
    assert float(attention_entropy(rows.softmax(1)).min()) >= bound - 1e-12
    extremal = extremal_logits(norm, tokens)
    assert float(extremal.sum()) == pytest.approx(0, abs=1e-12 * (1 + norm))
    if tokens > 1:
        assert float(extremal.norm()) == pytest.approx(norm, abs=1e-12 * (1 + norm))
    reached = float(attention_entropy(extremal.softmax(0)))
    assert reached == pytest.approx(bound, abs=1e-12)
