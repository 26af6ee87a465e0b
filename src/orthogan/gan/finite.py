"""Updates that happen only if the loss and the gradients are finite."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.optim import Optimizer

from orthogan.errors import DivergedError


@runtime_checkable
class Update(Protocol):
    """Steps an optimizer unless the player's loss or gradient is not finite."""

    def __call__(self, value: Tensor, optimizer: Optimizer, player: str) -> None:
        """Updates the player whose loss is `value`, or leaves it as it is and says so."""


def update_now(value: Tensor, optimizer: Optimizer, player: str) -> None:
    """Updates, or refuses on the spot.

    Raises:
        DivergedError: the loss or a gradient is not finite; nothing was updated.
    """
    norm = _gradient_norm(optimizer)
    if not torch.isfinite(norm + value):
        raise DivergedError(_sentence(player, value.item(), norm.item()))
    optimizer.step()


class DeferredUpdate:
    """Updates without waiting for the device: it skips a bad step itself and tells later.

    Asking a CUDA device whether a number is finite waits until it has done all it was given, twice
    a step. Here the answer stays on the device, where the optimizer reads it (`found_inf`, as for
    gradient scaling), and `settle` asks once in many steps. Needs an optimizer that reads it:
    fused Adam, or our Muon.
    """

    def __init__(self) -> None:
        self._worst: dict[str, Tensor] = {}

    def __call__(self, value: Tensor, optimizer: Optimizer, player: str) -> None:
        """Updates unless the loss or a gradient is not finite."""
        norm = _gradient_norm(optimizer)
        bad = (~torch.isfinite(norm + value)).float()
        optimizer.found_inf = bad  # type: ignore[attr-defined]  # as torch's GradScaler does
        try:
            optimizer.step()
        finally:
            del optimizer.found_inf  # type: ignore[attr-defined]
        facts = torch.stack([bad, value.detach().float(), norm.float()])
        worst = self._worst.get(player)
        self._worst[player] = facts if worst is None else torch.where(worst[0] > 0, worst, facts)

    def settle(self) -> None:
        """Waits for the device and looks at the steps since the last time.

        Raises:
            DivergedError: one was not finite; it and those since left that player as it was.
        """
        players, facts = list(self._worst), list(self._worst.values())
        self._worst = {}
        if not facts:
            return
        for player, (bad, value, norm) in zip(players, torch.stack(facts).tolist(), strict=True):
            if bad:
                raise DivergedError(_sentence(player, value, norm))


def _gradient_norm(optimizer: Optimizer) -> Tensor:
    gradients = [
        parameter.grad
        for group in optimizer.param_groups
        for parameter in group["params"]
        if parameter.grad is not None
    ]
    return torch.nn.utils.get_total_norm(gradients)


def _sentence(player: str, value: float, norm: float) -> str:
    return f"The {player}'s loss is {value:.4g} and its gradient norm {norm:.4g}."
