r"""Whitening: coordinates in which the plain dot product is the Mahalanobis product.

With $\Sigma = L L^\top$ and $Z = (X - \mu) L^{-\top}$,
$Z Z^\top = (X - \mu) \Sigma^{-1} (X - \mu)^\top$: a change of basis measures what attention with
$\Omega = \Sigma^{-1}$ measures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from orthogan.errors import ConfigError, DataError
from orthogan.geometry.inputs import check_width
from orthogan.geometry.spectra.frames import ROUNDING
from orthogan.geometry.spectra.moments import Moments, moments_of
from orthogan.registry import Registry

Shrink: TypeAlias = float | str

# From a covariance to the matrix that whitens rows and the matrix that undoes it.
_METHODS: Registry[Callable[[Tensor], tuple[Tensor, Tensor]]] = Registry("whitening method")


@dataclass(frozen=True)
class Whitening:
    """An affine map to coordinates of unit covariance, and back.

    Attributes:
        mean: Mean of the rows, `D`.
        matrix: Takes centred rows to white ones, `D D`: `z = (x - mean) @ matrix`.
        inverse_matrix: Takes them back.
        shrinkage: Share of the covariance that was replaced by a multiple of the identity.
        count: Number of rows behind it.
    """

    mean: Tensor
    matrix: Tensor
    inverse_matrix: Tensor
    shrinkage: float
    count: int

    def apply(self, rows: Tensor) -> Tensor:
        """The rows (any leading axes) in white coordinates, in their own precision."""
        check_width("rows", rows, len(self.mean), "mean")
        white: Tensor = (rows - self.mean.to(rows)) @ self.matrix.to(rows)
        return white

    def inverse(self, white: Tensor) -> Tensor:
        """The rows that `apply` made white."""
        check_width("white", white, len(self.mean), "mean")
        rows: Tensor = white @ self.inverse_matrix.to(white) + self.mean.to(white)
        return rows


def whiten(tokens: Tensor, shrink: Shrink = "ledoit-wolf", method: str = "pca") -> Whitening:
    r"""The map to coordinates in which the tokens have unit covariance.

    $z = (x - \mu) W, \quad W W^\top = \hat\Sigma^{-1}, \quad
    \hat\Sigma = (1 - s) S + s (\mathrm{tr}\,S / D) I, \quad S = (X-\mu)^\top (X-\mu) / n$

    Args:
        tokens: The data set's tokens, one a row; never the few of one sequence.
        shrink: Share s of shrinkage in [0, 1], or "ledoit-wolf": the one best in the mean square.
        method: One of `whitening_methods()`. "pca": principal axes, the largest first; "zca":
            the symmetric root, closest to the tokens; "cholesky": triangular.

    Returns:
        A frozen result; `apply` and `inverse` take rows there and back.

    Raises:
        ShapeError: not a table.
        DataError: a value is not finite, or all tokens are alike.
        ConfigError: `shrink` is outside [0, 1]; or without shrinkage there are no more than
            `D + 1` tokens, or they do not span the space.
        UnknownNameError: no such method.

    Source: Kessy, Lewin and Strimmer 2018, "Optimal whitening and decorrelation", table 1; Ledoit
        and Wolf 2004. Not covered: heavy tails, for which no covariance is a good summary.

    >>> tokens = torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]]).double()
    >>> whiten(tokens, shrink=0.0, method="zca").matrix.diagonal()
    tensor([0.7071, 1.4142], dtype=torch.float64)
    """
    return whitening_of(moments_of(tokens), shrink, method)


def whitening_of(
    moments: Moments, shrink: Shrink = "ledoit-wolf", method: str = "pca"
) -> Whitening:
    """The same as `whiten`, from sums collected batch by batch.

    Raises:
        As `whiten`.
    """
    factors = _METHODS[method]
    share = _share(moments, shrink)
    covariance, width = moments.covariance, moments.width
    level = covariance.trace() / width
    if float(level) <= ROUNDING * ROUNDING * float(moments.origin.square().sum()):
        raise DataError(
            f"All {moments.count} tokens are alike, so there is nothing to whiten; check them."
        )
    covariance = (1 - share) * covariance
    covariance.diagonal().add_(share * level)
    matrix, inverse = factors(_invertible(covariance, share))
    return Whitening(moments.mean, matrix, inverse, share, moments.count)


def whitening_methods() -> list[str]:
    """Every registered method, in alphabetical order.

    >>> whitening_methods()
    ['cholesky', 'pca', 'zca']
    """
    return list(_METHODS)


def check_method(method: str) -> None:
    """Nothing, if there is such a method.

    Raises:
        UnknownNameError: there is none; the message holds the nearest.
    """
    _ = _METHODS[method]


def check_shrink(shrink: Shrink) -> None:
    """Nothing, if `shrink` is a share or "ledoit-wolf".

    Raises:
        ConfigError: it is not.
    """
    is_share = not isinstance(shrink, str) and 0 <= shrink <= 1
    if shrink != "ledoit-wolf" and not is_share:
        raise ConfigError(f"'shrink' is a share in [0, 1] or 'ledoit-wolf', got {shrink!r}.")


def check_enough(count: int, width: int) -> None:
    """Nothing, if tokens are more than their own statistics make equidistant.

    n <= D + 1 tokens in general position, whitened by their own mean and covariance, form a
    regular simplex whatever they were: the centred rows have rank n - 1, so
    Z Z^T / n is the projection I - 11^T / n.

    Raises:
        ConfigError: there are no more than `width + 1`.
    """
    if count <= width + 1:
        raise ConfigError(
            f"{count} tokens of width {width} whitened by their own statistics have the products "
            f"n I - 1 whatever they say: attention would be content-free. Collect more than "
            f"{width + 1} tokens of the data set."
        )


def _share(moments: Moments, shrink: Shrink) -> float:
    check_shrink(shrink)
    if shrink == "ledoit-wolf":
        return moments.ledoit_wolf
    if shrink == 0:
        check_enough(moments.count, moments.width)
    return float(shrink)


def _invertible(covariance: Tensor, share: float) -> Tensor:
    values = torch.linalg.eigvalsh(covariance)
    floor = ROUNDING * len(values) * float(values[-1])
    rank = int((values > floor).sum())
    if rank < len(values):
        raise ConfigError(
            f"With a share {share:.3g} of shrinkage the covariance has rank {rank} in "
            f"{len(values)} dimensions and no inverse; give 'shrink' a larger share, or drop the "
            "dimensions that never vary."
        )
    return covariance


@_METHODS.register("pca")
def _pca(covariance: Tensor) -> tuple[Tensor, Tensor]:
    values, vectors = torch.linalg.eigh(covariance)
    values, vectors = values.flip(0), vectors.flip(1)
    # An axis has no sign of its own; its largest entry is made positive.
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    vectors = vectors * largest.sign()
    return vectors * values.rsqrt(), (vectors * values.sqrt()).T


@_METHODS.register("zca")
def _zca(covariance: Tensor) -> tuple[Tensor, Tensor]:
    values, vectors = torch.linalg.eigh(covariance)
    return (vectors * values.rsqrt()) @ vectors.T, (vectors * values.sqrt()) @ vectors.T


@_METHODS.register("cholesky")
def _cholesky(covariance: Tensor) -> tuple[Tensor, Tensor]:
    lower = torch.linalg.cholesky(covariance)
    identity = torch.eye(len(lower), dtype=lower.dtype, device=lower.device)
    return torch.linalg.solve_triangular(lower, identity, upper=False).T, lower.T
