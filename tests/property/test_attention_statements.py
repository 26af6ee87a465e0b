"""What is true of attention whatever its weights: keys, forms, two orders, symmetry.

All in float64 to 1e-12, on weights and tokens that hypothesis draws.
"""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from orthogan.attention import (
    Attention,
    Rotary,
    UntiedPositions,
    apply_attention,
    attention_weights,
    grid_coordinates,
    order_costs,
    score_names,
)
from orthogan.attention.keys import DualKeys, WhitenedKeys
from orthogan.geometry import whiten
from orthogan.rng import initialization, stream

QUICK = settings(max_examples=12, deadline=None, derandomize=True)
SEEDS, SIZES = st.integers(0, 10**6), st.integers(1, 5)
SCORES = st.sampled_from(score_names())


def draw(seed: int, *shape: int, counter: int = 0) -> torch.Tensor:
    return torch.from_numpy(stream(seed, "statements", counter).standard_normal(shape))


def layer(seed: int, width: int, heads: int, **options: object) -> Attention:
    with initialization(seed, "layer"):
        return Attention(width, heads, **options).double()  # type: ignore[arg-type]


def close(left: torch.Tensor, right: torch.Tensor, scale: float = 1.0) -> None:
    torch.testing.assert_close(left, right, rtol=0, atol=1e-12 * scale)


def set_weight(linear: nn.Linear, *parts: torch.Tensor) -> None:
    with torch.no_grad():
        linear.weight.copy_(torch.cat(parts))


