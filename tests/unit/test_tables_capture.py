"""Queries, keys and values of running modules, where no weights are returned."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from orthogan.attention import Attention
from orthogan.embeddings import Activations, capture, module_heads
from orthogan.errors import ConfigError, ShapeError, UnknownNameError

B, T, D, H = 2, 5, 8, 4


class Fused(nn.Module):
    """Attention by the fused kernel, which returns no weights."""

    def __init__(self, groups: int = H, names: str = "q_proj k_proj v_proj") -> None:
        super().__init__()
        self.names, self.num_heads, self.groups = names.split(), H, groups
        width = D // H * groups
        for name, size in zip(self.names, (D, width, width), strict=True):
            self.add_module(name, nn.Linear(D, size))
        self.drop = nn.Dropout(0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = self.drop(tokens)
        q, k, v = (getattr(self, name)(tokens) for name in self.names)
        q, k, v = (x.unflatten(-1, (-1, D // H)).transpose(1, 2) for x in (q, k, v))
        k, v = (x.repeat_interleave(H // self.groups, 1) for x in (k, v))
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return tokens + mixed.transpose(1, 2).flatten(2)


def attended(found: Activations) -> Tensor:
    """What attention makes of captured queries, keys and values."""
    shared = found.query.shape[1] // found.key.shape[1]
    k, v = (x.repeat_interleave(shared, 1) for x in (found.key, found.value))
    logits = found.query @ k.transpose(-1, -2) / found.query.shape[-1] ** 0.5
    return (logits.softmax(-1) @ v).transpose(1, 2).flatten(2)


TOKENS = torch.randn(B, T, D, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("groups", [1, 2, H])
@pytest.mark.parametrize("names", ["q_proj k_proj v_proj", "query key value", "to_q to_k to_v"])
def test_fused_attention(groups: int, names: str) -> None:
    layer = Fused(groups, names).eval()
    (found,) = capture(layer, TOKENS)
    assert found.name == ""
    assert found.query.shape == (B, H, T, D // H)
    assert found.key.shape == found.value.shape == (B, groups, T, D // H)
    torch.testing.assert_close(TOKENS + attended(found), layer(TOKENS))
    assert not found.query.requires_grad


def test_layers_of_a_model_in_the_order_of_their_calls() -> None:
    model = nn.Sequential(Fused(), Fused(2), Fused()).eval()
    found = capture(model, (TOKENS,))
    assert [each.name for each in found] == ["0", "1", "2"]
    tokens = TOKENS
    for each, layer in zip(found, model, strict=True):
        torch.testing.assert_close(tokens + attended(each), layer(tokens))
        tokens = layer(tokens)


def test_a_layer_that_is_called_twice_gives_two_records() -> None:
    layer = Fused().eval()
    model = nn.Sequential(layer, nn.Identity(), layer)
    first, second = capture(model, TOKENS)
    torch.testing.assert_close(layer(TOKENS) + attended(second), layer(layer(TOKENS)))
    assert not torch.equal(first.query, second.query)


def test_patterns() -> None:
    model = nn.Sequential(Fused(names="ask look tell"), Fused(names="ask look tell")).eval()
    with pytest.raises(ConfigError, match="no attention layer is recognised"):
        capture(model, TOKENS)
    found = capture(model, TOKENS, query="*.ask", key="*.look", value="*.tell")
    assert [each.name for each in found] == ["0", "1"]
    torch.testing.assert_close(TOKENS + attended(found[0]), model[0](TOKENS))
    (only,) = capture(model, TOKENS, query="1.ask", key="1.look", value="1.tell", num_heads=2)
    assert only.query.shape == (B, 2, T, 4)


@pytest.mark.parametrize(
    ("patterns", "error", "message"),
    [
        ({"query": "*.ask"}, ConfigError, "key is missing"),
        ({"query": "*.ask", "key": "*.look"}, ConfigError, "value is missing"),
        ({"query": "*.asc", "key": "*.look", "value": "*.tell"}, UnknownNameError, r"'\*\.asc'"),
        ({"query": "*.ask", "key": "0.look", "value": "*.tell"}, ConfigError, "match 2, 1, 2"),
    ],
)
def test_unusable_patterns(patterns: dict[str, str], error: type[Exception], message: str) -> None:
    model = nn.Sequential(Fused(names="ask look tell"), Fused(names="ask look tell"))
    with pytest.raises(error, match=message):
        capture(model, TOKENS, **patterns)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("kdim", [None, 6])
@pytest.mark.parametrize("bias", [True, False])
def test_attention_of_torch(batch_first: bool, kdim: int | None, bias: bool) -> None:
    layer = nn.MultiheadAttention(D, H, bias, kdim=kdim, vdim=kdim, batch_first=batch_first)
    if bias:
        nn.init.normal_(layer.in_proj_bias)
    context = torch.randn(B, 3, kdim or D)
    if not batch_first:
        context = context.transpose(0, 1)
    tokens = TOKENS if batch_first else TOKENS.transpose(0, 1)
    inputs = {"query": tokens, "key": context, "value": context, "need_weights": False}
    (found,) = capture(layer, inputs)
    assert found.key.shape == (B, H, 3, D // H)
    expected = layer.eval()(tokens, context, context)[0]
    mine = layer.out_proj(attended(found))
    torch.testing.assert_close(mine if batch_first else mine.transpose(0, 1), expected)
    positional = capture(layer, (tokens, context, context))[0]
    torch.testing.assert_close(positional.query, found.query)


def test_attention_of_torch_without_a_batch() -> None:
    layer = nn.MultiheadAttention(D, H)
    (found,) = capture(layer, (TOKENS[0], TOKENS[0], TOKENS[0]))
    assert found.query.shape == (1, H, T, D // H)
    torch.testing.assert_close(layer.out_proj(attended(found)), layer(*[TOKENS[0]] * 3)[0][None])


@pytest.mark.parametrize("norm_first", [True, False])
def test_the_fast_path_of_torch_is_seen_through(norm_first: bool) -> None:
    layer = nn.TransformerEncoderLayer(D, H, 16, batch_first=True, norm_first=norm_first)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
    found = capture(model, TOKENS)
    assert [each.name for each in found] == ["layers.0.self_attn", "layers.1.self_attn"]
    first = model.layers[0]
    tokens = first.norm1(TOKENS) if norm_first else TOKENS
    expected = first.self_attn(tokens, tokens, tokens)[0]
    torch.testing.assert_close(first.self_attn.out_proj(attended(found[0])), expected)


def test_our_own_attention() -> None:
    layer = Attention(D, heads=2, key_size=4, value_size=6)
    context = torch.randn(B, 3, D)
    (found,) = capture(layer, {"tokens": TOKENS, "context": context})
    assert (found.query.shape, found.key.shape) == ((B, 2, T, 2), (B, 2, 3, 2))
    assert found.value.shape == (B, 2, 3, 3)
    torch.testing.assert_close(layer.output(attended(found)), layer(TOKENS, context))


class OneMatrix(nn.Module):
    """A layer that only projects, by one matrix of a given name."""

    def __init__(self, leaf: str, rows: int) -> None:
        super().__init__()
        self.leaf = leaf
        self.add_module(leaf, nn.Linear(D, rows, bias=False))

    def forward(self, tokens: Tensor) -> Tensor:
        return getattr(self, self.leaf)(tokens)


@pytest.mark.parametrize("leaf", ["qkv", "c_attn", "Wqkv"])
def test_one_matrix_for_all(leaf: str) -> None:
    layer = OneMatrix(leaf, 3 * D)
    layer.num_heads = H
    (found,) = capture(layer, TOKENS)
    thirds = getattr(layer, leaf).weight.chunk(3)
    for part, rows in zip((found.query, found.key, found.value), thirds, strict=True):
        expected = functional.linear(TOKENS, rows).unflatten(-1, (H, -1)).transpose(1, 2)
        torch.testing.assert_close(part, expected)


def test_groups_in_one_matrix_follow_the_configuration() -> None:
    layer = OneMatrix("query_key_value", 2 * D)
    settings = {"model_type": "falcon", "num_attention_heads": 4, "head_dim": 2}
    layer.config = SimpleNamespace(to_dict=lambda: settings)
    (found,) = capture(layer, TOKENS)
    assert found.key.shape == (B, 2, T, 2)
    (heads,) = module_heads(layer)
    for h, head in enumerate(heads):
        torch.testing.assert_close(found.query[:, h], TOKENS @ head.query)
        torch.testing.assert_close(found.key[:, h // 2], TOKENS @ head.key)
        torch.testing.assert_close(found.value[:, h // 2], TOKENS @ head.value)
    settings["model_type"] = "glm"
    with pytest.raises(ConfigError, match="order inside of the fused 'query_key_value'"):
        capture(layer, TOKENS)


def test_modes_hooks_and_gradients_are_as_before() -> None:
    model = nn.Sequential(Fused(), Fused()).train()
    model[1].eval()
    one, two = capture(model, TOKENS), capture(model, TOKENS)
    assert torch.equal(one[1].query, two[1].query)  # no dropout
    assert [part.training for part in model] == [True, False]
    assert model[0].drop.training
    assert not any(part._forward_hooks for part in model.modules())
    assert model(TOKENS).requires_grad
    with pytest.raises(RuntimeError):
        capture(model, torch.zeros(B, T, D + 1))
    assert not any(part._forward_hooks for part in model.modules())
    assert [part.training for part in model] == [True, False]


class HalfUsed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.used, self.idle = Fused(), Fused()

    def forward(self, tokens: Tensor) -> Tensor:
        return self.used(tokens)


def test_a_layer_that_is_not_reached_is_named() -> None:
    with pytest.raises(ConfigError, match="idle: took no part in this forward pass"):
        capture(HalfUsed(), TOKENS)
    patterns: dict[str, Any] = {p: f"used.{p[0]}_proj" for p in ("query", "key", "value")}
    assert len(capture(HalfUsed(), TOKENS, **patterns)) == 1


def test_heads_that_are_not_known_or_do_not_divide() -> None:
    layer = Fused()
    del layer.num_heads
    with pytest.raises(ConfigError, match="its number of heads is not known; give num_heads="):
        capture(layer, TOKENS)
    assert capture(layer, TOKENS, num_heads=2)[0].query.shape == (B, 2, T, 4)
    for wrong in (3, 16):
        with pytest.raises(ShapeError, match=f"do not split into {wrong} heads"):
            capture(layer, TOKENS, num_heads=wrong)
