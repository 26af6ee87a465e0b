"""What every network that learns from right answers needs: AdamW, and a bounded gradient."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.optim import AdamW

from orthogan.errors import DivergedError

OPTIMIZER_PART = "optimiser"  # its name in checkpoints since version 0.1


def adamw(
    network: nn.Module, learning_rate: float, betas: tuple[float, float], weight_decay: float
) -> AdamW:
    """AdamW whose decay pulls the matrices and kernels alone.

    Gains, offsets, position codes, class tokens and token tables have no scale to keep in check.
    """
    pulled = {
        id(part.weight) for part in network.modules() if isinstance(part, nn.Linear | nn.Conv2d)
    }
    parameters = list(network.parameters())
    groups: Iterable[dict[str, Any]] = [
        {"params": [p for p in parameters if id(p) in pulled], "weight_decay": weight_decay},
        {"params": [p for p in parameters if id(p) not in pulled], "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=learning_rate, betas=betas, fused=True)


def shorten_gradient(network: nn.Module, largest: float, loss: float) -> None:
    """Brings a gradient longer than `largest` to that length.

    Raises:
        DivergedError: the loss or the gradient is not finite.
    """
    norm = float(nn.utils.clip_grad_norm_(network.parameters(), largest))
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise DivergedError(
            f"The loss is {loss:.3g} and the gradient's length {norm:.3g}; "
            "lower optimizer.learning_rate."
        )
