"""What `nn.MultiheadAttention` and the fused kernel accept: widths, groups, masks, no batch."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional

from orthogan.attention import Attention, Rotary, attention_weights, line_coordinates, score_names
from orthogan.attention.mimetic import initialize_mimetic
from orthogan.embeddings import read_tables
from orthogan.errors import ConfigError, ShapeError
from orthogan.rng import initialization, stream

close = partial(torch.testing.assert_close, rtol=0, atol=1e-12)


def draw(*shape: int, counter: int = 0) -> torch.Tensor:
    return torch.from_numpy(stream(0, "interfaces", counter).standard_normal(shape))


def layer_of(*sizes: int, **options: object) -> Attention:
    with initialization(0, "interfaces"):
        return Attention(*sizes, **options).double()


def bias_of(*shape: int) -> torch.Tensor:
    """A mask to be added, with some keys out of reach, never all of a row."""
    mask = draw(*shape, counter=5)
    mask[torch.from_numpy(stream(0, "reach").random(shape)) < 0.3] = -torch.inf
    mask[..., 0] = 0.5
    return mask


def test_a_context_of_another_width_is_that_of_multihead_attention() -> None:
    layer = layer_of(8, 2, context_size=6)
    oracle = nn.MultiheadAttention(8, 2, bias=False, batch_first=True, kdim=6, vdim=6).double()
    with torch.no_grad():
        oracle.q_proj_weight.copy_(layer.query.weight)
        oracle.k_proj_weight.copy_(layer.key_value.weight[:8])
        oracle.v_proj_weight.copy_(layer.key_value.weight[8:])
        oracle.out_proj.weight.copy_(layer.output.weight)
    tokens, context = draw(2, 5, 8), draw(2, 7, 6, counter=1)
    expected, weights = oracle(tokens, context, context, average_attn_weights=False)
    close(layer(tokens, context), expected)
    close(layer.weights(tokens, context), weights)


@pytest.mark.parametrize("keys", ["learned", "values", "identity", "dual"])
def test_keys_of_a_context_of_another_width(keys: str) -> None:
    layer = layer_of(8, 2, keys=keys, context_size=6)
    assert layer(draw(2, 5, 8), draw(2, 7, 6, counter=1)).shape == (2, 5, 8)
    assert layer.key_size == (6 if keys == "identity" else 8)


@pytest.mark.usefixtures("as_in_use")
def test_a_context_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"query matrix, which takes tokens of width 8, not 6"):
        Attention(8, 2, keys="queries", context_size=6)
    with pytest.raises(ConfigError, match="at least 1, got 0"):
        Attention(8, 2, context_size=0)
    layer = layer_of(8, 2, context_size=6)
    with pytest.raises(ShapeError, match="cannot attend to themselves; give a context"):
        layer(draw(2, 5, 8))
    with pytest.raises(ShapeError, match=r"expects context of shape \(batch, tokens, 6\)"):
        layer(draw(2, 5, 8), draw(2, 7, 8))
    with pytest.raises(ConfigError, match="mimetic"):
        initialize_mimetic(layer)


@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_grouped_queries_are_those_of_the_fused_kernel(key_heads: int) -> None:
    layer = layer_of(8, 4, key_heads=key_heads)
    tokens = draw(2, 5, 8)
    query = layer.query(tokens).unflatten(-1, (4, -1)).transpose(1, 2)
    key, value = (
        part.unflatten(-1, (key_heads, -1)).transpose(1, 2)
        for part in layer.key_value(tokens).chunk(2, dim=-1)
    )
    mixed = functional.scaled_dot_product_attention(query, key, value, enable_gqa=True)
    close(layer(tokens), layer.output(mixed.transpose(1, 2).flatten(2)))
    assert layer.num_kept == 16 * key_heads // 4
    assert layer.key_value.weight.numel() == 8 * 16 * key_heads // 4


@pytest.mark.parametrize("keys", ["values", "dual"])
@pytest.mark.parametrize("score", ["softmax", "none"])
def test_groups_equal_a_layer_with_repeated_weights(keys: str, score: str) -> None:
    shared = layer_of(8, 4, score=score, keys=keys, key_heads=2, positions=Rotary(
        line_coordinates(5), 2))  # fmt: skip
    plain = layer_of(8, 4, score=score, keys=keys, positions=Rotary(line_coordinates(5), 2))
    with torch.no_grad():
        plain.query.weight.copy_(shared.query.weight)
        plain.output.weight.copy_(shared.output.weight)
        heads = shared.key_value.weight.unflatten(0, (-1, 2, 2)).repeat_interleave(2, dim=1)
        plain.key_value.weight.copy_(heads.flatten(0, 2))
    close(shared(draw(2, 5, 8)), plain(draw(2, 5, 8)))


@pytest.mark.parametrize("key_heads", [1, 2])
def test_shared_heads_are_read_back_as_they_are_used(key_heads: int) -> None:
    layer = layer_of(8, 4, key_heads=key_heads).float()
    tables = read_tables(nn.ModuleDict({"tokens": nn.Embedding(9, 8), "attention": layer}))
    tokens = draw(1, 5, 8).float()
    logits = [
        tokens[0] @ head.query @ (tokens[0] @ head.key).T / 2**0.5 for head in tables.heads[0]
    ]
    torch.testing.assert_close(layer.weights(tokens)[0], torch.stack(logits).softmax(-1))
    assert [head.value.shape for head in tables.heads[0]] == [(8, 2)] * 4


def test_groups_that_have_no_meaning_are_refused() -> None:
    for keys in ("queries", "identity", "whitened"):
        with pytest.raises(ConfigError, match="Only keys that the layer projects can be shared"):
            Attention(8, 4, keys=keys, key_heads=2)
    for key_heads in (0, 3, 8):
        with pytest.raises(ConfigError, match="must be a divisor of heads = 4"):
            Attention(8, 4, key_heads=key_heads)


@pytest.mark.parametrize("shape", [(5, 7), (2, 5, 7), (2, 4, 5, 7), (1, 4, 5, 7), (2, 1, 1, 7)])
@pytest.mark.parametrize("is_added", [False, True])
def test_masks_are_those_of_the_fused_kernel(shape: tuple[int, ...], is_added: bool) -> None:
    query, key, value = draw(2, 4, 5, 3), draw(2, 4, 7, 3, counter=1), draw(2, 4, 7, 3, counter=2)
    mask = bias_of(*shape) if is_added else bias_of(*shape) > -torch.inf
    wide = mask[:, None] if len(shape) == 3 else mask
    theirs = functional.scaled_dot_product_attention(query, key, value, attn_mask=wide)
    close(attention_weights(query, key, mask=mask) @ value, theirs)


def test_masks_of_heads_are_those_of_multihead_attention() -> None:
    layer = layer_of(8, 2)
    oracle = nn.MultiheadAttention(8, 2, bias=False, batch_first=True).double()
    with torch.no_grad():
        oracle.in_proj_weight.copy_(torch.cat([layer.query.weight, layer.key_value.weight]))
        oracle.out_proj.weight.copy_(layer.output.weight)
    tokens, added = draw(3, 5, 8), bias_of(3, 2, 5, 5)
    expected, _ = oracle(tokens, tokens, tokens, attn_mask=added.flatten(0, 1))
    close(layer(tokens, mask=added), expected)
    padding = torch.zeros(3, 5, dtype=torch.bool)
    padding[1, 3:] = True
    expected, _ = oracle(tokens, tokens, tokens, key_padding_mask=padding)
    close(layer(tokens, mask=~padding[:, None]), expected)


@pytest.mark.parametrize("score", score_names())
def test_a_mask_to_be_added_needs_a_softmax(score: str) -> None:
    query, key = draw(1, 2, 3, 4), draw(1, 2, 5, 4, counter=1)
    if score in {"softmax", "cosine", "l2"}:
        added = torch.zeros(3, 5).double()
        close(attention_weights(query, key, score, added), attention_weights(query, key, score))
        added[:, 2:] = -torch.inf
        reached = attention_weights(query, key, score, added > -torch.inf)
        close(attention_weights(query, key, score, added), reached)
        return
    with pytest.raises(ConfigError, match="added to logits before a softmax"):
        attention_weights(query, key, score, torch.zeros(3, 5))


def test_a_row_out_of_reach_is_zero_and_so_are_its_derivatives() -> None:
    query, key = draw(1, 2, 3, 4).requires_grad_(), draw(1, 2, 5, 4, counter=1)
    added = torch.zeros(3, 5, dtype=torch.float64).requires_grad_()
    reach = added.masked_fill(torch.arange(3)[:, None] == 1, -torch.inf)
    weights = attention_weights(query, key, mask=reach)
    assert not weights[:, :, 1].any()
    (gradient,) = torch.autograd.grad(weights.square().sum(), added, create_graph=True)
    assert gradient.isfinite().all()
    assert gradient[0].any()  # a bias can be learned
    assert torch.autograd.grad(gradient.square().sum(), query)[0].isfinite().all()


@pytest.mark.usefixtures("as_in_use")
def test_masks_that_do_not_fit_are_refused_by_name() -> None:
    query, key = draw(2, 4, 5, 3), draw(2, 4, 7, 3)
    for shape in ((7,), (5, 6), (3, 5, 7), (2, 3, 5, 7), (1, 2, 4, 5, 7)):
        with pytest.raises(ShapeError, match="A mask of 5 queries and 7 keys has the shape"):
            attention_weights(query, key, mask=torch.ones(shape, dtype=torch.bool))
    with pytest.raises(ShapeError, match=r"got torch\.int64"):
        attention_weights(query, key, mask=torch.ones(5, 7, dtype=torch.int64))


def test_a_single_sequence_is_a_batch_of_one() -> None:
    layer = layer_of(8, 2, context_size=6)
    tokens, context = draw(5, 8), draw(7, 6, counter=1)
    close(layer(tokens, context), layer(tokens[None], context[None])[0])
    close(layer.weights(tokens, context), layer.weights(tokens[None], context[None])[0])
    of_heads = bias_of(2, 5, 7)
    close(layer(tokens, context, of_heads), layer(tokens[None], context[None], of_heads[None])[0])
    oracle = nn.MultiheadAttention(8, 2, bias=False, batch_first=True).double()
    plain = layer_of(8, 2)
    with torch.no_grad():
        oracle.in_proj_weight.copy_(torch.cat([plain.query.weight, plain.key_value.weight]))
        oracle.out_proj.weight.copy_(plain.output.weight)
    added = bias_of(2, 5, 5)
    close(plain(tokens, mask=added), oracle(tokens, tokens, tokens, attn_mask=added)[0])


@pytest.mark.usefixtures("as_in_use")
def test_a_batch_on_one_side_only_is_refused() -> None:
    with pytest.raises(ShapeError, match="have no batch"):
        layer_of(8, 2)(draw(5, 8), draw(1, 7, 8))
