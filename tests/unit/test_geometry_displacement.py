"""Closed forms, planted cases and refusals of the displacement half of the geometry."""

import math

import pytest
import torch
from scipy.special import betainc

from orthogan.errors import ConfigError, DataError, ShapeError, UnknownNameError
from orthogan.geometry import (
    census,
    compare_corrections,
    count_flips,
    identity_margin,
    mean_code,
    place_positions,
    recover,
    safe_radius,
    sinusoids,
    split_displacement,
)
from orthogan.geometry.identity import (
    is_perpendicular,
    linear_r2,
    principal_angles,
    projected_codes,
    scaled_codes,
    tolerance,
)
from orthogan.geometry.positions import (
    CONTROLS,
    code_product,
    first_near_return,
    isotropic_codes,
    largest_turn,
    random_safe_length,
    rotated_codes,
    shift_rotation,
    sinusoids_like,
)
from orthogan.geometry.spectra import placement

pytestmark = pytest.mark.usefixtures("one_thread")
BAD = torch.tensor([[0.0, math.nan]])


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def test_answers_have_the_precision_of_what_was_given():
    for dtype, wanted in ((torch.bfloat16, torch.float32), (torch.float64, torch.float64)):
        tokens, shift = draw(4, 3).to(dtype), draw(3).to(dtype)
        assert identity_margin(tokens, shift).dtype == wanted
        assert split_displacement(tokens, shift).turn.dtype == wanted
        assert place_positions(tokens, tokens).dtype == wanted


def test_the_turn_beyond_the_token_is_a_half_turn():
    assert largest_turn(1.0, 2.0) == math.pi
    assert largest_turn(1.0, 1.0) == math.pi / 2
    found = split_displacement(torch.tensor([[1.0, 0.0]]), torch.tensor([-3.0, 0.0]))
    assert float(found.turn) == pytest.approx(math.pi, rel=1e-6)
    back = split_displacement(torch.tensor([[1.0, 0.0]]), torch.tensor([-1.0, 0.0]))
    assert float(back.turn) == 0


def test_huge_and_tiny_tokens_keep_their_margins():
    tokens, shift = draw(12, 4), draw(4, seed=1)
    for factor in (2.0**-500, 2.0**500):
        found = identity_margin(factor * tokens, factor * shift)
        torch.testing.assert_close(
            found / factor, identity_margin(tokens, shift), rtol=1e-14, atol=0
        )
    with_near = torch.cat([tokens + 1e3, tokens[:1] + 1e3 + 1e-9])
    gap = (with_near[0] - with_near[-1]).norm()
    torch.testing.assert_close(safe_radius(with_near)[0], gap / 2, rtol=1e-12, atol=0)


def test_a_tie_of_logits_that_parts_is_no_flip():
    # Token 3 ties with token 2 at rest (17 = 18 - 1) and moves away from it; centring the table
    # divides by 5 and would leave a margin of -1e-15 in the place of 0.
    tokens = torch.tensor([(4, 4, 2), (-4, -2, -1), (-2, 3, 4), (0, 2, 3), (-2, -4, 4)]).double()
    step, bias = torch.tensor([0.5, 2.0**-23, 0.5]).double(), torch.tensor([1, 0, -1, 4, 4.0])
    assert identity_margin(tokens, 0 * step, "logits", bias)[3] == 0
    factors = tolerance(tokens, step, "logits", bias)
    assert factors[3] == pytest.approx(2 / (1.5 + 2 * 2.0**-23))  # where token 0 takes it
    assert census(tokens, step[None], "logits", bias).tolerance == factors.min()


def test_of_two_tokens_in_one_direction_the_bias_alone_decides():
    """No boundary lies between them: wherever they are, one of the two is named."""
    tokens = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    bias = torch.tensor([0.0, 0.5, 0.0], dtype=torch.float64)
    for shift in ([0.0, 0.0], [0.3, 0.0]):
        moved = torch.tensor(shift, dtype=torch.float64)
        margins = identity_margin(tokens, moved, "logits", bias)
        assert margins[0] == -math.inf
        assert margins[1] == pytest.approx((1.5 + shift[0]) / math.sqrt(2))


