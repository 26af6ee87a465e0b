"""Attention against PyTorch's own, scikit-learn's ridge regression and loops over the formula."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from sklearn.linear_model import Ridge
from torch import nn
from torch.nn import functional

from orthogan.attention import Attention, apply_attention, attend, attention_weights, causal_mask
from orthogan.attention.keys import DualKeys
from orthogan.rng import initialization, stream


def draw(*shape: int, counter: int = 0) -> torch.Tensor:
    return torch.from_numpy(stream(0, "oracle", counter).standard_normal(shape)).requires_grad_()


@pytest.mark.parametrize(("queries", "keys"), [(5, 5), (4, 7), (1, 3)])
def test_softmax_score_equals_the_fused_kernel(queries: int, keys: int) -> None:
    query, key, value = draw(2, 3, queries, 4), draw(2, 3, keys, 4, counter=1), draw(2, 3, keys, 6)
    ours = attend(attention_weights(query, key, "softmax"), value)
    theirs = functional.scaled_dot_product_attention(query, key, value)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    direction = draw(2, 3, queries, 6, counter=2).detach()
    our_gradients = torch.autograd.grad(ours, (query, key, value), direction)
    their_gradients = torch.autograd.grad(theirs, (query, key, value), direction)
    torch.testing.assert_close(our_gradients, their_gradients, rtol=0, atol=1e-12)


def multihead_like(layer: Attention, width: int, heads: int) -> nn.MultiheadAttention:
    oracle = nn.MultiheadAttention(width, heads, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        oracle.in_proj_weight.copy_(torch.cat([layer.query.weight, layer.key_value.weight]))
        oracle.out_proj.weight.copy_(layer.output.weight)
    return oracle


@pytest.mark.parametrize(("width", "heads"), [(8, 2), (12, 4), (6, 1)])
def test_layer_equals_multihead_attention(width: int, heads: int) -> None:
    with initialization(0, "layer"):
        layer = Attention(width, heads).double()
    oracle = multihead_like(layer, width, heads)
    tokens, context = draw(2, 5, width), draw(2, 7, width, counter=1)
    for source in (tokens, context):
        expected, weights = oracle(tokens, source, source, average_attn_weights=False)
        torch.testing.assert_close(layer(tokens, source), expected, rtol=0, atol=1e-12)
        torch.testing.assert_close(layer.weights(tokens, source), weights, rtol=0, atol=1e-12)


def test_cosine_score_equals_the_fused_kernel_on_unit_vectors() -> None:
    query, key, value = draw(2, 3, 5, 4), draw(2, 3, 7, 4, counter=1), draw(2, 3, 7, 6, counter=2)
    unit_query = query / query.norm(dim=-1, keepdim=True)
    unit_key = key / key.norm(dim=-1, keepdim=True)
    theirs = functional.scaled_dot_product_attention(unit_query, unit_key, value, scale=8.0)
    ours = attend(attention_weights(query, key, "cosine"), value)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(5, 7), (2, 5, 7)])
def test_masked_softmax_equals_the_fused_kernel(shape: tuple[int, ...]) -> None:
    query, key, value = draw(2, 3, 5, 4), draw(2, 3, 7, 4, counter=1), draw(2, 3, 7, 6, counter=2)
    mask = torch.from_numpy(stream(0, "mask").random(shape)) < 0.6
    mask[..., 0] = True  # the kernel makes NaN of rows that may read nothing
    wide = mask if len(shape) == 2 else mask[:, None]
    theirs = functional.scaled_dot_product_attention(query, key, value, attn_mask=wide)
    ours = apply_attention(query, key, value, "softmax", mask)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    direction = draw(2, 3, 5, 6, counter=3).detach()
    torch.testing.assert_close(
        torch.autograd.grad(ours, (query, key, value), direction),
        torch.autograd.grad(theirs, (query, key, value), direction),
        rtol=0,
        atol=1e-12,
    )


@pytest.mark.parametrize("keys", ["values", "queries", "identity"])
def test_layer_with_tied_keys_equals_multihead_attention_with_copied_weights(keys: str) -> None:
    with initialization(0, "layer"):
        layer = Attention(8, 2, keys=keys).double()
    oracle = nn.MultiheadAttention(8, 2, bias=False, batch_first=True, dtype=torch.float64)
    key = {
        "values": layer.key_value.weight,
        "queries": layer.query.weight,
        "identity": torch.eye(8, dtype=torch.float64),
    }[keys]
    with torch.no_grad():
        oracle.in_proj_weight.copy_(torch.cat([layer.query.weight, key, layer.key_value.weight]))
        oracle.out_proj.weight.copy_(layer.output.weight)
    tokens, mask = draw(2, 5, 8), causal_mask(5)
    expected, weights = oracle(tokens, tokens, tokens, attn_mask=~mask, average_attn_weights=False)
    torch.testing.assert_close(layer(tokens, mask=mask), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(layer.weights(tokens, mask=mask), weights, rtol=0, atol=1e-12)


def formula(score: str, query: list[float], keys: list[list[float]]) -> list[float]:
    """The weights of one query, from the formula, in plain Python."""
    size, count = len(query), len(keys)
    products = [sum(a * b for a, b in zip(query, key, strict=True)) for key in keys]
    if score == "none":
        return [product / count for product in products]
    if score == "relu":
        return [max(product / math.sqrt(size), 0) / count for product in products]
    if score == "sigmoid":
        return [
            1 / (1 + math.exp(math.log(count) - product / math.sqrt(size))) for product in products
        ]
    logits = {
        "softmax": [product / math.sqrt(size) for product in products],
        "l2": [-(math.dist(query, key) ** 2) / math.sqrt(size) for key in keys],
        "cosine": [
            8 * product / math.hypot(*query) / math.hypot(*key)
            for product, key in zip(products, keys, strict=True)
        ],
    }[score]
    total = sum(math.exp(logit) for logit in logits)
    return [math.exp(logit) / total for logit in logits]


@pytest.mark.parametrize("score", ["none", "relu", "sigmoid", "softmax", "l2", "cosine"])
def test_scores_equal_their_formula(score: str) -> None:
    query, key = draw(1, 1, 3, 4).detach(), draw(1, 1, 5, 4, counter=1).detach()
    rows = [formula(score, row, key[0, 0].tolist()) for row in query[0, 0].tolist()]
    expected = torch.tensor(rows, dtype=torch.float64)[None, None]
    ours = attention_weights(query, key, score)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("ridge", [0.1, 3.0])
def test_dual_keys_without_softmax_equal_ridge_regression(ridge: float) -> None:
    with initialization(0, "layer"):
        layer = Attention(6, 1, "none", partial(DualKeys, ridge=ridge)).double()
    tokens, context = draw(1, 4, 6).detach(), draw(1, 9, 6, counter=1).detach()
    with torch.no_grad():
        key, value = layer.key_value(context)[0].split(6, dim=-1)
        fitted = Ridge(alpha=ridge, fit_intercept=False, solver="cholesky")
        fitted.fit(key.numpy(), value.numpy())
        read_out = torch.from_numpy(fitted.predict(layer.query(tokens)[0].numpy()))
        expected = layer.output(read_out)
        torch.testing.assert_close(layer(tokens, context)[0], expected, rtol=0, atol=1e-12)
