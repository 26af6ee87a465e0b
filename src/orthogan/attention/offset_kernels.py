r"""Attention to a kernel: the part of any attention map that depends on the offset only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.attention.offset_forms import grid_positions
from orthogan.errors import DataError, ShapeError


@dataclass(frozen=True)
class OffsetKernel:
    """The convolution inside an attention map.

    Args:
        kernel: Mean weight at each offset, key minus query. On a torus offsets run from 0 and
            wrap; otherwise from -(n - 1) to n - 1, with offset 0 in the middle.
        share: Part of the variance of the weights that the offset explains, 0 to 1; 1 for a
            convolution and for weights that are all equal.
        null_share: What `share` is on average for independent random weights.
    """

    kernel: Tensor
    share: float
    null_share: float


def offset_kernel(
    weights: Tensor, size: int | Sequence[int], *, circular: bool = False
) -> OffsetKernel:
    r"""The kernel nearest to an attention map of a grid to itself, and how near it is.

    $\kappa(d) = \mathrm{mean}_{s - t = d} W(t, s)$, the projection on the functions of $s - t$

    Args:
        weights: `T S` attention weights from a grid to itself, softmax or not.
        size: Length of the sequence, or (rows, cols); tokens go row by row.
        circular: Whether offsets wrap round, as on a torus.

    Raises:
        ShapeError: the weights are not from this grid to itself.
        DataError: a weight is not finite.

    Source: a mean over each class of pairs with one offset is the orthogonal projection.

    >>> map = torch.tensor([[1.0, 2.0], [0.0, 1.0]])
    >>> offset_kernel(map, 2).kernel
    tensor([0., 1., 2.])
    >>> offset_kernel(map, 2).share
    1.0
    """
    sizes = (size,) if isinstance(size, int) else tuple(size)
    num_tokens = torch.Size(sizes).numel()
    if weights.shape != (num_tokens, num_tokens) or num_tokens == 0:
        raise ShapeError(
            f"A grid of {sizes} attends to itself with weights {(num_tokens, num_tokens)}, "
            f"got {tuple(weights.shape)}."
        )
    if not bool(weights.isfinite().all()):
        raise DataError("weights holds NaN or infinite values; check where it came from.")
    spans = sizes if circular else tuple(2 * length - 1 for length in sizes)
    classes = _offset_classes(sizes, spans, circular=circular).to(weights.device).flatten()
    exact = weights.double().flatten()
    num_classes = torch.Size(spans).numel()
    pairs = classes.bincount(minlength=num_classes)
    kernel = classes.bincount(exact, minlength=num_classes) / pairs
    spread = float((exact - exact.mean()).square().sum())
    rest = float((exact - kernel[classes]).square().sum())
    return OffsetKernel(
        kernel.to(weights.dtype).unflatten(0, spans),
        1.0 if spread == 0 else 1 - rest / spread,
        (num_classes - 1) / max(num_tokens**2 - 1, 1),
    )


def _offset_classes(sizes: tuple[int, ...], spans: tuple[int, ...], *, circular: bool) -> Tensor:
    """The number of the offset of each pair (query, key)."""
    positions = grid_positions(sizes).long()
    offsets = positions[None] - positions[:, None]
    classes = torch.zeros(offsets.shape[:2], dtype=torch.long)
    for along, length, span in zip(offsets.unbind(-1), sizes, spans, strict=True):
        classes = classes * span + (along.remainder(span) if circular else along + length - 1)
    return classes
