"""A network from its description and its weights: compared first, allocated after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from orthogan.errors import BundleError, ConfigError, shortened

# Of a tensor, and of `torch.nn.init`, which takes one first.
_FILLS = frozenset(("normal_", "uniform_", "trunc_normal_", "kaiming_uniform_", "xavier_uniform_"))

_SCALES = frozenset(("mul", "__mul__", "__rmul__"))  # by a number: the form stays

Network_co = TypeVar("Network_co", bound=nn.Module, covariant=True)


class Described(Protocol[Network_co]):
    """A configuration of a network."""

    def build(self) -> Network_co:
        """The network, freshly initialized."""


class _Unfilled(TorchFunctionMode):
    """Inside, nothing is drawn: random tensors are empty.

    On the device `meta` there is nothing to fill, and PyTorch would import its compiler for it,
    which takes as long as drawing the first images.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in _FILLS:
            return args[0] if args else given["tensor"]
        if func in (torch.randn, torch.rand):
            return torch.empty(*args, **given)
        if name in _SCALES and len(args) == 2 and not isinstance(args[1], Tensor):
            return args[0]
        return func(*args, **given)


def rebuild(
    describe: Callable[[], Described[Network_co]], tensors: Mapping[str, Tensor], where: Path
) -> Network_co:
    """The described network with these weights.

    The description is a file that anybody may have written: its network is first built without
    memory (on the device `meta`) and compared with the tensors that are there, so that nothing
    larger than they are is ever allocated.

    Args:
        describe: Gives the configuration.
        tensors: Its weights, by name.
        where: What both were read from.

    Raises:
        BundleError: nothing can be built, the weights do not fit it, or one is not finite.
    """
    try:
        config = describe()
        with torch.device("meta"), _Unfilled():
            plan = config.build()
    except (ConfigError, LookupError) as error:
        raise BundleError(f"{where}: no network can be built: {error}") from None
    problem = _misfit(plan.state_dict(), tensors)
    if problem:
        raise BundleError(
            f"{where}: the weights do not fit the network that the configuration describes: "
            f"{problem}; copy both again."
        )
    network = config.build()
    network.load_state_dict(dict(tensors))
    return network


def _misfit(planned: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> str:
    """The first difference as part of a sentence; empty if there is none."""
    for name in sorted(planned.keys() | tensors.keys()):
        if name not in tensors:
            return f"{name} is missing"
        if name not in planned:
            return f"there is no {shortened(name)} in it"
        wanted, found = planned[name], tensors[name]
        if wanted.shape != found.shape or wanted.dtype != found.dtype:
            return f"{name} is {_form(wanted)} in it, not {_form(found)}"
        if not bool(found.isfinite().all()):
            return f"{name} is not finite"
    return ""


def _form(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
