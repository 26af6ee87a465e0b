"""Precision, recall, density and coverage: how two clouds of features overlap."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.evaluation.features import check_finite, check_same_width
from orthogan.evaluation.neighbours import (
    MANY,
    Distances,
    check_enough,
    row_blocks,
    squared_radii,
)
from orthogan.geometry.inputs import binary_scale

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
    distances = Distances(fake, real)
    for rows in row_blocks(len(fake)):
        row, j, inside, holds = _members(distances, rows, real_radii, fake_radii)
        num_balls[rows] = torch.bincount(row[inside], minlength=rows.stop - rows.start).float()
        covered[j[inside]] = True
        recalled[j[holds]] = True
    return Overlap(num_balls > 0, recalled, num_balls / k, covered)


def left_out(real: Tensor, k: int = NUM_NEIGHBOURS) -> Tensor:
    """Whether each image lies in the k-neighbour ball of another one, as the set is without it.

    What precision and recall are for real images, without taking any away to measure it: a point
    within the ball of another is one of its neighbours, so without it the radius is that of the
    next neighbour.

    Raises:
        ConfigError: there are not more than k + 1 images.
        DataError: a feature is not finite.
    """
    wider = overlap(real, real, k + 1)
    # Its own ball holds each point, unless it has radius 0.
    itself = squared_radii(real.double() * binary_scale(real, real), k + 1) > 0
    return wider.density * (k + 1) - itself.float() > 0.5


def _members(
    distances: Distances, rows: slice, real_radii: Tensor, fake_radii: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pairs of a block, and whether the real and the fake ball of each holds the other one."""
    for bounds in distances.bounds():
        low = bounds.block(rows)
        near = low < _at_least(real_radii, low.dtype)
        near |= low < _at_least(fake_radii[rows, None], low.dtype)
        row, j = near.nonzero(as_tuple=True)
        i = rows.start + row
        radii = real_radii[j], fake_radii[i]
        least = low[row, j].double()
        most = least + bounds.widths(i, j)
        doubtful = torch.zeros_like(row, dtype=torch.bool)
        for radius in radii:
            doubtful |= (least < radius) & (most >= radius) & (radius > 0)
        if bounds.is_close or int(doubtful.sum()) <= MANY * low.numel():
            break
    most[doubtful] = distances.exact(i[doubtful], j[doubtful])
    return row, j, most < radii[0], most < radii[1]


def _at_least(radii: Tensor, dtype: torch.dtype) -> Tensor:
    """The radii rounded up; a ball of radius 0 holds nothing, so bounds below 0 are no matter."""
    high = radii.to(dtype)
    return high.nextafter(torch.full_like(high, torch.inf)).masked_fill(radii == 0, -torch.inf)
