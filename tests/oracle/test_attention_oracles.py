"""Attention against PyTorch's own: the fused kernel and nn.MultiheadAttention."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from orthogan.attention import Attention, attend, attention_weights
from orthogan.rng import initialisation, stream


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
    with initialisation(0, "layer"):
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
