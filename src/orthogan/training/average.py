"""The exponential moving average of a network's weights."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

N = TypeVar("N", bound=nn.Module)


def average_of(network: N) -> N:
    """A copy to average into: the same weights, gradients off."""
    average = copy.deepcopy(network).eval()
    return average.requires_grad_(False)


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the average toward the network: keep `decay` of itself, take the rest from it."""
    # One call for all weights: a loop would cost as many launches as the network has parameters.
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)
