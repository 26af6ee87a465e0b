"""What every registered attention score promises."""

from __future__ import annotations

import itertools

import pytest
import torch

from orthogan.attention import (
    Attention,
    apply_attention,
    attend,
    attention_weights,
    causal_mask,
)
from orthogan.attention.scores import SCORES, score_traits
from orthogan.rng import initialization, stream
from orthogan.testing.contract import Contract


def draw(*shape: int, counter: int = 0) -> torch.Tensor:
    return torch.from_numpy(stream(0, "score", counter).standard_normal(shape)).requires_grad_()


def some_mask(*shape: int) -> torch.Tensor:
    """About two thirds allowed; in the first row, nothing."""
    mask = torch.from_numpy(stream(0, "mask").random(shape)) < 0.67
    mask[..., 0, :] = False
    return mask


class ScoreContract(Contract):
    """Weights keep their promised traits, masks hold, derivatives are right."""

    registry = SCORES
    argument = "score"

    def test_rows_are_distributions_exactly_where_the_score_says_so(self, score: str) -> None:
        weights = attention_weights(draw(2, 3, 5, 4), draw(2, 3, 7, 4, counter=1), score)
        assert weights.shape == (2, 3, 5, 7)
        ones = torch.ones(2, 3, 5, dtype=torch.float64)
        is_distribution = bool((weights >= 0).all()) and torch.allclose(weights.sum(-1), ones)
        assert is_distribution is score_traits(score).sums_to_one

    def test_products_alone_decide_exactly_where_the_score_says_so(self, score: str) -> None:
        query, key, basis = draw(2, 3, 5, 4), draw(2, 3, 7, 4, counter=1), draw(4, 4, counter=2)
        weights = attention_weights(query, key, score)
        moved = attention_weights(query @ basis, key @ torch.linalg.inv(basis).T, score)
        assert torch.allclose(weights, moved, atol=1e-12) is score_traits(score).reads_products

    def test_weights_are_linear_exactly_where_the_score_says_so(self, score: str) -> None:
        queries, key = (draw(1, 2, 5, 4), draw(1, 2, 5, 4, counter=2)), draw(1, 2, 7, 4, counter=1)
        sums = attention_weights(queries[0] + queries[1], key, score)
        parts = [attention_weights(query, key, score) for query in queries]
        assert torch.allclose(sums, parts[0] + parts[1]) is score_traits(score).is_linear

    def test_derivatives_of_first_and_second_order(self, score: str) -> None:
        inputs = (draw(1, 2, 3, 4), draw(1, 2, 4, 4, counter=1))
        for mask in (None, some_mask(3, 4)):

            def weights(
                query: torch.Tensor, key: torch.Tensor, mask: torch.Tensor | None = mask
            ) -> torch.Tensor:
                return attention_weights(query, key, score, mask)

            assert torch.autograd.gradcheck(weights, inputs)
            assert torch.autograd.gradgradcheck(weights, inputs)

    def test_derivatives_of_the_layer(self, score: str) -> None:
        with initialization(0, "layer"):
            layer = Attention(4, heads=2, score=score).double()
        inputs = (draw(1, 3, 4), draw(1, 2, 4, counter=1))
        assert torch.autograd.gradcheck(layer, inputs)
        assert torch.autograd.gradgradcheck(layer, inputs)

    def test_a_larger_product_gets_a_larger_weight(self, score: str) -> None:
        key = torch.eye(3)[None, None]
        weights = attention_weights(torch.tensor([[[[2.0, 1.0, -1.0]]]]), key, score)[0, 0, 0]
        assert weights[0] > weights[1] > weights[2]

    def test_extreme_and_zero_inputs_stay_finite(self, score: str) -> None:
        for scale in (0.0, 1e-20, 1e15):
            for mask in (None, some_mask(3, 3)):
                query = (scale * draw(1, 2, 3, 4).float().detach()).requires_grad_()
                weights = attention_weights(query, query, score, mask)
                (gradient,) = torch.autograd.grad(weights[..., 0].sum(), query)
                assert bool(torch.isfinite(weights).all() & torch.isfinite(gradient).all()), scale

    def test_bfloat16_is_close_to_float32(self, score: str) -> None:
        query, key = draw(2, 2, 6, 8).float(), draw(2, 2, 6, 8, counter=1).float()
        exact = attention_weights(query, key, score)
        rounded = attention_weights(query.bfloat16(), key.bfloat16(), score)
        assert rounded.dtype == torch.bfloat16
        torch.testing.assert_close(rounded.float(), exact, rtol=0.1, atol=0.02)

    def test_what_is_read_does_not_grow_with_the_length(self, score: str) -> None:
        sizes = []
        for length in (16, 1024):
            query, key = draw(1, 2, 8, 16), draw(1, 2, length, 16, counter=1)
            value = torch.ones(1, 2, length, 1, dtype=torch.float64)
            sizes.append(
                float(apply_attention(query, key, value, score).detach().square().mean().sqrt())
            )
        assert sizes[1] < 1.5 * sizes[0]
        assert sizes[0] < 4

    @pytest.mark.parametrize("shape", [(5, 7), (2, 5, 7)])
    def test_masked_keys_might_as_well_not_be_there(
        self, score: str, shape: tuple[int, ...]
    ) -> None:
        query, key, value = (
            draw(2, 3, 5, 4),
            draw(2, 3, 7, 4, counter=1),
            draw(2, 3, 7, 6, counter=2),
        )
        mask = some_mask(*shape)
        weights = attention_weights(query, key, score, mask)
        found = apply_attention(query, key, value, score, mask)
        assert bool((weights[:, :, 0] == 0).all() & (found[:, :, 0] == 0).all())  # nothing to read
        for image, row in itertools.product(range(2), range(1, 5)):
            kept = mask.expand(2, 5, 7)[image, row]
            alone = query[image : image + 1, :, row : row + 1]
            key_left, value_left = (part[image : image + 1, :, kept] for part in (key, value))
            expected = (
                attention_weights(alone, key_left, score)[0, :, 0],
                apply_attention(alone, key_left, value_left, score)[0, :, 0],
            )
            masked = weights[image, :, row]
            assert bool((masked[:, ~kept] == 0).all())
            torch.testing.assert_close(
                (masked[:, kept], found[image, :, row]), expected, rtol=0, atol=1e-12
            )

    def test_the_future_does_not_reach_the_past(self, score: str) -> None:
        with initialization(0, "layer"):
            layer = Attention(8, heads=2, score=score).double()
        tokens = draw(1, 5, 8).detach()
        changed = tokens.clone()
        changed[:, 3:] += 1
        before, after = (layer(each, mask=causal_mask(5)) for each in (tokens, changed))
        assert torch.equal(before[:, :3], after[:, :3])
        assert not torch.allclose(before[:, 3:], after[:, 3:])

    def test_reading_is_applying_the_weights(self, score: str) -> None:
        query, key, value = (
            draw(2, 3, 5, 4),
            draw(2, 3, 7, 4, counter=1),
            draw(2, 3, 7, 6, counter=2),
        )
        expected = attend(attention_weights(query, key, score), value)
        torch.testing.assert_close(
            apply_attention(query, key, value, score), expected, rtol=0, atol=1e-12
        )
