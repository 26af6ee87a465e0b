"""Networks and optimisers as the tensors of a checkpoint, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


def stored(
    networks: Mapping[str, nn.Module], optimisers: Mapping[str, Optimizer]
) -> dict[str, Tensor]:
    """All weights, buffers and moments: `name/...` for each network and optimiser by name."""
    return {
        name: tensor.detach().cpu().contiguous() for name, tensor in _named(networks, optimisers)
    }


def restore(
    tensors: Mapping[str, Tensor],
    networks: Mapping[str, nn.Module],
    optimisers: Mapping[str, Optimizer],
) -> None:
    """Puts back what `stored` took; other tensors are left alone."""
    for part, network in networks.items():
        network.load_state_dict(_below(part, tensors))
    for part, optimiser in optimisers.items():
        weights = [weight for group in optimiser.param_groups for weight in group["params"]]
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _below(part, tensors).items():
            number, moment = name.split("/")
            index = int(number)
            moments.setdefault(index, {})[moment] = _laid_out_as(weights[index], tensor)
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": moments, "param_groups": groups})


def _named(
    networks: Mapping[str, nn.Module], optimisers: Mapping[str, Optimizer]
) -> Iterator[tuple[str, Tensor]]:
    for part, network in networks.items():
        for name, tensor in network.state_dict().items():
            yield f"{part}/{name}", tensor
    for part, optimiser in optimisers.items():
        for index, moments in optimiser.state_dict()["state"].items():
            for name, tensor in moments.items():
                yield f"{part}/{index}/{name}", tensor


def _below(part: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    prefix = f"{part}/"
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _laid_out_as(weight: Tensor, moment: Tensor) -> Tensor:
    # The fused optimiser walks through the memory of both, so their strides must agree.
    if moment.shape != weight.shape:  # the count of steps
        return moment
    return torch.empty_like(weight, dtype=moment.dtype).copy_(moment)
