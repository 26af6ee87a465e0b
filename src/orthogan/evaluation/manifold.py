"""Precision, recall, density and coverage: how two clouds of features overlap."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.evaluation.features import check_finite, check_same_width
from orthogan.evaluation.neighbours import Bounds, check_enough, squared_radii
from orthogan.geometry.tables import binary_scale

NUM_NEIGHBOURS = 5  # as in Naeem et al. 2020


@dataclass(frozen=True)
class Overlap:
    """Per-image membership, whose means are the four numbers.

    Attributes:
        precise: Fake lies within the k-neighbour ball of some real image (B fakes, bool).
        recalled: Real lies within the k-neighbour ball of some fake (B reals, bool).
        density: Share 1/k of real balls that hold the fake, summed (B fakes, float).
        covered: Real has a fake in its own ball (B reals, bool).
    """

    precise: Tensor
    recalled: Tensor
    density: Tensor
    covered: Tensor


def overlap(fake: Tensor, real: Tensor, k: int = NUM_NEIGHBOURS) -> Overlap:
    """Membership of every fake in the real balls and of every real in the fake balls.

    A ball holds what lies nearer than the k-th nearest neighbour of its centre, which itself is
    outside (strictly less, as in the papers). Distances are exact to float64, ties included, so
    the order of the images changes nothing: where a picture stands k + 1 times in its own set, its
    ball has radius 0 and holds nothing.

    Raises:
        ShapeError: the sets differ in width.
        ConfigError: there are not more than k images in both.
        DataError: a feature is not finite.

    Source: Kynkaanniemi et al. 2019 (precision, recall); Naeem et al. 2020 (density, coverage).
    """
    check_same_width(fake, real)
    for points in (fake, real):
        check_enough(points, k)
    check_finite(fake, real)
    scale = binary_scale(fake, real)  # no square of a scaled feature overflows
    fake, real = fake.double() * scale, real.double() * scale
    real_radii, fake_radii = squared_radii(real, k), squared_radii(fake, k)
    num_balls = torch.zeros(len(fake))
    recalled = torch.zeros(len(real), dtype=torch.bool)
    covered = torch.zeros(len(real), dtype=torch.bool)
    bounds = Bounds(fake, real)
    # A bound lies below 0 where the distance may be 0, but nothing lies in a ball of radius 0.
    real_limits, fake_limits = (
        radii.masked_fill(radii == 0, -torch.inf) for radii in (real_radii, fake_radii)
    )
    for rows, low in bounds.blocks():
        near = (low < real_limits).logical_or_(low < fake_limits[rows, None])
        row, j = near.nonzero(as_tuple=True)
        i = rows.start + row
        inside, holds = _decide(bounds, low[row, j], (i, j), (real_radii[j], fake_radii[i]))
        num_balls[rows] = torch.bincount(row[inside], minlength=len(low)).float()
        covered[j[inside]] = True
        recalled[j[holds]] = True
    return Overlap(num_balls > 0, recalled, num_balls / k, covered)


def _decide(
    bounds: Bounds, low: Tensor, pairs: tuple[Tensor, Tensor], radii: tuple[Tensor, Tensor]
) -> list[Tensor]:
    """Whether each pair is nearer than each of two squared radii, from lower bounds."""
    distances = low + bounds.widths(*pairs)
    doubtful = torch.zeros_like(low, dtype=torch.bool)
    for radius in radii:
        doubtful |= (low < radius) & (distances >= radius)
    distances[doubtful] = bounds.exact(*(index[doubtful] for index in pairs))
    return [distances < radius for radius in radii]
