"""All pairs of points of two sets that lie within a radius of each other."""

from __future__ import annotations

import torch
from torch import Tensor

from orthogan.shapes import Features, OtherFeatures

BLOCK = 512  # rows compared at a time
STRIPS = 64  # along the first axis


class NearPairs:
    """Finds the points within a radius, exactly, without comparing all with all.

    The points are cut into strips along their first axis and sorted along the second within each;
    whatever lies further than the radius along one axis lies further. Axes are best the principal
    ones, along which points are far apart.

    Args:
        points: Those that are found, at least two columns.
        radius: How near.
    """

    def __init__(self, points: Features, radius: float) -> None:
        self._radius = radius
        order = points[:, 0].argsort()
        size = max(BLOCK, -(-len(points) // STRIPS))
        self._strips = []
        for part in order.split(size):
            part = part[points[part, 1].argsort()]
            self._strips.append((part, points[part]))

    def of(self, queries: OtherFeatures) -> tuple[Tensor, Tensor]:
        """Places of queries and of points, one pair a place, in no particular order."""
        found = [(torch.empty(0, dtype=torch.int64),) * 2]
        first = queries[:, 0].argsort()
        for strip, points in self._strips:
            low, high = points[:, 0].min(), points[:, 0].max()
            bounds = torch.stack([low - self._radius, high + self._radius])
            start, end = torch.searchsorted(queries[first, 0].contiguous(), bounds).tolist()
            near = first[start:end]
            near = near[queries[near, 1].argsort()]
            blocks = near.split(BLOCK) if len(near) else ()
            found += [self._within(queries, block, strip, points) for block in blocks]
        asked, answers = zip(*found, strict=True)
        return torch.cat(asked), torch.cat(answers)

    def _within(
        self, queries: Tensor, block: Tensor, strip: Tensor, points: Tensor
    ) -> tuple[Tensor, Tensor]:
        rows = queries[block]
        ends = torch.stack([rows[0, 1] - self._radius, rows[-1, 1] + self._radius])
        start, end = torch.searchsorted(points[:, 1].contiguous(), ends).tolist()
        others = points[start:end]
        squared = torch.addmm(others.square().sum(1), rows, others.T, alpha=-2)
        squared += rows.square().sum(1, keepdim=True)
        asked, answered = (squared <= self._radius**2).nonzero(as_tuple=True)
        return block[asked], strip[start + answered]
