"""What the contract tests show to networks, and how they wake them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import torch
from torch import Tensor, nn

from orthogan.attention import position_names, score_names
from orthogan.networks import NetworkConfig
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


def other_value(config: NetworkConfig, name: str) -> Any:
    """Some other legal value of a setting."""
    value = getattr(config, name)
    known: dict[str, Sequence[Any]] = {
        "score": score_names(),
        "positions": position_names(),
        "keys": ["values"],  # every score takes them
        "key_size": [getattr(config, "width", 0) // 2],
        "position_mode": ["untied"],  # it takes every code
        "colours": [1, 3],
        "size": [32],
        "patch": [8 if hasattr(config, "stem") else 16],  # classifiers have finer ones only
        "classes": [2, 3],
        "emphasis": [4.0],
    }
    choices = known.get(name, get_args(type(config).model_fields[name].annotation))
    if isinstance(value, bool):
        return not value
    return next((choice for choice in choices if choice != value), 2 * (value or 0))
