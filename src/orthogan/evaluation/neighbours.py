"""Exact nearest neighbours by blocks of squared distances."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from orthogan.errors import ConfigError
from orthogan.evaluation.features import check_same_width

BLOCK_ROWS = 128  # 128 x 10,000 float32 distances are 5 MB: they stay in the cache


def distance_blocks(left: Tensor, right: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Squared distances of a block of `left` rows to every row of `right`, block by block.

    By |x|^2 + |y|^2 - 2 x.y, so with an error of about 1e-6 of the largest |x|^2; callers
    centre their rows. Every block lies in the same memory: use it before asking for the next.
    """
    check_same_width(left, right)
    right_norms = right.square().sum(1)
    left_norms = left.square().sum(1, keepdim=True)
    scratch = torch.empty(min(BLOCK_ROWS, len(left)), len(right), dtype=left.dtype)
    for start in range(0, len(left), BLOCK_ROWS):
        rows = slice(start, min(start + BLOCK_ROWS, len(left)))
        block = scratch[: rows.stop - rows.start]
        torch.addmm(right_norms, left[rows], right.T, alpha=-2, out=block)
        yield rows, block.add_(left_norms[rows])


def squared_radii(points: Tensor, num_neighbours: int) -> Tensor:
    """Squared distance of each point to its k-th nearest other point.

    Raises:
        ConfigError: there are not more than k points.
    """
    if len(points) <= num_neighbours:
        raise ConfigError(
            f"{num_neighbours} neighbours need more than {num_neighbours} images, "
            f"got {len(points)}; use more images."
        )
    radii = torch.empty(len(points), dtype=points.dtype)
    for rows, block in distance_blocks(points, points):
        block[torch.arange(len(block)), torch.arange(rows.start, rows.stop)] = torch.inf
        nearest = block.topk(num_neighbours, largest=False, sorted=False).values
        radii[rows] = nearest.amax(1).clamp_min(0)
    return radii


def nearest_distances(left: Tensor, right: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Distance of each row of `left` to its nearest and to its k-th nearest row of `right`.

    The nearest one is taken again from the difference of the rows (float64, no cancellation),
    because a copy lies at distance 0.
    """
    first = torch.empty(len(left), dtype=torch.float64)
    last = torch.empty(len(left), dtype=torch.float64)
    for rows, block in distance_blocks(left, right):
        values, indices = block.topk(k, largest=False)
        last[rows] = values[:, -1].double().clamp_min(0).sqrt()
        gaps = left[rows].double() - right[indices[:, 0]].double()
        first[rows] = gaps.square().sum(1).sqrt()
    return first, last
