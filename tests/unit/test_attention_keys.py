"""Kinds of keys: what each one reads, what is collected for it, what it refuses."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from orthogan.attention import Attention, attention_weights, causal_mask, score_names
from orthogan.attention.dual import dual_queries
from orthogan.attention.keys import DualKeys, WhitenedKeys
from orthogan.errors import ConfigError, DataError, ShapeError, UnknownNameError
from orthogan.geometry import whiten
from orthogan.rng import stream

WIDTH, HEADS = 8, 2


def draw(*shape: int, counter: int = 0) -> torch.Tensor:
    return torch.from_numpy(stream(0, "keys", counter).standard_normal(shape))


def heads(rows: torch.Tensor) -> torch.Tensor:
    return rows.unflatten(-1, (HEADS, -1)).transpose(1, 2)


def expected_weights(layer: Attention, tokens: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    return attention_weights(heads(layer.query(tokens)), heads(keys))


@pytest.mark.parametrize(
    ("kind", "key_of", "shape"),
    [
        ("learned", lambda layer, context: layer.key_value(context)[..., :WIDTH], (16, 8)),
        ("values", lambda layer, context: layer.key_value(context), (8, 8)),
        ("queries", lambda layer, context: layer.query(context), (8, 8)),
        ("identity", lambda layer, context: context, (8, 8)),
    ],
)
def test_each_kind_reads_what_it_says(
    kind: str, key_of: Callable[[Attention, torch.Tensor], torch.Tensor], shape: tuple[int, int]
) -> None:
    layer, tokens, context = (
        Attention(WIDTH, HEADS, keys=kind).double(),
        draw(2, 5, 8),
        draw(2, 7, 8),
    )
    assert layer.key_value.weight.shape == shape
    assert list(layer.state_dict()) == ["query.weight", "key_value.weight", "output.weight"]
    for source in (tokens, context):
        expected = expected_weights(layer, tokens, key_of(layer, source))
        torch.testing.assert_close(layer.weights(tokens, source), expected, rtol=0, atol=1e-12)


def whitened(**options: Any) -> Attention:
    return Attention(WIDTH, HEADS, keys=partial(WhitenedKeys, **options)).double()


@pytest.mark.parametrize("options", [{}, {"method": "zca"}, {"shrink": 0.5}, {"shrink": 0.0}])
def test_whitened_keys_are_the_data_set_whitened(options: dict[str, Any]) -> None:
    layer, data = whitened(**options), draw(6, 10, WIDTH) * torch.arange(1, 9) + 3
    for batch in data.split([1, 2, 3]):
        layer.fit_keys(batch)
    tokens = draw(2, 5, WIDTH, counter=1)
    keys = whiten(data.flatten(0, 1), **options).apply(tokens)
    torch.testing.assert_close(layer.weights(tokens), expected_weights(layer, tokens, keys))
    plain = whitened()
    plain.load_state_dict(layer.state_dict())
    plain.fit_keys(data)
    # Each option does something: it is not the default.
    assert torch.allclose(plain.weights(tokens), layer.weights(tokens)) is (options == {})


def test_whitened_keys_wait_for_more_tokens_than_would_be_content_free() -> None:
    layer, tokens = whitened(), draw(1, 4, WIDTH)
    for total in (0, 4, 8, 9):
        if total:
            layer.fit_keys(draw(1, 1 if total == 9 else 4, WIDTH, counter=total))
        for call in (layer, layer.weights):
            with pytest.raises(ConfigError, match=f"^{total} tokens of width 8 .*content-free"):
                call(tokens)
    layer.fit_keys(draw(1, 1, WIDTH, counter=10))
    assert layer(tokens).shape == tokens.shape


def test_a_sequence_is_never_whitened_by_itself() -> None:
    layer = whitened()
    layer.fit_keys(draw(4, 10, WIDTH))
    tokens = draw(3, 5, WIDTH, counter=1)
    together, alone = layer.weights(tokens), layer.weights(tokens[1:2])
    torch.testing.assert_close(together[1:2], alone, rtol=0, atol=1e-12)


def test_statistics_travel_with_the_weights_and_start_anew() -> None:
    layer, tokens = whitened(), draw(1, 5, WIDTH)
    layer.fit_keys(draw(4, 10, WIDTH, counter=1))
    other = whitened()
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(tokens), layer(tokens)) is torch.equal(other(tokens), other(tokens))
    assert int(copy.deepcopy(layer).keys.get_buffer("count")) == 40
    other.fit_keys(draw(4, 5, WIDTH, counter=2))
    assert int(other.keys.get_buffer("count")) == 20
    layer.fit_keys(draw(4, 5, WIDTH, counter=2))
    assert int(layer.keys.get_buffer("count")) == 60


def test_statistics_take_no_gradient() -> None:
    layer = whitened()
    layer.fit_keys(draw(4, 10, WIDTH).requires_grad_())
    tokens = draw(1, 5, WIDTH).requires_grad_()
    layer(tokens).sum().backward()
    assert tokens.grad is not None
    assert not layer.keys.get_buffer("matrix").requires_grad


def test_a_refused_batch_leaves_the_statistics_alone() -> None:
    layer = whitened(shrink=0.0)
    with pytest.raises(ConfigError, match="rank 1"):
        layer.fit_keys(draw(1, 20, 1).expand(1, 20, WIDTH).contiguous())
    layer.fit_keys(draw(1, 20, WIDTH))
    assert int(layer.keys.get_buffer("count")) == 20


@pytest.mark.parametrize("score", [name for name in score_names() if name not in ("cosine", "l2")])
def test_dual_keys_under_a_mask_are_those_of_the_keys_that_may_be_read(score: str) -> None:
    layer = Attention(WIDTH, HEADS, score, keys=partial(DualKeys, ridge=0.3)).double()
    tokens = draw(2, 6, WIDTH)
    found = layer(tokens, mask=causal_mask(6))
    for last in range(6):
        alone = layer(tokens[:, last : last + 1], tokens[:, : last + 1])[:, 0]
        torch.testing.assert_close(found[:, last], alone, rtol=0, atol=1e-12)
    same_for_all = layer(tokens, mask=torch.ones(2, 6, 6, dtype=torch.bool))
    torch.testing.assert_close(same_for_all, layer(tokens), rtol=0, atol=1e-12)


def test_the_ridge_has_effect_and_a_large_one_leaves_plain_keys() -> None:
    query, key = draw(1, 2, 3, 4), draw(1, 2, 6, 4, counter=1)
    small, large = (dual_queries(query, key, ridge) for ridge in (1e-3, 1e9))
    assert not torch.allclose(small, dual_queries(query, key, 1.0))
    torch.testing.assert_close(large * 1e9 / 6, query)


def test_dual_queries_are_solved_in_float32_at_least() -> None:
    query, key = draw(1, 2, 3, 4), draw(1, 2, 6, 4, counter=1)
    with torch.autocast("cpu", torch.bfloat16):
        found = dual_queries(query.float(), key.float(), 1.0)
    assert found.dtype == torch.float32
    exact = dual_queries(query, key, 1.0)
    torch.testing.assert_close(found.double(), exact, rtol=1e-4, atol=1e-5)
    assert dual_queries(query.bfloat16(), key.bfloat16(), 1.0).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Attention(8, keys="learnt"), UnknownNameError, "Did you mean 'learned'"),
        (lambda: Attention(8, score="l2", keys="dual"), ConfigError, "dual space.*score 'l2'"),
        (lambda: Attention(8, score="cosine", keys="dual"), ConfigError, "none, relu, sigmoid"),
        (lambda: Attention(9, 3, keys="identity", value_size=4), ConfigError, "value size 4"),
        (lambda: Attention(9, 2, keys="identity", value_size=4), ConfigError, "key size 9"),
        (lambda: Attention(8, keys=partial(DualKeys, ridge=0.0)), ConfigError, "positive"),
        (lambda: Attention(8, keys=partial(DualKeys, ridge=-1.0)), ConfigError, "positive"),
        (lambda: Attention(8, keys=partial(DualKeys, ridge=float("inf"))), ConfigError, "finite"),
        (lambda: whitened(method="pac"), UnknownNameError, "Did you mean 'pca'"),
        (lambda: whitened(shrink=2.0), ConfigError, r"\[0, 1\]"),
        (lambda: Attention(8).fit_keys(draw(1, 9, 8)), ConfigError, "keys = 'whitened'"),
        (lambda: whitened().fit_keys(draw(1, 9, 7)), ShapeError, "expects tokens of shape"),
        (lambda: whitened().fit_keys(draw(8)), ShapeError, "expects tokens of shape"),
        (lambda: whitened().fit_keys(draw(1, 0, 8)), ShapeError, "'tokens'"),
        (lambda: whitened().fit_keys(draw(1, 9, 8) / 0), DataError, "'tokens' holds NaN"),
        (lambda: whitened().fit_keys(torch.ones(1, 10, 8)), DataError, "10 tokens are alike"),
    ],
)
def test_what_has_no_meaning_is_refused_with_the_reason(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()
