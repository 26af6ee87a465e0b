"""Identities of frames and whitening in float64, on tables that hypothesis draws."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orthogan.geometry import place_positions, whiten
from orthogan.geometry.spectra import coefficients, dual_basis, mahalanobis_products
from orthogan.geometry.spectra.moments import moments_of
from orthogan.geometry.spectra.whitening import whitening_methods
from orthogan.rng import stream

QUICK = settings(max_examples=20, deadline=None, derandomize=True)
SEEDS, WIDTHS = st.integers(0, 10**6), st.integers(1, 6)
METHODS = st.sampled_from(whitening_methods())


def gram(frame):
    return frame.double() @ frame.double().T


def draw(seed: int, *shape: int, counter: int = 0) -> torch.Tensor:
    return torch.from_numpy(stream(seed, "frames", counter).standard_normal(shape))


def correlated(seed: int, rows: int, width: int) -> torch.Tensor:
    """Rows whose covariance has a condition number of order 10, away from the origin."""
    mixing = torch.eye(width, dtype=torch.float64) + 0.3 * draw(seed, width, width, counter=1)
    return draw(seed, rows, width) @ mixing + draw(seed, width, counter=2)


def close(left: torch.Tensor, right: torch.Tensor, scale: float = 1.0) -> None:
    torch.testing.assert_close(left, right, rtol=0, atol=1e-12 * scale)


@QUICK
@given(SEEDS, WIDTHS)
def test_coefficients_rebuild_what_lies_in_the_span(seed: int, width: int) -> None:
    frame = torch.eye(width, width + 2, dtype=torch.float64) + 0.2 * draw(seed, width, width + 2)
    known = draw(seed, 5, width, counter=1)
    close(coefficients(known @ frame, frame), known, 10)
    # A part outside the span does not matter.
    outside = draw(seed, 5, width + 2, counter=2)
    outside -= coefficients(outside, frame) @ frame
    close(coefficients(known @ frame + outside, frame), known, 10)


@QUICK
@given(SEEDS, WIDTHS)
def test_the_dual_basis_is_what_plain_products_need(seed: int, width: int) -> None:
    frame = torch.eye(width, width + 1, dtype=torch.float64) + 0.2 * draw(seed, width, width + 1)
    dual = dual_basis(frame)
    close(dual @ frame.T, torch.eye(width, dtype=torch.float64), 10)
    close(dual, torch.linalg.solve(gram(frame), frame), 100)
    close(dual_basis(dual), frame, 10)
    close(gram(dual), torch.linalg.inv(gram(frame)), 100)


@QUICK
@given(SEEDS, st.integers(2, 6))
def test_plain_products_are_coordinates_only_in_an_orthonormal_frame(seed: int, width: int) -> None:
    axes = torch.linalg.qr(draw(seed, width, width))[0]
    vectors = draw(seed, 4, width, counter=1)
    close(coefficients(vectors, axes), vectors @ axes.T, 10)
    skew = axes + 0.3 * axes.roll(1, 0)
    assert not torch.allclose(coefficients(vectors, skew), vectors @ skew.T)


@QUICK
@given(SEEDS, WIDTHS, METHODS)
def test_whitened_products_are_mahalanobis_products(seed: int, width: int, method: str) -> None:
    tokens = correlated(seed, 6 * width + 6, width)
    white = whiten(tokens, shrink=0.0, method=method)
    rows = white.apply(tokens)
    moments = moments_of(tokens)
    close(rows @ rows.T, mahalanobis_products(tokens, moments.mean, moments.covariance), 1e3)
    close(rows.T @ rows / len(rows), torch.eye(width, dtype=torch.float64), 1e3)
    close(white.inverse(rows), tokens, 1e2)


@QUICK
@given(SEEDS, WIDTHS, METHODS, st.floats(0.01, 1))
def test_shrinkage_moves_toward_a_sphere(seed: int, width: int, method: str, share: float) -> None:
    tokens = correlated(seed, 6 * width + 6, width)
    covariance = torch.cov(tokens.T, correction=0).reshape(width, width)
    level = covariance.trace() / width
    expected = (1 - share) * covariance + share * level * torch.eye(width, dtype=torch.float64)
    white = whiten(tokens, share, method)
    rebuilt = white.inverse_matrix.T @ white.inverse_matrix
    close(rebuilt, expected, 1e2)
    close(white.matrix @ white.inverse_matrix, torch.eye(width, dtype=torch.float64), 1e2)
    assert white.shrinkage == share


@QUICK
@given(SEEDS, st.integers(1, 8), st.integers(2, 9))
def test_few_tokens_whitened_by_themselves_are_content_free(seed: int, width: int, n: int) -> None:
    """What the refusal says: through the pseudo-inverse, n <= D + 1 tokens give n I - 1."""
    n = min(n, width + 1)
    tokens = draw(seed, n, width)
    centred = tokens - tokens.mean(0)
    products = centred @ torch.linalg.pinv(centred.T @ centred / n) @ centred.T
    expected = n * torch.eye(n, dtype=torch.float64) - 1
    torch.testing.assert_close(products, expected, rtol=0, atol=1e-6)


@QUICK
@given(SEEDS, WIDTHS, st.integers(1, 4))
def test_batches_add_up(seed: int, width: int, batches: int) -> None:
    tokens = correlated(seed, 24, width) + 50
    collected = None
    for part in tokens.chunk(batches):
        collected = moments_of(part, collected)
    assert collected is not None
    whole = moments_of(tokens)
    close(collected.mean, tokens.mean(0), 1e2)
    close(collected.covariance, torch.cov(tokens.T, correction=0).reshape(width, width), 1e2)
    assert abs(collected.ledoit_wolf - whole.ledoit_wolf) < 1e-12


@QUICK
@given(SEEDS, WIDTHS, st.integers(1, 9))
def test_placing_keeps_all_products_and_no_rotation_does_better(
    seed: int, width: int, length: int
) -> None:
    codes, tokens = draw(seed, length, width), correlated(seed, 30, width)
    placed = place_positions(codes, tokens)
    close(placed @ placed.T, codes @ codes.T, 1e2)
    spread = torch.cov(tokens.T, correction=0).reshape(width, width)

    def disturbance(rows: torch.Tensor) -> float:
        return float((rows @ spread * rows).sum() / len(rows))

    a = torch.linalg.eigvalsh(codes.T @ codes / length)
    b = torch.linalg.eigvalsh(spread)
    assert abs(disturbance(placed) - float(a @ b.flip(0))) < 1e-11
    for counter in range(3, 8):
        turn = torch.linalg.qr(draw(seed, width, width, counter=counter))[0]
        assert disturbance(placed) <= disturbance(codes @ turn) + 1e-12


@QUICK
@given(SEEDS, st.integers(2, 6))
def test_disturbance_is_the_mean_square_product_with_token_differences(
    seed: int, width: int
) -> None:
    codes, tokens = draw(seed, 5, width), correlated(seed, 12, width)
    differences = (tokens[:, None] - tokens).flatten(0, 1)
    mean_square = (codes @ differences.T).square().mean()
    spread = torch.cov(tokens.T, correction=0)
    trace = torch.trace(codes.T @ codes / len(codes) @ spread)
    close(mean_square, 2 * trace, 1e2)
