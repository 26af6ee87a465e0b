"""What every registered attention score promises."""

from __future__ import annotations

import pytest
import torch

from orthogan.attention import Attention, attention_weights, score_names
from orthogan.rng import initialisation, stream

SCORES = pytest.mark.parametrize("score", score_names())


def draw(*shape: int, counter: int = 0) -> torch.Tensor:
    return torch.from_numpy(stream(0, "score", counter).standard_normal(shape)).requires_grad_()


@SCORES
def test_rows_are_distributions(score: str) -> None:
    weights = attention_weights(draw(2, 3, 5, 4), draw(2, 3, 7, 4, counter=1), score)
    assert weights.shape == (2, 3, 5, 7)
    assert bool((weights >= 0).all())
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 5, dtype=torch.float64))


@SCORES
def test_derivatives_of_first_and_second_order(score: str) -> None:
    inputs = (draw(1, 2, 3, 4), draw(1, 2, 4, 4, counter=1))

    def weights(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        return attention_weights(query, key, score)

    assert torch.autograd.gradcheck(weights, inputs)
    assert torch.autograd.gradgradcheck(weights, inputs)


@SCORES
def test_derivatives_of_the_layer(score: str) -> None:
    with initialisation(0, "layer"):
        layer = Attention(4, heads=2, score=score).double()
    inputs = (draw(1, 3, 4), draw(1, 2, 4, counter=1))
    assert torch.autograd.gradcheck(layer, inputs)
    assert torch.autograd.gradgradcheck(layer, inputs)


@SCORES
def test_a_larger_product_gets_a_larger_weight(score: str) -> None:
    key = torch.eye(3)[None, None]
    weights = attention_weights(torch.tensor([[[[2.0, 1.0, -1.0]]]]), key, score)[0, 0, 0]
    assert weights[0] > weights[1] > weights[2]


@SCORES
def test_extreme_and_zero_inputs_stay_finite(score: str) -> None:
    for scale in (0.0, 1e-20, 1e15):
        query = (scale * draw(1, 2, 3, 4).float().detach()).requires_grad_()
        weights = attention_weights(query, query, score)
        (gradient,) = torch.autograd.grad(weights[..., 0].sum(), query)
        assert bool(torch.isfinite(weights).all() & torch.isfinite(gradient).all()), scale


@SCORES
def test_bfloat16_is_close_to_float32(score: str) -> None:
    query, key = draw(2, 2, 6, 8).float(), draw(2, 2, 6, 8, counter=1).float()
    exact = attention_weights(query, key, score)
    rounded = attention_weights(query.bfloat16(), key.bfloat16(), score)
    torch.testing.assert_close(rounded.float(), exact, rtol=0.1, atol=0.02)
