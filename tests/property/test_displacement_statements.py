"""Every statement about displaced tokens, on drawn tables, in float64."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from orthogan.geometry import (
    count_flips,
    identity_margin,
    mean_code,
    place_positions,
    recover,
    safe_radius,
    sinusoids,
    split_displacement,
)
from orthogan.geometry.identity import is_perpendicular, linear_r2, tolerance
from orthogan.geometry.positions import (
    largest_turn,
    rotated_codes,
    shift_rotation,
)

statement = settings(deadline=None, max_examples=25)
seeds = st.integers(0, 2**31)
widths = st.integers(1, 7)
counts = st.integers(2, 25)
readers = st.sampled_from(["euclidean", "cosine", "logits"])
lengths = st.sampled_from([1e-3, 0.1, 1.0, 10.0, 1e3])


def draw(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@statement
@given(seeds, counts, widths, lengths)
def test_along_and_across_make_up_the_displacement(
    seed: int, num: int, width: int, length: float
) -> None:
    tokens, shift = draw(seed, num, width), length * draw(seed + 1, width)
    found = split_displacement(tokens, shift)
    total = found.along.square() + found.across.square()
    torch.testing.assert_close(total, shift.square().sum().expand(num), rtol=1e-12, atol=1e-15)
    moved = tokens + shift
    cosine = (tokens * moved).sum(1) / (tokens.norm(dim=1) * moved.norm(dim=1))
    torch.testing.assert_close(found.turn.cos(), cosine, rtol=0, atol=1e-12)


@statement
@given(seeds, st.integers(2, 7), st.floats(0.01, 0.99))
def test_no_displacement_turns_further_than_the_largest_turn(
    seed: int, width: int, ratio: float
) -> None:
    token = draw(seed, 1, width)
    length = float(token.norm())
    radius = ratio * length
    most = largest_turn(length, radius)
    tries = draw(seed + 1, 50, width)
    for shift in radius * tries / tries.norm(dim=1, keepdim=True):
        assert float(split_displacement(token, shift).turn) <= most + 1e-12
    unit = token[0] / length
    across = tries[0] - (tries[0] @ unit) * unit
    across = across / across.norm()
    cosine = max(-1.0, -radius / length)
    best = radius * (cosine * unit + math.sqrt(1 - cosine**2) * across)
    assert float(split_displacement(token, best).turn) == pytest.approx(most, rel=1e-9)
    level = float(split_displacement(token, radius * across).turn)
    assert level == pytest.approx(math.atan(ratio), rel=1e-9)
    assert level < most
    for factor in (0.5, -0.5 * ratio):
        assert float(split_displacement(token, factor * token[0]).turn) < 1e-7


@statement
@given(seeds, counts, st.integers(2, 7), lengths, readers)
def test_margins_are_those_of_the_definition_and_tell_who_is_kept(
    seed: int, num: int, width: int, length: float, reader: str
) -> None:
    tokens, shift = draw(seed, num, width), length * draw(seed + 1, width)
    bias = draw(seed + 2, num) if reader == "logits" else None
    directions, offsets = tokens, -tokens.square().sum(1) / 2
    if reader != "euclidean":
        offsets = torch.zeros(num, dtype=torch.float64) if bias is None else bias
    if reader == "cosine":
        directions = tokens / tokens.norm(dim=1, keepdim=True)
    scores = (tokens + shift) @ directions.T + offsets
    lead = scores.diagonal()[:, None] - scores
    distance = (directions[:, None] - directions).norm(dim=2)
    lead = torch.where(distance > 0, lead / distance, math.inf)
    wanted = lead.fill_diagonal_(math.inf).amin(1)
    found = identity_margin(tokens, shift, reader, bias)
    size = (1 + float(scores.abs().max())) / float(distance[distance > 0].min())
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-13 * size)
    result = count_flips(tokens, shift[None], reader, bias)
    clear = wanted.abs() > 1e-12 * size
    assert torch.equal(result.flips_per_token[clear] > 0, wanted[clear] < 0)


@statement
@given(seeds, counts, widths, st.floats(0, 0.999))
def test_no_displacement_within_the_safe_radius_flips_and_one_just_beyond_does(
    seed: int, num: int, width: int, share: float
) -> None:
    tokens = draw(seed, num, width)
    radii = safe_radius(tokens)
    shift = draw(seed + 1, width)
    shift = shift / shift.norm()
    i = int(radii.argmin())
    assert float(identity_margin(tokens, share * radii[i] * shift)[i]) > 0
    apart = tokens - tokens[i]
    distance = apart.norm(dim=1)
    distance[i] = math.inf
    towards = apart[int(distance.argmin())] / distance.min()
    margin = identity_margin(tokens, 1.001 * radii[i] * towards)[i]
    assert float(margin) == pytest.approx(-0.001 * float(radii[i]), rel=1e-6)


@statement
@given(seeds, counts, st.integers(1, 4), lengths)
def test_perpendicular_displacements_flip_nothing(
    seed: int, num: int, width: int, length: float
) -> None:
    turn = torch.linalg.qr(draw(seed, width + 2, width + 2)).Q
    flat = torch.cat([draw(seed + 1, num, width), torch.zeros(num, 2).double()], 1)
    tokens = flat @ turn + draw(seed + 2, width + 2)
    shift = length * turn[-1]
    assert is_perpendicular(tokens - tokens.mean(0), shift)
    assert not is_perpendicular(tokens, shift + (tokens[1] - tokens[0]))
    assert bool((identity_margin(tokens, shift) > 0).all())
    assert count_flips(tokens, shift[None]).flips == 0


@statement
@given(seeds, counts, widths, readers)
def test_the_margin_is_zero_at_the_tolerance(seed: int, num: int, width: int, reader: str) -> None:
    tokens, shift = draw(seed, num, width), draw(seed + 1, width)
    factors = tolerance(tokens, shift, reader)
    at_rest = safe_radius(tokens, reader)
    for i in range(num):
        factor = float(factors[i])
        if math.isinf(factor):
            assert float(identity_margin(tokens, 1e6 * shift, reader)[i]) >= -1e-6
        elif factor == 0:
            assert float(at_rest[i]) <= 0
        else:
            margin = float(identity_margin(tokens, factor * shift, reader)[i])
            assert margin == pytest.approx(0, abs=1e-10 * (1 + factor * float(shift.norm())))
            assert float(identity_margin(tokens, 1.01 * factor * shift, reader)[i]) < 0
            assert float(identity_margin(tokens, 0.99 * factor * shift, reader)[i]) > 0


@statement
@given(seeds, counts, widths)
def test_a_common_shift_changes_no_distance_and_the_mean_code_is_one(
    seed: int, num: int, width: int
) -> None:
    codes = draw(seed, num, width) + draw(seed + 1, width)
    found = mean_code(codes)
    torch.testing.assert_close(found.mean + found.centred, codes, rtol=0, atol=1e-13)
    assert found.centred.mean(0).abs().max() < 1e-13
    energy = num * found.mean.square().sum() + found.centred.square().sum()
    torch.testing.assert_close(energy, codes.square().sum(), rtol=1e-12, atol=0)
    assert found.share == pytest.approx(
        float(num * found.mean.square().sum() / codes.square().sum()), rel=1e-12
    )
    shifted = torch.cdist(codes + found.mean, codes + found.mean)
    torch.testing.assert_close(shifted, torch.cdist(codes, codes), rtol=0, atol=1e-6)


@statement
@given(seeds, st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.booleans())
def test_read_outs_exist_iff_the_spans_share_the_origin_only(
    seed: int, left: int, right: int, spare: int, shared: bool
) -> None:
    width = left + right + spare
    span_e, span_p = draw(seed, left, width), draw(seed + 1, right, width)
    if shared:
        span_p[0] = span_e[0]
    tokens, codes = draw(seed + 2, 9, left) @ span_e, draw(seed + 3, 8, right) @ span_p
    found = recover(tokens, codes)
    assert (found.token_rank, found.position_rank) == (left, right)
    assert found.separable is not shared
    if shared:
        assert math.isinf(found.readout_norm)
        return
    basis = torch.cat([torch.linalg.qr(span_e.T).Q, torch.linalg.qr(span_p.T).Q], 1)
    read = torch.linalg.pinv(basis)
    reader = basis[:, :left] @ read[:left]  # the projection on span E along span P
    torch.testing.assert_close((tokens[0] + codes[0]) @ reader.T, tokens[0], rtol=0, atol=1e-7)
    assert found.readout_norm == pytest.approx(float(torch.linalg.matrix_norm(reader, 2)), rel=1e-6)
    assert found.token_r2 == pytest.approx(1, abs=1e-6)
    assert found.position_r2 == pytest.approx(1, abs=1e-6)


@statement
@given(seeds, widths)
def test_r2_is_that_of_least_squares_on_all_sums(seed: int, width: int) -> None:
    tokens, codes = draw(seed, 9, width), 0.5 * draw(seed + 1, 7, width)
    sums = (tokens[:, None] + codes).flatten(0, 1)
    read = torch.cat([sums, torch.ones(len(sums), 1).double()], 1)
    both = (tokens[:, None].expand(9, 7, width), codes[None].expand(9, 7, width))
    for target, found in zip(both, linear_r2(tokens, codes), strict=True):
        flat = target.flatten(0, 1)
        fit = read @ (torch.linalg.pinv(read) @ flat)
        spread = (flat - flat.mean(0)).square().sum()
        assert found == pytest.approx(float(1 - (flat - fit).square().sum() / spread), abs=1e-9)


@statement
@given(seeds, st.integers(1, 8), st.integers(1, 6), st.integers(1, 3), st.booleans())
def test_the_nearest_superposition_is_that_of_brute_force(
    seed: int, num: int, positions: int, width: int, whole: bool
) -> None:
    tokens, codes = draw(seed, num, width), 0.5 * draw(seed + 1, positions, width)
    if whole:  # whole numbers collide often
        tokens, codes = (3 * tokens).round(), (4 * codes).round()
    places = (tokens[:, None] + codes).flatten(0, 1)
    apart = (places[:, None] - places).norm(dim=2).fill_diagonal_(math.inf)
    found = recover(tokens, codes).coincidence
    assert found.distance == pytest.approx(float(apart.min()), rel=1e-9, abs=0)
    assert found.collides == (float(apart.min()) == 0)
    if len(places) > 1:
        (i, s), (j, t) = found.first, found.second
        assert (i, s) != (j, t)
        distance = float((tokens[i] + codes[s] - tokens[j] - codes[t]).norm())
        assert distance == pytest.approx(found.distance, rel=1e-9, abs=1e-15)


@statement
@given(st.integers(0, 300), st.integers(-50, 50), st.sampled_from([2, 8, 32]))
def test_one_rotation_moves_all_sinusoids_on(start: int, step: int, width: int) -> None:
    codes = sinusoids(301 + 51, width)
    if start + step < 0:
        return
    rotation = shift_rotation(float(step), width)
    torch.testing.assert_close(rotation @ codes[start], codes[start + step], rtol=0, atol=1e-12)
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(width).double(), rtol=0, atol=1e-14)


@statement
@given(seeds, counts, st.integers(1, 6), lengths)
def test_placing_codes_keeps_their_gram_matrix_and_no_rotation_does_better(
    seed: int, num: int, width: int, length: float
) -> None:
    tokens = draw(seed, num + width, width) * torch.logspace(0, 2, width)
    codes = length * draw(seed + 1, num, width) * torch.logspace(1, 0, width)
    placed = place_positions(codes, tokens)
    gram = codes @ codes.T
    assert float((placed @ placed.T - gram).abs().max()) <= 1e-10 * float(gram.abs().max())
    spread = torch.cov(tokens.T, correction=0).reshape(width, width)

    def overlap(table: Tensor) -> float:
        return float((table @ spread * table).sum())

    energies = torch.linalg.eigvalsh(codes.T @ codes)
    variances = torch.linalg.eigvalsh(spread).flip(0)
    assert overlap(placed) == pytest.approx(float(energies @ variances), rel=1e-6)
    for other in range(5):
        assert overlap(placed) <= overlap(rotated_codes(codes, other)) * (1 + 1e-9)
