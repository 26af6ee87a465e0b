"""The measures that are cheap enough for every so many steps, against their slower references."""

from __future__ import annotations

import math

import pytest
import torch

from orthogan.errors import DataError, ShapeError
from orthogan.geometry import head_forms, two_collapses
from orthogan.geometry.collapse import (
    rank_collapse_share,
    small_value_share,
    token_residual,
    token_uniformity,
)
from orthogan.geometry.heads import (
    entropy_state,
    extremal_logits,
    head_entropies,
    largest_share,
    largest_shares,
)
from orthogan.geometry.spectra import weight_spectrum
from orthogan.rng import stream


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(stream(seed, "live").standard_normal(shape))


class TestUniformity:
    @pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5, 1), (6, 3, 4), (2, 9, 2)])
    def test_is_one_less_the_mean_residual(self, shape: tuple[int, ...]) -> None:
        states = draw(*shape)
        residuals = [token_residual(image) for image in states]
        assert token_uniformity(states) == pytest.approx(1 - sum(residuals) / len(residuals))

    def test_is_exactly_one_where_tokens_are_alike(self) -> None:
        alike = draw(4, 1, 3).expand(4, 7, 3)
        assert token_uniformity(alike) == 1.0
        assert token_uniformity(0 * alike) == 1.0
        assert token_uniformity(1e-200 * alike) == 1.0

    def test_a_common_part_makes_tokens_alike(self) -> None:
        states = draw(3, 4, 5)
        assert token_uniformity(states) < 0.3
        assert token_uniformity(states + 1e6) > 0.99

    def test_refuses_no_tokens(self) -> None:
        with pytest.raises(ShapeError, match="'states' needs at least one of its tokens"):
            token_uniformity(torch.zeros(2, 0, 3))

    def test_refuses_nan(self) -> None:
        with pytest.raises(DataError, match="'states' holds NaN"):
            token_uniformity(torch.full((1, 2, 3), math.nan))


class TestRankCollapseShare:
    def test_is_one_for_alike_tokens_and_about_zero_for_independent_ones(self) -> None:
        assert rank_collapse_share(two_collapses(draw(9, 1, 4).expand(9, 6, 4))) == 1.0
        assert rank_collapse_share(two_collapses(draw(200, 6, 4))) < 0.01

    def test_a_common_part_changes_nothing(self) -> None:
        states = draw(9, 6, 4)
        before = rank_collapse_share(two_collapses(states))
        shifted = rank_collapse_share(two_collapses(states + 100))
        assert shifted == pytest.approx(before, abs=1e-9)

    def test_position_alone_is_no_rank_collapse(self) -> None:
        assert rank_collapse_share(two_collapses(draw(1, 6, 4).expand(9, 6, 4))) == 0.0

    def test_one_token_cannot_tell_and_nothing_at_all_is_a_collapse(self) -> None:
        assert rank_collapse_share(two_collapses(draw(9, 1, 4))) == 0.0
        assert rank_collapse_share(two_collapses(torch.ones(9, 6, 4))) == 1.0

    def test_grows_with_the_part_that_tokens_share(self) -> None:
        own, shared = draw(50, 6, 4), draw(50, 1, 4, seed=1)
        shares = [rank_collapse_share(two_collapses(own + k * shared)) for k in (0, 1, 3, 10)]
        assert shares == sorted(shares)
        assert shares[-1] > 0.95


class TestHeadEntropies:
    def test_agrees_with_the_state_of_each_head(self) -> None:
        logits = 3 * draw(4, 2, 5, 6)
        found = head_entropies(logits.softmax(-1))
        for head in range(2):
            state = entropy_state(logits[:, head].flatten(0, 1), torch.eye(2))
            assert found.entropy[head] == pytest.approx(state.entropy, abs=1e-12)
            assert found.bound[head] == pytest.approx(state.bound, abs=1e-12)
        assert found.tokens == 6

    @pytest.mark.parametrize("norm", [0.0, 1.0, 20.0])
    def test_extremal_rows_reach_the_bound(self, norm: float) -> None:
        rows = extremal_logits(norm, 7).softmax(-1).expand(2, 1, 3, 7)
        found = head_entropies(rows)
        assert found.entropy[0] == pytest.approx(found.bound[0], abs=1e-12)

    def test_weights_in_half_precision_are_read(self) -> None:
        logits = draw(4, 2, 5, 49).float()
        found = head_entropies(logits.softmax(-1).bfloat16())
        assert found.entropy == pytest.approx(head_entropies(logits.softmax(-1)).entropy, rel=1e-2)

    def test_a_weight_that_rounded_to_nothing_stays_finite(self) -> None:
        sharp = torch.tensor([1.0, 0.0]).expand(1, 1, 2, 2)
        assert head_entropies(sharp).to_dict() == {
            "entropy": [0.0],
            "bound": [pytest.approx(0.0, abs=1e-12)],
            "tokens": 2,
        }

    @pytest.mark.parametrize("bad", [-torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)])
    def test_refuses_scores_that_are_no_distributions(self, bad: torch.Tensor) -> None:
        with pytest.raises(DataError, match="are no distributions"):
            head_entropies(bad)


class TestLargestShares:
    @pytest.mark.parametrize("shape", [(1, 1, 1), (3, 8, 2), (2, 3, 5)])
    def test_agrees_with_the_whole_forms(self, shape: tuple[int, ...]) -> None:
        query, key = draw(*shape), draw(*shape, seed=1)
        whole = [largest_share(form) for form in head_forms(query, key)]
        assert largest_shares(query, key) == pytest.approx(whole, rel=1e-12)

    def test_zeros_have_no_direction(self) -> None:
        assert largest_shares(torch.zeros(1, 3, 2), torch.ones(1, 3, 2)) == (0.0,)

    def test_one_direction_is_one(self) -> None:
        line = draw(1, 6, 1) @ draw(1, 1, 3)
        assert largest_shares(line, draw(1, 6, 3)) == pytest.approx((1.0,))


class TestWeightSpectrum:
    @pytest.mark.parametrize("shape", [(1, 1), (7, 3), (3, 7), (4, 2, 3, 3)])
    def test_agrees_with_the_singular_values(self, shape: tuple[int, ...]) -> None:
        weight = draw(*shape)
        found = weight_spectrum(weight)
        norm = torch.linalg.matrix_norm(weight.flatten(1), ord=2)
        assert found.norm == pytest.approx(float(norm), rel=1e-12)
        assert found.small_share == small_value_share(weight)

    def test_counts_small_values_on_both_sides_of_the_line(self) -> None:
        weight = torch.diag(torch.tensor([2.0, 1.0, 0.0201, 0.0199, 0.0]))
        assert weight_spectrum(weight).small_share == pytest.approx(0.4)
        assert weight_spectrum(1e-150 * weight.double()).small_share == pytest.approx(0.4)

    def test_zeros_have_nothing_left(self) -> None:
        assert weight_spectrum(torch.zeros(2, 3)).to_dict() == {"norm": 0.0, "small_share": 1.0}

    def test_refuses_a_vector_and_nan(self) -> None:
        with pytest.raises(ShapeError, match="'weight' needs two axes"):
            weight_spectrum(torch.ones(3))
        with pytest.raises(DataError, match="'weight' holds NaN"):
            weight_spectrum(torch.full((2, 2), math.nan))
