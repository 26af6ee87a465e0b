r"""The part of a position code that all positions share.

One displacement common to all tokens and positions is an isometry: it changes no distance between
displaced tokens. It does harm where displaced tokens are compared with tokens that are not
displaced (as the exact flip count does), with other displacements, and under decision rules that
are not translation-invariant: dot product, cosine, norm, LayerNorm. Softmax ignores a common shift
of the keys, softmax-free attention does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.geometry.inputs import answer_dtype, binary_scale, token_table


@dataclass(frozen=True)
class MeanCode:
    """A table of codes split into its mean and the rest.

    Attributes:
        mean: The mean code.
        centred: The codes less their mean.
        share: Share of the energy (sum of squares) of the codes that the mean carries; 0 for
            codes that are all zero.
    """

    mean: Tensor
    centred: Tensor
    share: float


def mean_code(codes: Tensor) -> MeanCode:
    r"""The mean code, the codes without it, and its share of their energy.

    $\sum_t \|p_t\|^2 = T \|\bar p\|^2 + \sum_t \|p_t - \bar p\|^2$

    Args:
        codes: Position codes, one row a position.

    Raises:
        ShapeError: not a matrix, or empty.
        DataError: a value is not finite.

    >>> found = mean_code(torch.tensor([[3.0, 1.0], [3.0, -1.0]]))
    >>> found.mean, found.share
    (tensor([3., 0.]), 0.9)
    """
    table = token_table(codes, "codes")
    scale = binary_scale(table)
    scaled = table * scale
    mean = scaled.mean(0)
    energy = float(torch.sum(scaled.square()))
    share = len(table) * float(mean.square().sum()) / energy if energy else 0.0
    dtype = answer_dtype(codes)
    return MeanCode((mean / scale).to(dtype), ((scaled - mean) / scale).to(dtype), min(share, 1.0))
