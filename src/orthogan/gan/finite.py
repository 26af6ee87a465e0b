"""Updates that happen only if the loss and the gradients are finite."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor
from torch.optim import Optimizer

from orthogan.errors import DivergedError
from orthogan.shapes import Scalar

# Updates the network of that name, whose loss is given, or leaves it as it is and says so; gives
# the norm of its gradient.
Update: TypeAlias = Callable[[Scalar, Optimizer, str], Scalar]


def update_now(loss: Scalar, optimizer: Optimizer, network: str) -> Scalar:
    """Updates, or refuses on the spot; gives the norm of the gradient.

    Raises:
        DivergedError: the loss or a gradient is not finite; nothing was updated.
    """
    norm = _gradient_norm(optimizer)
    if not torch.isfinite(norm + loss):
        raise DivergedError(_sentence(network, loss.item(), norm.item()))
    optimizer.step()
    return norm


class DeferredUpdate:
    """Updates without waiting for the device: it skips a bad step itself and tells later.

    Asking a CUDA device whether a number is finite waits until it has done all it was given, twice
    a step. Here the answer stays on the device, where the optimizer reads it (`found_inf`, as for
    gradient scaling), and `settle` asks once in many steps. Needs an optimizer that reads it:
    fused Adam, or our Muon.
    """

    def __init__(self) -> None:
        self._worst: dict[str, Tensor] = {}

    def __call__(self, loss: Scalar, optimizer: Optimizer, network: str) -> Scalar:
        """Updates unless the loss or a gradient is not finite; gives the norm of the gradient."""
        norm = _gradient_norm(optimizer)
        bad = (~torch.isfinite(norm + loss)).float()
        optimizer.found_inf = bad  # type: ignore[attr-defined]  # as torch's GradScaler does
        try:
            optimizer.step()
        finally:
            del optimizer.found_inf  # type: ignore[attr-defined]
        facts = torch.stack([bad, loss.detach().float(), norm.float()])
        worst = self._worst.get(network)
        self._worst[network] = facts if worst is None else torch.where(worst[0] > 0, worst, facts)
        return norm

    def settle(self) -> None:
        """Waits for the device and looks at the steps since the last time.

        Raises:
            DivergedError: one was not finite; it and those since left that network as it was.
        """
        networks, facts = list(self._worst), list(self._worst.values())
        self._worst = {}
        if not facts:
            return
        for network, (bad, value, norm) in zip(networks, torch.stack(facts).tolist(), strict=True):
            if bad:
                raise DivergedError(_sentence(network, value, norm))


def _gradient_norm(optimizer: Optimizer) -> Scalar:
    gradients = [
        parameter.grad
        for group in optimizer.param_groups
        for parameter in group["params"]
        if parameter.grad is not None
    ]
    return torch.nn.utils.get_total_norm(gradients)


def _sentence(network: str, value: float, norm: float) -> str:
    return f"The {network}'s loss is {value:.4g} and its gradient norm {norm:.4g}."