def test_a_single_token_has_nothing_to_become():
    assert identity_margin(torch.ones(1, 2), torch.ones(2)).tolist() == [math.inf]
    assert tolerance(torch.ones(1, 2), torch.ones(2)).tolist() == [math.inf]


def test_principal_angles_are_exact_when_small():
    for angle in (1e-9, 1e-3, 0.7, 1.5):
        left = torch.eye(3).double()[:, :1]
        right = torch.tensor([[math.cos(angle)], [math.sin(angle)], [0.0]]).double()
        assert float(principal_angles(left, right)) == pytest.approx(angle, rel=1e-7)
        found = recover(left.T, right.T)
        assert found.readout_norm == pytest.approx(1 / math.sin(angle), rel=1e-7)


def test_a_code_in_the_span_of_the_tokens_cannot_be_separated():
    found = recover(torch.eye(3), torch.tensor([[1.0, 1.0, 1.0]]))
    assert not found.separable
    assert found.readout_norm == math.inf
    assert (found.token_rank, found.position_rank) == (3, 1)
    assert recover(torch.eye(3), torch.zeros(2, 3)).readout_norm == 1.0
    assert recover(torch.eye(3), torch.zeros(2, 3)).coincidence.collides


def test_recovery_on_one_axis_is_the_signal_to_noise_ratio():
    token_r2, position_r2 = linear_r2(torch.tensor([[3.0], [-3.0]]), torch.tensor([[1.0], [-1.0]]))
    assert (token_r2, position_r2) == pytest.approx((0.9, 0.1), rel=1e-12)
    assert linear_r2(torch.ones(2, 1), torch.ones(2, 1)) == (1.0, 1.0)


def test_superposed_tokens_are_named_and_a_near_miss_is_none():
    tokens = torch.tensor([[0.0, 0.0], [1.0, 0.0], [7.0, 7.0]])
    codes = torch.tensor([[0.0, 3.0], [1.0, 3.0], [9.0, -4.0]])
    found = recover(tokens, codes).coincidence
    assert {found.first, found.second} == {(0, 1), (1, 0)}
    assert (found.distance, found.collides) == (0.0, True)
    moved = torch.nextafter(codes[1, 0], torch.tensor(2.0))
    codes[1, 0] = moved
    found = recover(tokens, codes).coincidence
    assert {found.first, found.second} == {(0, 1), (1, 0)}
    assert not found.collides
    assert found.distance == pytest.approx(float(moved) - 1, rel=1e-12)
    lone = recover(torch.ones(1, 2), torch.ones(1, 2)).coincidence
    assert (lone.distance, lone.collides) == (math.inf, False)


def test_sinusoids_have_the_products_of_the_closed_form():
    codes = sinusoids(40, 16, base=500.0)
    steps = torch.arange(40)
    torch.testing.assert_close(codes @ codes[0], code_product(steps, 16, 500.0), rtol=0, atol=1e-12)
    torch.testing.assert_close(codes.square().sum(1), torch.full((40,), 8.0).double())
    wrong = shift_rotation(3.0, 16, 400.0) @ codes[5]
    assert (wrong - codes[8]).norm() > 0.01


@pytest.mark.parametrize(
    ("width", "base", "within"), [(2, 1e4, 0.1), (4, 3.0, 0.3), (6, 20.0, 0.5)]
)
def test_the_first_near_return_is_the_one_a_search_finds(width, base, within):
    codes = sinusoids(3000, width, base)
    near = (codes - codes[0]).norm(dim=1) <= within * codes[0].norm()
    away = int((~near).nonzero()[0])
    wanted = away + int(near[away:].nonzero()[0])
    assert first_near_return(width, base, within, 3000) == wanted
    assert first_near_return(width, base, within, wanted - 1) is None
    assert first_near_return(64, within=0.01, num_positions=5000) is None


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_have_the_energy_and_the_shape_of_the_codes(name):
    codes = draw(9, 6)
    found = CONTROLS[name](codes)
    assert found.shape == codes.shape
    torch.testing.assert_close(found.norm(), codes.norm(), rtol=1e-12, atol=0)
    assert (found - codes).norm() > 0.1


