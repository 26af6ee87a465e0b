r"""Tokens and position codes on one set of axes: do the codes lie where the tokens vary?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.geometry.inputs import binary_scale, centre, position_codes, token_table


@dataclass(frozen=True, eq=False)
class SharedSpectrum:
    r"""How much tokens vary, and how much energy codes have, along the tokens' principal axes.

    Attributes:
        axes: The tokens' principal axes, one a column, that of the largest variance first.
        tokens: Variance of the tokens along each axis.
        codes: Mean square of the codes along the same axes.
        overlap: $D\,\mathrm{tr}(\Sigma_E S_P) / (\mathrm{tr}\Sigma_E\,\mathrm{tr} S_P)$ with the
            tokens' covariance $\Sigma_E$ and $S_P = P^\top P / T$; 1 on average over rotations
            of the codes. 1 too where tokens or codes have no energy.
        spread: Standard deviation of the overlap over all rotations of the codes.
        least: The smallest overlap that a rotation of the codes reaches; `place_positions` does.
        most: The largest.
    """

    axes: Tensor
    tokens: Tensor
    codes: Tensor
    overlap: float
    spread: float
    least: float
    most: float

    def along(self, codes: Tensor) -> Tensor:
        """Mean square of other codes along the same axes.

        Raises:
            ShapeError: not a matrix of the same width.
            DataError: a value is not finite.
        """
        return (position_codes(self.axes, codes) @ self.axes).square().mean(0)


def shared_spectrum(tokens: Tensor, codes: Tensor) -> SharedSpectrum:
    r"""Variance of the tokens and energy of the codes along the tokens' principal axes.

    Over uniformly random rotations R, with $\Sigma_0$ and $S_0$ the matrices less their mean
    eigenvalue, $\mathrm{tr}(\Sigma_E R S_P R^\top)$ has the mean
    $\mathrm{tr}\Sigma_E\,\mathrm{tr}S_P / D$ and the variance
    $2\,\mathrm{tr}(\Sigma_0^2)\,\mathrm{tr}(S_0^2) / ((D - 1)(D + 2))$.

    Args:
        tokens: Embedding table, one row a token.
        codes: Position codes, one row a position, as wide as the tokens.

    Raises:
        ShapeError: not two matrices of one width.
        DataError: a value is not finite.

    Source: least and most by von Neumann 1937, trace inequality. The variance: the traceless
        symmetric matrices are an irreducible representation of O(D) of dimension
        (D - 1)(D + 2) / 2, so a rotated unit vector of it has equal second moments there.
        Not covered: means; the mean code is part of the codes' energy.

    >>> tokens = torch.tensor([[-2.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> found = shared_spectrum(tokens, torch.tensor([[3.0, 0.0]]))
    >>> found.tokens.tolist(), found.codes.tolist(), found.overlap
    ([2.0, 0.5], [9.0, 0.0], 1.6)
    """
    table = token_table(tokens)
    shifts = position_codes(table, codes)
    scale, size = binary_scale(table), binary_scale(shifts)
    moved, small = centre(table * scale), shifts * size
    covariance = moved.T @ moved / len(moved)
    moment = small.T @ small / len(small)
    values, axes = torch.linalg.eigh(covariance)
    values, axes = values.flip(0).clamp_min(0), axes.flip(1)
    energies = torch.linalg.eigvalsh(moment).flip(0).clamp_min(0)
    return SharedSpectrum(
        axes=axes,
        tokens=values / scale / scale,
        codes=(small @ axes).square().mean(0) / size / size,
        overlap=_overlap(float((covariance * moment).sum()), values, energies),
        spread=_spread(values, energies),
        least=_overlap(float(values @ energies.flip(0)), values, energies),
        most=_overlap(float(values @ energies), values, energies),
    )


def _overlap(shared: float, values: Tensor, energies: Tensor) -> float:
    total = float(values.sum() * energies.sum())
    return len(values) * shared / total if total else 1.0


def _spread(values: Tensor, energies: Tensor) -> float:
    width = len(values)
    apart = (values - values.mean()).square().sum() * (energies - energies.mean()).square().sum()
    total = float(values.sum() * energies.sum())
    if width == 1 or not total:
        return 0.0
    return width / total * math.sqrt(2 * float(apart) / ((width - 1) * (width + 2)))
