"""Precision, recall, density and coverage: how two clouds of features overlap."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.evaluation.features import check_same_width
from orthogan.evaluation.neighbours import distance_blocks, squared_radii

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

    Distances are exact (blocked, no approximate index).

    Source: Kynkaanniemi et al. 2019 (precision, recall); Naeem et al. 2020 (density, coverage).
    """
    check_same_width(fake, real)
    centre = real.mean(0)  # smaller norms cancel less
    fake, real = fake - centre, real - centre
    real_radii, fake_radii = squared_radii(real, k), squared_radii(fake, k)
    num_balls = torch.empty(len(fake))
    recalled = torch.zeros(len(real), dtype=torch.bool)
    covered = torch.zeros(len(real), dtype=torch.bool)
    for rows, block in distance_blocks(fake, real):
        inside = block < real_radii
        num_balls[rows] = inside.sum(1).float()
        covered |= inside.any(0)
        recalled |= (block < fake_radii[rows, None]).any(0)
    return Overlap(num_balls > 0, recalled, num_balls / k, covered)