def test_rotated_codes_keep_their_gram_matrix_and_isotropic_ones_their_lengths():
    codes = draw(9, 6)
    for seed in (0, 1):
        turned = rotated_codes(codes, seed)
        torch.testing.assert_close(turned @ turned.T, codes @ codes.T, rtol=0, atol=1e-12)
        lengths = isotropic_codes(codes, seed).norm(dim=1)
        torch.testing.assert_close(lengths, codes.norm(dim=1), rtol=1e-12, atol=0)
    assert (rotated_codes(codes, 0) - rotated_codes(codes, 1)).norm() > 0.1
    assert (isotropic_codes(codes, 0) - isotropic_codes(codes, 1)).norm() > 0.1
    assert (sinusoids_like(codes, 10.0) - sinusoids_like(codes)).norm() > 0.1


@pytest.mark.parametrize("width", [2, 3, 10, 768])
@pytest.mark.parametrize("num_tokens", [3, 100, 30_522])
@pytest.mark.parametrize("risk", [0.01, 0.5])
def test_the_random_safe_length_keeps_its_promise(width, num_tokens, risk):
    length = random_safe_length(1.0, width, num_tokens, risk)
    cosine = 1 / length
    # The exact share of directions within the cap, and the union over all other tokens.
    cap = 0.5 * betainc((width - 1) / 2, 0.5, 1 - cosine**2) if length < math.inf else 0
    assert (num_tokens - 1) * cap <= risk * (1 + 1e-9)
    assert length >= 1
    assert random_safe_length(2.0, width, num_tokens, risk) == 2 * length
    assert random_safe_length(1.0, width, num_tokens, risk / 10) <= length


def test_random_displacements_within_the_safe_length_flip_no_more_than_the_risk():
    tokens = draw(200, 128)
    radius = float(safe_radius(tokens)[0])
    length = random_safe_length(radius, 128, 200, risk=0.2)
    assert length > 2 * radius
    shifts = isotropic_codes(torch.full((400, 128), length / 128**0.5).double())
    assert int(count_flips(tokens, shifts).flips_per_token[0]) <= 0.2 * 400


def test_placement_reaches_the_sum_of_opposite_products():
    a, b = draw(5, 5), draw(5, 5, seed=1)
    a, b = a @ a.T, b @ b.T
    r = placement(a, b)
    wanted = torch.linalg.eigvalsh(a) @ torch.linalg.eigvalsh(b).flip(0)
    torch.testing.assert_close((r.T @ a @ r @ b).trace(), wanted, rtol=1e-10, atol=0)


def anisotropic():
    tokens = draw(80, 8) * torch.tensor([4.0, 2.0, 1.0, 1.0, 1.0, 0.3, 0.01, 0.01])
    codes = 2 * draw(10, 8, seed=1) * torch.tensor([1.0, 1.0, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3])
    return tokens, codes + 0.5


def test_every_prescription_reports_what_its_codes_do():
    tokens, codes = anisotropic()
    found = {one.name: one for one in compare_corrections(tokens, codes)}
    assert list(found) == ["scale", "remove-mean", "rotate", "project"]
    for one in found.values():
        assert one.before.flips == count_flips(tokens, codes).flips > 0
        assert one.after.flips == count_flips(tokens, one.codes).flips
        assert one.token_r2 == (linear_r2(tokens, codes)[0], linear_r2(tokens, one.codes)[0])
        assert one.position_r2 == (linear_r2(tokens, codes)[1], linear_r2(tokens, one.codes)[1])
        energy = one.codes.square().sum() / codes.square().sum()
        assert one.energy_kept == pytest.approx(float(energy), rel=1e-12)
        assert one.to_dict()["flips"] == [one.before.flips, one.after.flips]
    assert found["scale"].after.flips == 0
    assert found["rotate"].after.flips < found["rotate"].before.flips / 2
    assert found["project"].after.flips < found["project"].before.flips
    torch.testing.assert_close(found["remove-mean"].codes, mean_code(codes).centred)
    torch.testing.assert_close(found["rotate"].codes, place_positions(codes, tokens))
    torch.testing.assert_close(found["project"].codes, projected_codes(tokens, codes))
    torch.testing.assert_close(found["scale"].codes, scaled_codes(tokens, codes))
    assert [one.name for one in compare_corrections(tokens, codes, ["rotate"])] == ["rotate"]