@torch.no_grad()
def logits(attention: Attention, tokens: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
    """The products of queries and keys: the weights of score "none" times the number of keys."""
    assert attention.score == "none"
    return attention.weights(tokens, context) * context.shape[1]


def form(attention: Attention) -> torch.Tensor:
    """The bilinear form of each head, `N D D`, of a layer with learned keys."""
    query = attention.query.weight.unflatten(0, (attention.heads, -1))
    key = attention.key_value.weight[: attention.key_size].unflatten(0, (attention.heads, -1))
    return (query.transpose(-1, -2) @ key).detach()


# Frames, whitening and keys


@QUICK
@given(SEEDS, SIZES)
def test_dual_keys_are_coordinates_in_the_frame_of_the_keys(seed: int, size: int) -> None:
    """With fewer keys than dimensions, products with the dual basis are coordinates."""
    attention = layer(seed, 8, 1, score="none", keys=partial(DualKeys, ridge=1e-9))
    set_weight(attention.query, torch.eye(8, dtype=torch.float64))
    set_weight(attention.key_value, torch.eye(8).double(), torch.eye(8).double())
    frame = torch.eye(size, 8, dtype=torch.float64) + 0.2 * draw(seed, size, 8)
    known = draw(seed, 3, size, counter=1)
    with torch.no_grad():
        found = attention.weights((known @ frame)[None], frame[None])[0, 0]
    torch.testing.assert_close(found, known, rtol=0, atol=1e-6)  # the ridge is not quite zero


@QUICK
@given(SEEDS)
def test_whitened_keys_and_queries_measure_the_mahalanobis_product(seed: int) -> None:
    tokens = draw(seed, 40, 6) @ draw(seed, 6, 6, counter=1)
    kind = partial(WhitenedKeys, method="cholesky", shrink=0.0)
    attention = layer(seed, 6, 1, score="none", keys=kind)
    attention.fit_keys(tokens[None])
    white = whiten(tokens, shrink=0.0, method="cholesky")
    set_weight(attention.query, white.matrix.T)
    some = tokens[:5]
    found = logits(attention, (some - white.mean)[None], some[None])[0, 0]
    covariance = torch.cov(tokens.T, correction=0)
    centred = some - tokens.mean(0)
    close(found, centred @ torch.linalg.solve(covariance, centred.T), 1e4)


@QUICK
@given(SEEDS, st.sampled_from([1, 2, 3]))
def test_whitening_is_a_reparametrisation_of_learned_keys(seed: int, heads: int) -> None:
    """Same function: the key matrix is the whitening matrix, and softmax drops the mean."""
    attention = layer(seed, 6, heads, keys="whitened")
    attention.fit_keys(draw(seed, 4, 10, 6))
    learned = layer(seed, 6, heads)
    set_weight(learned.query, attention.query.weight)
    white = attention.keys.get_buffer("matrix")
    set_weight(learned.key_value, white.T, attention.key_value.weight)
    learned.output = attention.output
    tokens = draw(seed, 2, 5, 6, counter=1)
    close(attention(tokens), learned(tokens), 10)
    close(attention.weights(tokens), learned.weights(tokens), 10)


@QUICK
@given(SEEDS, SCORES, st.sampled_from([1, 2, 3]))
def test_identity_keys_are_learned_keys_with_the_identity(
    seed: int, score: str, heads: int
) -> None:
    attention, learned = (
        layer(seed, 6, heads, score=score, keys=keys) for keys in ("identity", "learned")
    )
    set_weight(learned.query, attention.query.weight)
    set_weight(learned.key_value, torch.eye(6).double(), attention.key_value.weight)
    learned.output = attention.output
    tokens, context = draw(seed, 2, 5, 6), draw(seed, 2, 4, 6, counter=1)
    close(attention(tokens, context), learned(tokens, context))


@QUICK
@given(SEEDS, SIZES)
def test_a_positive_definite_form_is_a_change_of_basis_and_no_other_is(
    seed: int, width: int
) -> None:
    basis = draw(seed, width, width)
    tokens = draw(seed, 6, width, counter=1)
    attention = layer(seed, width, 1, score="none", keys="identity")
    set_weight(attention.query, basis.T @ basis)
    turned = tokens @ basis.T
    close(logits(attention, tokens[None], tokens[None])[0, 0], turned @ turned.T, 1e2)
    # Direction: an antisymmetric part lets x notice y otherwise than y notices x.
    lean = torch.triu(torch.ones(width, width, dtype=torch.float64), 1)
    set_weight(attention.query, basis.T @ basis + lean - lean.T)
    found = logits(attention, tokens[None], tokens[None])[0, 0]
    close(found.diagonal(), turned.square().sum(1), 1e2)
    assert torch.allclose(found, found.T) is (width == 1)
    # Repulsion: a token meets itself with a negative product.
    set_weight(attention.query, -basis.T @ basis)
    assert float(logits(attention, tokens[None], tokens[None])[0, 0].diagonal().max()) < 0


@QUICK
@given(SEEDS, SIZES)
def test_one_full_head_can_tie_keys_to_values(seed: int, width: int) -> None:
    learned = layer(seed, width, 1)
    tied = layer(seed, width, 1, keys="values")
    value = torch.eye(width, dtype=torch.float64) + 0.3 * draw(seed, width, width) / width
    set_weight(learned.key_value, learned.key_value.weight[:width], value)
    set_weight(tied.key_value, value)
    # x W_q W_k y = x A W_v y with A = W_q W_k W_v^-1.
    set_weight(tied.query, (form(learned)[0] @ torch.linalg.inv(value)).T)
    tied.output = learned.output
    tokens, context = draw(seed, 2, 5, width), draw(seed, 2, 4, width, counter=1)
    close(tied(tokens, context), learned(tokens, context), 10)


@QUICK
@given(SEEDS)
def test_narrow_heads_cannot_tie_keys_to_values_unless_the_rows_fit(seed: int) -> None:
    width, heads = 6, 3
    learned = layer(seed, width, heads)
    value = learned.key_value.weight[width:].detach().unflatten(0, (heads, -1))

    def defects() -> torch.Tensor:
        forms = form(learned)
        nearest = forms @ torch.linalg.pinv(value) @ value
        return (forms - nearest).norm(dim=(1, 2)) / forms.norm(dim=(1, 2))

    assert float(defects().min()) > 0.01
    mixing = draw(seed, heads, 2, 2)
    set_weight(learned.key_value, (mixing @ value).flatten(0, 1), value.flatten(0, 1))
    assert float(defects().max()) < 1e-12
    tied = layer(seed, width, heads, keys="values")
    set_weight(tied.key_value, value.flatten(0, 1))
    query = learned.query.weight.detach().unflatten(0, (heads, -1))
    set_weight(tied.query, (mixing.transpose(-1, -2) @ query).flatten(0, 1))
    tied.output = learned.output
    tokens = draw(seed, 2, 5, width, counter=1)
    close(tied(tokens), learned(tokens), 10)


@QUICK
@given(SEEDS, st.integers(2, 6), st.booleans())
def test_queries_tied_to_keys_walk_reversibly(seed: int, length: int, turns: bool) -> None:
    """Symmetric logits, and a softmax chain whose spectrum is real and lies in [0, 1]."""
    rotary = Rotary(torch.arange(length)[:, None], 4) if turns else None
    tokens = draw(seed, 1, length, 8)
    symmetric = logits(
        layer(seed, 8, 2, score="none", keys="queries", positions=rotary), tokens, tokens
    )
    close(symmetric, symmetric.transpose(-1, -2))
    attention = layer(seed, 8, 2, keys="queries", positions=rotary)
    with torch.no_grad():
        chain = attention.weights(tokens)[0]
    # The stationary distribution is the row sum of exp(logits); flows balance in detail.
    totals = (symmetric[0] / 2).exp().sum(-1)
    flows = totals.unsqueeze(-1) * chain
    torch.testing.assert_close(flows, flows.transpose(-1, -2), rtol=1e-12, atol=1e-12)
    spectrum = torch.linalg.eigvals(chain)
    assert float(spectrum.imag.abs().max()) < 1e-7
    assert float(spectrum.real.min()) > -1e-7
    assert float(spectrum.real.max()) == pytest.approx(1)


def looks_back(attention: Attention, tokens: torch.Tensor) -> bool:
    """Each token reads most from the one before it, the first from the last."""
    with torch.no_grad():
        weights = attention.weights(tokens)[0, 0]
    return bool((weights.argmax(-1) == torch.arange(len(weights)).roll(1)).all())


@QUICK
@given(SEEDS, st.integers(3, 6), st.floats(0.1, 100))
def test_tied_queries_cannot_look_back_around_a_circle_unless_positions_help(
    seed: int, length: int, scale: float
) -> None:
    """l10 > l12 = l21 > l23 = ... > l0n = ln0 > l01 = l10 would have to hold."""
    tokens, eye = draw(seed, 1, length, 8), torch.eye(length, dtype=torch.float64)
    attention = layer(seed, 8, 1, keys="queries")
    set_weight(attention.query, scale * attention.query.weight)
    assert not looks_back(attention, tokens)
    untied = UntiedPositions(eye, heads=1, key_size=length).double()
    set_weight(untied.query, 1e3 * (1 + scale**2) * eye)
    set_weight(untied.key, eye.roll(1, 0))  # the key of s is where the query of s + 1 looks
    attention.positions = untied
    assert looks_back(attention, tokens)


def test_on_a_line_tied_queries_can_look_back_at_shrinking_keys() -> None:
    """Symmetry alone does not forbid it: l10 > l21 > l32, and the first may look anywhere."""
    spiral = torch.tensor([[10.0, 0.0], [5.0, 4.0], [0.0, 2.0]]).double()
    attention = layer(0, 2, 1, keys="queries")
    set_weight(attention.query, 10 * torch.eye(2, dtype=torch.float64))
    with torch.no_grad():
        weights = attention.weights(spiral[None])[0, 0]
    assert float(weights[1, 0]) > 0.99
    assert float(weights[2, 1]) > 0.99


@QUICK
@given(SEEDS, st.sampled_from([1, 2, 4]))
def test_logits_of_moved_tokens_are_four_terms(seed: int, heads: int) -> None:
    attention = layer(seed, 8, heads, score="none")
    tokens, codes = draw(seed, 1, 5, 8), draw(seed, 1, 5, 8, counter=1)
    terms = [logits(attention, *pair) for pair in ((tokens, tokens), (tokens, codes))]
    terms += [logits(attention, *pair) for pair in ((codes, tokens), (codes, codes))]
    total = logits(attention, tokens + codes, tokens + codes)
    close(sum(terms, start=torch.zeros(())), total, 10)
    close(terms[1][0], tokens[0] @ form(attention) @ codes[0].T, 10)


@QUICK
@given(SEEDS)
def test_untied_positions_keep_two_of_the_four_terms(seed: int) -> None:
    """With the layer's own projections of the codes, the cross terms alone are missing."""
    attention = layer(seed, 8, 2, score="none")
    tokens, codes = draw(seed, 1, 5, 8), draw(seed, 5, 8, counter=1)
    untied = UntiedPositions(codes, heads=2, key_size=4).double()
    set_weight(untied.query, attention.query.weight)
    set_weight(untied.key, attention.key_value.weight[:8])
    content = logits(attention, tokens, tokens)
    position = logits(attention, codes[None], codes[None])
    attention.positions = untied
    close(logits(attention, tokens, tokens), content + position, 10)


# Two orders, least squares


@QUICK
@given(SEEDS, *[st.integers(1, 9)] * 4)
def test_both_orders_give_the_same(
    seed: int, queries: int, keys: int, key_size: int, value_size: int
) -> None:
    query, key = draw(seed, 2, 3, queries, key_size), draw(seed, 2, 3, keys, key_size, counter=1)
    value = draw(seed, 2, 3, keys, value_size, counter=2)
    linear, quadratic, either = (
        apply_attention(query, key, value, "none", order=order)
        for order in ("linear", "quadratic", "auto")
    )
    close(linear, quadratic)
    costs = order_costs(queries, keys, key_size, value_size)
    cheaper = linear if costs.linear < costs.quadratic else quadratic
    assert torch.equal(either, cheaper)
    # K^T V / S is the uncentred cross-covariance of keys and values.
    pairs = zip(key[0, 0], value[0, 0], strict=True)
    covariance = torch.stack([torch.outer(k, v) for k, v in pairs]).mean(0)
    close(query[0, 0] @ covariance, linear[0, 0])


@QUICK
@given(SEEDS, st.integers(1, 9), st.floats(1e-3, 10), st.sampled_from([1, 2]))
def test_dual_keys_are_ridge_regression(seed: int, keys: int, ridge: float, heads: int) -> None:
    """The layer reads at its queries the regression of its values on its keys."""
    attention = layer(seed, 8, heads, score="none", keys=partial(DualKeys, ridge=ridge))
    set_weight(attention.output, torch.eye(8, dtype=torch.float64))
    tokens, context = draw(seed, 1, 3, 8), draw(seed, 1, keys, 8, counter=1)
    with torch.no_grad():
        found = attention(tokens, context)[0]
        query = attention.query(tokens)[0].unflatten(-1, (heads, -1))
        key, value = attention.key_value(context)[0].split(8, -1)
    size = 8 // heads
    for head in range(heads):
        part = slice(head * size, head * size + size)
        # Ridge regression is least squares with sqrt(epsilon) I appended to the data.
        design = torch.cat([key[:, part], math.sqrt(ridge) * torch.eye(size).double()])
        target = torch.cat([value[:, part], torch.zeros(size, size, dtype=torch.float64)])
        weights = torch.linalg.lstsq(design, target).solution
        close(found[:, part], query[:, head] @ weights, 100)


@QUICK
@given(SEEDS)
def test_with_whitened_keys_the_gram_correction_is_a_factor(seed: int) -> None:
    """Over the data set the Gram matrix of whitened keys is n I: dual and plain keys agree."""
    tokens = draw(seed, 50, 6) @ draw(seed, 6, 6, counter=1)
    white = whiten(tokens, shrink=0.0)
    key, ridge = white.apply(tokens)[None, None], 0.5
    query, value = draw(seed, 1, 1, 4, 6, counter=2), draw(seed, 1, 1, 50, 3, counter=3)
    attention = layer(seed, 6, 1, keys=partial(DualKeys, ridge=ridge))
    corrected = apply_attention(attention.keys.meet(query, key, None), key, value, "none")
    close(corrected, apply_attention(query, key, value, "none") * 50 / (50 + ridge), 1e3)


# Equivariance


@QUICK
@given(SEEDS, SCORES, st.sampled_from(["learned", "values", "queries", "identity"]))
def test_without_codes_tokens_may_come_in_any_order(seed: int, score: str, keys: str) -> None:
    attention, tokens = layer(seed, 8, 2, score=score, keys=keys), draw(seed, 2, 6, 8)
    order = torch.from_numpy(stream(seed, "order").permutation(6))
    close(attention(tokens[:, order]), attention(tokens)[:, order])
    # A class token reads a summary that does not depend on the order.
    reader = draw(seed, 2, 1, 8, counter=1)
    close(attention(reader, tokens[:, order]), attention(reader, tokens))


@QUICK
@given(SEEDS, SCORES, st.integers(1, 4), st.integers(1, 5), st.integers(-3, 9), st.integers(-3, 9))
def test_turned_attention_on_a_torus_commutes_with_shifts(
    seed: int, score: str, rows: int, cols: int, down: int, right: int
) -> None:
    coordinates = grid_coordinates(rows, cols)
    rotary = Rotary(coordinates, key_size=8, periods=(rows, cols))
    attention = layer(seed, 16, 2, score=score, positions=rotary)
    tokens = draw(seed, 2, rows, cols, 16)

    def shifted(image: torch.Tensor) -> torch.Tensor:
        return image.roll((down, right), (1, 2))

    def attended(image: torch.Tensor) -> torch.Tensor:
        return attention(image.flatten(1, 2)).unflatten(1, (rows, cols))

    close(attended(shifted(tokens)), shifted(attended(tokens)), 10)


@QUICK
@given(SEEDS, SCORES, st.integers(-50, 50), st.integers(-50, 50))
def test_turned_products_depend_on_offsets_alone(
    seed: int, score: str, down: int, right: int
) -> None:
    query, key = draw(seed, 1, 2, 6, 8), draw(seed, 1, 2, 6, 8, counter=1)
    here = grid_coordinates(2, 3)
    weights = [
        attention_weights(*Rotary(places, key_size=8)(query, key), score)
        for places in (here, here + torch.tensor([down, right]))
    ]
    close(weights[0], weights[1], 10)
    # Turning displaces nothing: lengths stay.
    turned, _ = Rotary(here, key_size=8)(query, key)
    close(turned.norm(dim=-1), query.norm(dim=-1), 10)
