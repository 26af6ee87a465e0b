"""What the contract tests show to networks, and how they wake them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orthogan.rng import normal, stream

BATCH = 3


def woken(network: nn.Module) -> None:
    """Move every parameter, so that gates which start at zero let everything through."""
    with torch.no_grad():
        for i, parameter in enumerate(network.parameters()):
            parameter.add_(0.1 * normal(tuple(parameter.shape), stream(0, "wake", i)))


def latents(size: int = 64) -> Tensor:
    return normal((BATCH, size), stream(0, "latents"))


def images(size: int = 16, colours: int = 1) -> Tensor:
    return normal((BATCH, colours, size, size), stream(0, "images")).tanh()