def test_scaling_stops_just_inside_the_first_boundary():
    tokens, codes = anisotropic()
    shortened = scaled_codes(tokens, codes)
    assert count_flips(tokens, shortened).flips == 0
    assert count_flips(tokens, shortened * (1 + 1e-5)).flips > 0
    torch.testing.assert_close(scaled_codes(tokens, shortened / 2), shortened / 2)


def test_projection_clears_as_many_directions_as_asked():
    tokens, codes = anisotropic()
    spread = torch.cov(tokens.T)
    vectors = torch.linalg.eigh(spread).eigenvectors.flip(1)
    for num in (0, 1, 3, 8):
        left = (projected_codes(tokens, codes, num) @ vectors).norm(dim=0)
        assert left[:num].norm() < 1e-12
        torch.testing.assert_close(left[num:], (codes @ vectors).norm(dim=0)[num:])
    variances = torch.linalg.eigvalsh(spread).flip(0).cumsum(0)
    fewest = int((variances < 0.9 * variances[-1]).sum()) + 1
    assert 1 <= fewest <= 4
    wanted = projected_codes(tokens, codes, fewest)
    torch.testing.assert_close(projected_codes(tokens, codes), wanted)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: identity_margin(BAD, torch.ones(2)), DataError, "'tokens' holds NaN"),
        (lambda: identity_margin(torch.ones(1, 2), BAD[0]), DataError, "'shift' holds NaN"),
        (lambda: identity_margin(torch.eye(2), torch.ones(3)), ShapeError, "3 != 2"),
        (lambda: identity_margin(torch.eye(2), torch.eye(2)), ShapeError, "'shift' needs the axis"),
        (lambda: tolerance(torch.eye(2), torch.ones(2), "dot"), UnknownNameError, "'dot'"),
        (lambda: is_perpendicular(BAD, torch.ones(2)), DataError, "'tokens' holds NaN"),
        (lambda: split_displacement(torch.zeros(2, 2), torch.ones(2)), DataError, "2 zero rows"),
        (lambda: recover(torch.eye(2), BAD), DataError, "'codes' holds NaN"),
        (lambda: recover(torch.eye(2), torch.ones(2, 3)), ShapeError, "3 != 2"),
        (lambda: place_positions(BAD, torch.eye(2)), DataError, "'codes' holds NaN"),
        (lambda: mean_code(BAD), DataError, "'codes' holds NaN"),
        (lambda: rotated_codes(BAD), DataError, "'codes' holds NaN"),
        (
            lambda: compare_corrections(torch.eye(2), torch.eye(2), ["rotat"]),
            UnknownNameError,
            "'rotate'",
        ),
        (lambda: projected_codes(torch.eye(2), torch.eye(2), 3), ConfigError, "in 0..2, got 3"),
        (lambda: sinusoids(2, 3), ConfigError, "even width of at least 2, got 3"),
        (lambda: sinusoids(0, 2), ConfigError, "'num_positions'"),
        (lambda: sinusoids(2, 2, -1.0), ConfigError, "'base'"),
        (lambda: sinusoids_like(torch.ones(2, 3)), ConfigError, "even width"),
        (lambda: first_near_return(2, within=3.0), ConfigError, "'within'"),
        (lambda: first_near_return(2, num_positions=0), ConfigError, "'num_positions'"),
        (lambda: largest_turn(0.0, 1.0), ConfigError, "'length'"),
        (lambda: largest_turn(1.0, math.nan), ConfigError, "'radius'"),
        (lambda: random_safe_length(-1.0, 4, 5), ConfigError, "'radius'"),
        (lambda: random_safe_length(1.0, 1, 5), ConfigError, "'width'"),
        (lambda: random_safe_length(1.0, 4, 5, 1.0), ConfigError, "'risk'"),
    ],
)
def test_bad_input_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()
