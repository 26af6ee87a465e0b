r"""The singular values of a weight, from its small Gram matrix: cheap enough during training."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from orthogan.errors import ShapeError
from orthogan.geometry.inputs import exact

SMALL_VALUE = 0.01  # of the largest singular value, as in SR-GAN


@dataclass(frozen=True)
class WeightSpectrum:
    """The singular values of a weight in two numbers.

    Attributes:
        norm: The largest: by how much the layer can stretch its input.
        small_share: Share below 1 % of the largest; 1 for a weight of zeros.
    """

    norm: float
    small_share: float

    def to_dict(self) -> dict[str, float]:
        """Plain numbers; `json.dumps` takes it."""
        return asdict(self)


def weight_spectrum(weight: Tensor) -> WeightSpectrum:
    r"""Spectral norm of a weight, and the share of its singular values below 1 % of it.

    $\sigma_k = \sqrt{\lambda_k(W W^\top)}$, on the shorter side. Squares halve the digits: values
    below about $10^{-8}$ of the largest are rounding, and 1 % is far above. All values are exact,
    so there is no vector of a power iteration to be kept over a stop of the run.

    Args:
        weight: Two axes or more, the outputs first; a kernel is read as outputs x rest, as
            spectral normalisation does.

    Raises:
        ShapeError: fewer than two axes, or an empty one.
        DataError: a value is not finite.

    Source: Miyato et al. 2018 ("Spectral normalization for GANs"), section 2.1, for the norm;
        Liu et al. 2019 ("Spectral regularization for combating mode collapse in GANs"), section 3,
        for the share.

    >>> weight_spectrum(torch.diag(torch.tensor([3.0, 1.0, 0.001])))
    WeightSpectrum(norm=3.0, small_share=0.333...)
    """
    if weight.ndim < 2:
        raise ShapeError(f"'weight' needs two axes or more, got shape {tuple(weight.shape)}.")
    matrix = exact("weight", weight.flatten(1), "outputs inputs")
    scale = float(matrix.abs().max())
    if not scale:
        return WeightSpectrum(0.0, 1.0)
    unit = matrix / scale
    wide = unit if unit.shape[0] <= unit.shape[1] else unit.T
    values = torch.linalg.eigvalsh(wide @ wide.T).clamp_min(0.0)
    largest = values[-1]
    small = float((values < SMALL_VALUE**2 * largest).double().mean())
    return WeightSpectrum(scale * math.sqrt(float(largest)), small)
