"""The attention layer: its weights, its options, its refusals."""

from __future__ import annotations

import pytest
import torch

import orthogan
from orthogan.attention import (
    Attention,
    attend,
    attention_weights,
    causal_mask,
    score_names,
)
from orthogan.errors import ConfigError, ShapeError, UnknownNameError
from orthogan.rng import normal, stream


def draw(*shape: int, name: str = "attention", counter: int = 0) -> torch.Tensor:
    return normal(shape, stream(0, name, counter))


def test_weights_are_what_forward_applies() -> None:
    layer = Attention(8, heads=2, key_size=4, value_size=6)
    tokens, context = draw(3, 5, 8), draw(3, 7, 8, counter=1)
    for other in (None, context):
        source = tokens if other is None else other
        value = layer.key_value(source)[..., 4:].unflatten(-1, (2, 3)).transpose(1, 2)
        mixed = attend(layer.weights(tokens, other), value).transpose(1, 2).flatten(2)
        torch.testing.assert_close(layer.output(mixed), layer(tokens, other))


@pytest.mark.parametrize("score", score_names())
def test_cross_attention_reads_the_context(score: str) -> None:
    layer = Attention(8, heads=2, score=score)
    tokens, context = draw(3, 5, 8), draw(3, 7, 8, counter=1)
    assert layer.weights(tokens, context).shape == (3, 2, 5, 7)
    assert layer(tokens, context).shape == (3, 5, 8)
    assert not torch.allclose(layer(tokens, context), layer(tokens))
    torch.testing.assert_close(layer(tokens, tokens), layer(tokens))
    # Attention does not care about the order of what it reads.
    torch.testing.assert_close(layer(tokens, context.flip(1)), layer(tokens, context))


def test_a_causal_mask_lets_each_token_read_itself_and_what_is_before() -> None:
    assert causal_mask(3).tolist() == [[True, False, False], [True, True, False], [True] * 3]
    tokens = draw(1, 3, 8)
    weights = Attention(8, heads=2).weights(tokens, mask=causal_mask(3))
    assert weights[0, :, 0].tolist() == [[1, 0, 0], [1, 0, 0]]


def test_identical_context_tokens_are_read_evenly() -> None:
    layer = Attention(8, heads=2)
    weights = layer.weights(draw(1, 3, 8), draw(1, 1, 8, counter=1).expand(1, 4, 8))
    torch.testing.assert_close(weights, torch.full((1, 2, 3, 4), 0.25))


def test_key_and_value_sizes_have_effect() -> None:
    def shapes(**sizes: int) -> dict[str, tuple[int, ...]]:
        return {k: tuple(v.shape) for k, v in Attention(8, heads=2, **sizes).state_dict().items()}

    square = {"query.weight": (8, 8), "key_value.weight": (16, 8), "output.weight": (8, 8)}
    assert shapes() == square
    assert shapes(key_size=8, value_size=8) == square
    assert shapes(key_size=2) == square | {"query.weight": (2, 8), "key_value.weight": (10, 8)}
    assert shapes(value_size=4) == {
        "query.weight": (4, 8),
        "key_value.weight": (8, 8),
        "output.weight": (8, 4),
    }
    assert Attention(7, heads=2, key_size=4, value_size=6)(draw(1, 3, 7)).shape == (1, 3, 7)


