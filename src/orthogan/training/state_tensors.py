"""Networks and optimizers as the tensors of a checkpoint, and back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from orthogan.errors import ResumeError, shortened

_MOMENTS = {"step", "exp_avg", "exp_avg_sq"}  # of Adam and those built on it
_INDEX = re.compile(r"[0-9]{1,9}")


def state_tensors(
    networks: Mapping[str, nn.Module], optimizers: Mapping[str, Optimizer]
) -> dict[str, Tensor]:
    """All weights, buffers and moments: `name/...` for each network and optimizer by name."""
    return {
        name: tensor.detach().cpu().contiguous() for name, tensor in _named(networks, optimizers)
    }


def restore(
    tensors: Mapping[str, Tensor],
    networks: Mapping[str, nn.Module],
    optimizers: Mapping[str, Optimizer],
) -> None:
    """Puts back what `state_tensors` took; other tensors are left alone.

    Raises:
        ResumeError: the tensors are not those of these networks and optimizers.
    """
    for part, network in networks.items():
        _refuse_others(part, network.state_dict(), part_of(part, tensors))
        network.load_state_dict(part_of(part, tensors))
    for part, optimizer in optimizers.items():
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in part_of(part, tensors).items():
            number, _, moment = name.partition("/")
            index = int(number) if _INDEX.fullmatch(number) else len(weights)
            if index >= len(weights) or not _is_moment(moment, tensor, weights[index]):
                raise ResumeError(f"The checkpoint's {part}/{shortened(name)} is no moment here.")
            moments.setdefault(index, {})[moment] = _laid_out_as(weights[index], tensor)
        for index, found in moments.items():
            if not found.keys() >= _kept_moments(optimizer, weights[index]):
                raise ResumeError(f"The checkpoint lacks moments of {part}/{index}.")
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": moments, "param_groups": groups})


def _refuse_others(part: str, wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    for name in sorted(wanted.keys() | found.keys()):
        if name not in wanted or name not in found:
            where = "the checkpoint" if name in wanted else "this network"
            raise ResumeError(f"There is no {part}/{shortened(name)} in {where}.")
        forms = [f"{tensor.dtype} {tuple(tensor.shape)}" for tensor in (wanted[name], found[name])]
        if forms[0] != forms[1]:
            raise ResumeError(f"{part}/{name} is {forms[0]} here, {forms[1]} in the checkpoint.")


def _is_moment(name: str, tensor: Tensor, weight: Tensor) -> bool:
    shape = torch.Size() if name == "step" else weight.shape
    return name in _MOMENTS and tensor.shape == shape and tensor.is_floating_point()


def _kept_moments(optimizer: Optimizer, weight: Tensor) -> set[str]:
    """What a weight that has moments at all has: Muon's matrices have no squares."""
    by_muon = any(weight is matrix for matrix in getattr(optimizer, "matrices", ()))
    return {"step", "exp_avg"} if by_muon else _MOMENTS


def _named(
    networks: Mapping[str, nn.Module], optimizers: Mapping[str, Optimizer]
) -> Iterator[tuple[str, Tensor]]:
    for part, network in networks.items():
        for name, tensor in network.state_dict().items():
            yield f"{part}/{name}", tensor
    for part, optimizer in optimizers.items():
        for index, moments in optimizer.state_dict()["state"].items():
            for name, tensor in moments.items():
                yield f"{part}/{index}/{name}", tensor


def part_of(part: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of one network or optimizer, by their names in it."""
    prefix = f"{part}/"
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _laid_out_as(weight: Tensor, moment: Tensor) -> Tensor:
    # The fused optimizer walks through the memory of both, so their strides must agree.
    if moment.shape != weight.shape:  # the count of steps
        return moment
    return torch.empty_like(weight, dtype=moment.dtype).copy_(moment)
