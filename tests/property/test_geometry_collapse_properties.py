"""Two collapses: the decomposition is exact however the states come in."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from orthogan.geometry.collapse.decomposition import two_collapses, two_collapses_of_batches
from orthogan.geometry.collapse.fake_to_real import collapse_ratio
from orthogan.rng import stream


@st.composite
def states(draw: st.DrawFn) -> Tensor:
    """Planted positions and contexts of any strength, duplicates, shifts and scales."""
    shape = draw(st.integers(1, 9)), draw(st.integers(1, 6)), draw(st.integers(1, 4))
    source = stream(draw(st.integers(0, 10**6)), "states")
    strength = [draw(st.sampled_from([0.0, 1e-3, 1.0, 30.0])) for _ in range(3)]
    cube = strength[0] * source.standard_normal((1, *shape[1:]))
    cube = cube + strength[1] * source.standard_normal((shape[0], 1, shape[2]))
    cube = cube + strength[2] * source.standard_normal(shape)
    return torch.from_numpy(cube + draw(st.sampled_from([0.0, 1.0, -1e4])))


def sums_of_squares(cube: Tensor) -> tuple[float, float, float, float]:
    mean, at, of = cube.mean((0, 1)), cube.mean(0), cube.mean(1)
    images, tokens, _ = cube.shape
    return (
        images * float((at - mean).square().sum()),
        tokens * float((of - mean).square().sum()),
        float((cube - at - of[:, None] + mean).square().sum()),
        float((cube - mean).square().sum()),
    )


@settings(deadline=None, max_examples=150)
@given(states().filter(lambda cube: cube.shape[0] * cube.shape[1] > 1))
def test_the_three_parts_are_their_formulas_and_add_up(cube: Tensor) -> None:
    found = two_collapses(cube)
    position, context, residual, total = sums_of_squares(cube)
    slack = 1e-12 * (total + float(cube.square().max()) * cube.numel() * 1e-6)
    assert found.position_energy == pytest.approx(position, abs=slack)
    assert found.context_energy == pytest.approx(context, abs=slack)
    assert found.residual_energy == pytest.approx(residual, abs=slack)
    assert found.total_energy == pytest.approx(total, abs=slack)
    assert sum(found.null_shares) == pytest.approx(1, abs=1e-12)
    if found.total_energy:
        assert sum(found.shares) == pytest.approx(1, abs=1e-12)


@settings(deadline=None, max_examples=100)
@given(states(), st.lists(st.integers(0, 9), max_size=4), st.integers(0, 99))
def test_batches_and_the_order_of_images_change_nothing(
    cube: Tensor, cuts: list[int], seed: int
) -> None:
    if cube.shape[0] * cube.shape[1] < 2:
        return
    whole = two_collapses(cube)
    order = torch.from_numpy(stream(seed, "order").permutation(len(cube)))
    at = sorted({min(cut, len(cube)) for cut in cuts} - {0, len(cube)})
    streamed = two_collapses_of_batches(cube[order].tensor_split(at))
    slack = 1e-12 * (whole.total_energy + float(cube.square().max()) * cube.numel() * 1e-6)
    for name in ("position_energy", "context_energy", "residual_energy"):
        assert getattr(streamed, name) == pytest.approx(getattr(whole, name), abs=slack), name
    assert (streamed.images, streamed.tokens) == (whole.images, whole.tokens)


@settings(deadline=None, max_examples=60)
@given(states(), st.integers(2, 9), st.integers(2, 6))
def test_identical_images_and_identical_tokens_are_complete_collapses(
    cube: Tensor, images: int, tokens: int
) -> None:
    alike = two_collapses(cube[:1].expand(images, -1, -1))
    assert (alike.context_energy, alike.residual_energy) == (0, 0)
    flat = two_collapses(cube[:, :1].expand(-1, tokens, -1))
    assert (flat.position_energy, flat.residual_energy) == (0, 0)
    # A single token, or a single image, may leave nothing that varies.
    assert alike.position == (1 if alike.total_energy else 0)
    assert flat.context == (1 if flat.total_energy else 0)


@settings(deadline=None, max_examples=60)
@given(states(), st.floats(0.01, 100))
def test_scaled_states_keep_their_shares_and_square_their_energies(
    cube: Tensor, scale: float
) -> None:
    if cube.shape[0] * cube.shape[1] < 2:
        return
    cube = cube - cube.mean((0, 1))
    real = two_collapses(cube)
    ratio = collapse_ratio(two_collapses(scale * cube), real)
    # Parts within rounding of zero have no meaningful ratio.
    solid = [energy > 1e-9 * real.total_energy > 0 for energy in real.energies]
    for is_solid, energy, share in zip(solid, ratio.energy, ratio.share, strict=True):
        if is_solid:
            assert energy == pytest.approx(scale**2, rel=1e-6)
            assert share == pytest.approx(1, rel=1e-6)
