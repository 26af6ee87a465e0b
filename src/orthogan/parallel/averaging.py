"""Gradients averaged over all processes, by one message for all of them.

Not `DistributedDataParallel`: it has known faults with the second derivatives of a gradient
penalty, and its hooks know nothing of gradients that are taken as a function (docs/processes.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist


@torch.no_grad()
def average_together(weights: Iterable[Tensor], numbers: Sequence[Tensor]) -> list[Tensor]:
    """Replaces gradients by their means over all processes, and gives the means of numbers.

    Args:
        weights: Those with a gradient have one in every process.
        numbers: Scalars on the device of the weights.
    """
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    wide = gradients[0].dtype if gradients else torch.float32
    scalars = [number.detach().reshape(1).to(wide) for number in numbers]
    flat = torch.cat([*(each.reshape(-1) for each in gradients), *scalars])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    parts = flat.split([each.numel() for each in gradients] + [1] * len(scalars))
    means = parts[: len(gradients)]
    for gradient, mean in zip(gradients, means, strict=True):
        gradient.copy_(mean.view_as(gradient))
    return [
        part.reshape(()).to(number.dtype)
        for part, number in zip(parts[len(gradients) :], numbers, strict=True)
    ]


class Total(torch.autograd.Function):
    """The sum of a tensor over all processes, for a loss that is the same function of it in each.

    Such a loss is counted once a process, and gradients are averaged afterwards: so the gradient by
    the own part is the number of processes times what it would be alone. No message goes back.
    """

    @staticmethod
    def forward(_context: Any, values: Tensor) -> Tensor:
        """The sum."""
        total = values.detach().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        """The gradient by the own values."""
        return gradients[0] * dist.get_world_size()