def test_heads_and_score_have_effect() -> None:
    layers = [Attention(8, heads=2), Attention(8, heads=4), Attention(8, heads=2, score="cosine")]
    for layer in layers[1:]:
        layer.load_state_dict(layers[0].state_dict())
    outputs = [layer(draw(2, 5, 8)) for layer in layers]
    assert not torch.allclose(outputs[0], outputs[1])
    assert not torch.allclose(outputs[0], outputs[2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 8, "heads": 3}, "value size|key size"),
        ({"width": 8, "heads": 0}, "heads = 0"),
        ({"width": 8, "heads": -2}, "heads = -2"),
        ({"width": 8, "heads": 2, "key_size": 3}, "key size 3 must be a multiple of heads = 2"),
        ({"width": 8, "heads": 2, "key_size": 0}, "key size 0"),
        ({"width": 8, "heads": 2, "value_size": 5, "key_size": 4}, "value size 5"),
        ({"width": 8, "heads": 2, "value_size": -2}, "size -2"),
    ],
)
def test_bad_sizes_are_refused(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Attention(**arguments)


def test_unknown_score_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'cosine'"):
        Attention(8, heads=2, score="cosin")
    with pytest.raises(UnknownNameError, match="Did you mean 'softmax'"):
        attention_weights(draw(1, 1, 2, 4), draw(1, 1, 2, 4), "soft-max")


@pytest.mark.parametrize("shape", [(2, 5, 7), (5, 7), (8,), (2, 2, 5, 8)])
@pytest.mark.usefixtures("as_in_use")
def test_wrong_shapes_are_refused_by_name(shape: tuple[int, ...]) -> None:
    layer = Attention(8, heads=2)
    with pytest.raises(ShapeError, match=r"expects tokens of shape \(batch, tokens, 8\)"):
        layer(draw(*shape))
    for call in (layer, layer.weights):
        with pytest.raises(ShapeError, match="expects context"):
            call(draw(2, 5, 8), draw(*shape))


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("score", ["softmax", "cosine", "none"])
@pytest.mark.usefixtures("as_in_use")
def test_a_context_of_another_batch_size_is_refused(count: int, score: str) -> None:
    layer = Attention(8, heads=2, score=score)
    for call in (layer, layer.weights):
        with pytest.raises(ShapeError, match=f"same batch size, got 2 and {count}; one context"):
            call(draw(2, 5, 8).float(), draw(count, 7, 8).float())


@pytest.mark.parametrize("shape", [(), (5,), (5, 8), (7, 5), (3, 5, 7), (2, 3, 5, 7)])
@pytest.mark.usefixtures("as_in_use")
def test_a_mask_that_fits_neither_shape_is_refused(shape: tuple[int, ...]) -> None:
    layer = Attention(8, heads=2)
    for call in (layer, layer.weights):
        with pytest.raises(ShapeError, match=r"has the shape \(5, 7\), \(2, 5, 7\) or"):
            call(draw(2, 5, 8).float(), draw(2, 7, 8).float(), torch.ones(shape, dtype=torch.bool))


def test_cosine_ignores_the_length_of_queries_and_keys() -> None:
    query, key = draw(2, 2, 5, 4), draw(2, 2, 6, 4, counter=1)
    weights = attention_weights(query, key, "cosine")
    torch.testing.assert_close(attention_weights(100 * query, key, "cosine"), weights)
    torch.testing.assert_close(attention_weights(query, 0.01 * key, "cosine"), weights)
    soft = attention_weights(query, key, "softmax")
    assert not torch.allclose(attention_weights(100 * query, key, "softmax"), soft)


def test_a_causal_mask_shows_each_token_itself_and_the_past() -> None:
    rows = [[True, False, False], [True, True, False], [True, True, True]]
    assert causal_mask(3).tolist() == rows


def test_l2_is_the_softmax_of_squared_distances() -> None:
    query, key = draw(2, 2, 5, 4), draw(2, 2, 6, 4, counter=1)
    expected = (-torch.cdist(query, key).square() / 2).softmax(-1)
    torch.testing.assert_close(attention_weights(query, key, "l2"), expected)


def test_cosine_logits_span_the_stated_range() -> None:
    query = torch.tensor([[[[1.0, 0.0]]]])
    key = torch.tensor([[[[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]]]])
    expected = torch.softmax(torch.tensor([8.0, 0.0, -8.0]), 0)
    torch.testing.assert_close(attention_weights(query, key, "cosine")[0, 0, 0], expected)


def test_the_layer_is_a_public_name() -> None:
    assert orthogan.Attention is Attention
