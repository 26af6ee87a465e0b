"""Whitening, frames and placement: what they return, prefer and refuse."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from orthogan.errors import ConfigError, DataError, ShapeError, UnknownNameError
from orthogan.geometry import place_positions, whiten
from orthogan.geometry.spectra import (
    coefficients,
    dual_basis,
    mahalanobis_products,
    placement,
)
from orthogan.geometry.spectra.moments import moments_of
from orthogan.rng import stream


def draw(*shape: int, counter: int = 0) -> torch.Tensor:
    return torch.from_numpy(stream(0, "whitening", counter).standard_normal(shape))


def test_methods_differ_in_the_way_they_say() -> None:
    tokens = draw(60, 4) @ draw(4, 4, counter=1)
    pca, zca, cholesky = (whiten(tokens, 0.0, name).matrix for name in ("pca", "zca", "cholesky"))
    lengths = pca.norm(dim=0)  # one over the deviation along each axis
    assert bool((lengths.diff() > 0).all())
    products = pca.T @ pca
    assert torch.allclose(products, torch.diag(products.diagonal()))
    assert torch.allclose(zca, zca.T)
    assert torch.equal(cholesky, cholesky.triu())
    for one, other in ((pca, zca), (zca, cholesky)):
        assert not torch.allclose(one, other)
        assert torch.allclose(one @ one.T, other @ other.T)


def test_zca_moves_tokens_least() -> None:
    tokens = draw(60, 4) @ draw(4, 4, counter=1)
    moves = {
        name: float((whiten(tokens, 0.0, name).apply(tokens) - tokens).square().sum())
        for name in ("pca", "zca", "cholesky")
    }
    assert min(moves, key=lambda name: moves[name]) == "zca"


def test_the_signs_of_principal_axes_do_not_depend_on_the_order_of_tokens() -> None:
    tokens = draw(60, 4) @ draw(4, 4, counter=1)
    torch.testing.assert_close(whiten(tokens).matrix, whiten(tokens.flip(0)).matrix)
    assert bool((whiten(tokens).matrix.abs().amax(0) == whiten(tokens).matrix.amax(0)).all())


def test_shrinkage_falls_as_tokens_are_added() -> None:
    mixing = draw(6, 6, counter=1)
    shares = [whiten(draw(n, 6) @ mixing).shrinkage for n in (5, 40, 4000)]
    assert 1 >= shares[0] > shares[1] > shares[2] > 0
    assert whiten(draw(40, 1)).shrinkage == 0  # one dimension is a sphere already


def test_results_are_frozen_and_keep_the_precision_of_what_they_are_given() -> None:
    white = whiten(draw(40, 3).float())
    assert white.count == 40
    assert white.matrix.dtype == torch.float64
    rows = draw(2, 5, 3).float()
    assert white.apply(rows).dtype == torch.float32
    torch.testing.assert_close(white.inverse(white.apply(rows)), rows)
    with pytest.raises(dataclasses.FrozenInstanceError):
        white.count = 3  # type: ignore[misc]


def test_few_tokens_are_refused_without_shrinkage_and_the_reason_is_said() -> None:
    for n in (2, 4, 5):
        with pytest.raises(ConfigError, match=r"content-free. Collect more than 5 tokens"):
            whiten(draw(n, 4), shrink=0.0)
        assert whiten(draw(n, 4), shrink=0.1).shrinkage == 0.1
    assert whiten(draw(6, 4), shrink=0.0).count == 6
    # Two tokens have one difference, about which Ledoit and Wolf are sure.
    with pytest.raises(ConfigError, match="rank 1 in 4 dimensions"):
        whiten(draw(2, 4))


def test_a_token_table_that_does_not_span_the_space_is_refused_without_shrinkage() -> None:
    flat = torch.cat([draw(20, 3), torch.zeros(20, 1)], 1)
    duplicate = torch.cat([draw(20, 3), draw(20, 3)[:, :1]], 1)
    for table in (flat, duplicate):
        with pytest.raises(ConfigError, match="rank 3 in 4 dimensions"):
            whiten(table, shrink=0.0)
        assert bool(whiten(table).matrix.isfinite().all())


def test_tokens_that_are_all_alike_are_refused() -> None:
    for alike in (torch.full((9, 3), 0.1), torch.zeros(9, 3), draw(1, 3)):
        with pytest.raises(DataError, match="tokens are alike"):
            whiten(alike)


def test_one_dimension_is_standardised() -> None:
    tokens = draw(30, 1) * 3 + 7
    rows = whiten(tokens).apply(tokens)
    assert float(rows.mean()) == pytest.approx(0, abs=1e-12)
    assert float(rows.square().mean()) == pytest.approx(1)


def test_coordinates_in_a_known_frame() -> None:
    frame = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    expected = torch.tensor([[1.0, -1.0], [0.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(dual_basis(frame), expected)
    torch.testing.assert_close(
        frame.double() @ frame.double().T,
        torch.tensor([[1.0, 1.0], [1.0, 2.0]], dtype=torch.float64),
    )


def test_codes_go_where_tokens_vary_least() -> None:
    tokens = draw(50, 3) * torch.tensor([5.0, 1.0, 0.1])
    codes = torch.tensor([[1.0, 0.0, 0.0], [-2.0, 0.0, 0.0]])
    placed = place_positions(codes, tokens)
    assert placed.dtype == torch.float32
    energy = placed.square().sum(0)
    assert float(energy[2] / energy.sum()) > 0.99
    # A common code displaces tokens too, so the mean is placed with the rest.
    constant = place_positions(torch.tensor([[1.0, 0.0, 0.0]]).expand(4, 3), tokens)
    assert float(constant[:, 2].abs().min()) > 0.99


BAD = torch.tensor([[1.0, math.nan], [0.0, 1.0]])
EYE = torch.eye(2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: whiten(BAD), DataError, "'tokens' holds NaN"),
        (lambda: whiten(BAD / 0), DataError, "'tokens' holds NaN or infinite"),
        (lambda: whiten(EYE[0]), ShapeError, "'tokens' needs one row a vector"),
        (lambda: whiten(torch.zeros(0, 2)), ShapeError, "'tokens' needs one row a vector"),
        (lambda: whiten(torch.zeros(3, 0)), ShapeError, "'tokens' needs one row a vector"),
        (lambda: whiten(EYE + 0j), DataError, "'tokens' holds complex values"),
        (lambda: whiten(draw(9, 2), shrink=1.5), ConfigError, r"in \[0, 1\]"),
        (lambda: whiten(draw(9, 2), shrink=-0.1), ConfigError, r"in \[0, 1\]"),
        (lambda: whiten(draw(9, 2), shrink=math.nan), ConfigError, r"in \[0, 1\]"),
        (lambda: whiten(draw(9, 2), shrink="ledoit"), ConfigError, "or 'ledoit-wolf'"),
        (lambda: whiten(draw(9, 2), method="pce"), UnknownNameError, "mean 'pca'"),
        (lambda: whiten(draw(9, 2)).apply(draw(3, 3)), ShapeError, "width 2 of 'mean'"),
        (lambda: whiten(draw(9, 2)).inverse(draw(3, 3)), ShapeError, "width 2 of 'mean'"),
        (lambda: moments_of(draw(3, 3), moments_of(draw(3, 2))), ShapeError, "width 2"),
        (lambda: dual_basis(torch.ones(2, 3)), ConfigError, "rank 1"),
        (lambda: dual_basis(torch.zeros(1, 3)), ConfigError, "rank 0"),
        (lambda: dual_basis(draw(3, 2)), ShapeError, "no more rows than dimensions"),
        (lambda: coefficients(draw(3, 3), EYE), ShapeError, "width 2 of 'frame'"),
        (lambda: coefficients(BAD, EYE), DataError, "'vectors' holds NaN"),
        (lambda: mahalanobis_products(EYE, EYE[0], BAD), DataError, "'covariance' holds NaN"),
        (lambda: mahalanobis_products(EYE, BAD[0], EYE), DataError, "'mean' holds NaN"),
        (lambda: mahalanobis_products(EYE, EYE[0], -EYE), DataError, "positive definite"),
        (lambda: mahalanobis_products(EYE, torch.zeros(3), EYE), ShapeError, "'mean'"),
        (lambda: placement(EYE, torch.eye(3)), ShapeError, "'token_covariance'"),
        (lambda: placement(draw(2, 3), EYE), ShapeError, "square"),
        (lambda: placement(EYE, draw(2, 2)), DataError, "symmetric"),
        (lambda: place_positions(EYE, draw(9, 3)), ShapeError, "'codes' must be as wide"),
        (lambda: place_positions(BAD, draw(9, 2)), DataError, "'codes' holds NaN"),
    ],
)
def test_bad_inputs_are_refused_by_name(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()
