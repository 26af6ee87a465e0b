"""Statistics of tokens that whitened keys and orthogonal codes take once, before training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from orthogan.attention import Attention, OrthogonalCode

# With the fewest tokens an image, 16, these are 40 tokens a dimension of the widest default.
STATISTICS_IMAGES = 256


def waits_for_tokens(network: nn.Module) -> bool:
    """Whether a part of the network cannot work before it has seen tokens."""
    return any(_waits(part) for part in network.modules())


@torch.no_grad()
def show_tokens(network: nn.Module, *inputs: Tensor | None) -> Tensor:
    """Shows the network its first inputs; each part that waits for tokens learns from them.

    The parts are met in the order of the forward pass, so that each sees the tokens as those
    before it leave them. What they learn is stored with the weights and stays: training moves
    the tokens, not the statistics.

    Args:
        network: Freshly initialized.
        inputs: What its `forward` takes.

    Returns:
        What the network makes of the inputs.

    Raises:
        ConfigError: whitened keys meet too few tokens.
        DataError: a token is not finite, or all are alike.
    """
    hooks = [part.register_forward_pre_hook(_learn) for part in network.modules() if _waits(part)]
    try:
        made: Tensor = network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return made


def _waits(part: nn.Module) -> bool:
    return isinstance(part, OrthogonalCode) or (
        isinstance(part, Attention) and part.keys.needs_tokens
    )


def _learn(part: nn.Module, inputs: tuple[Any, ...]) -> None:
    if isinstance(part, OrthogonalCode):
        part.place(inputs[0])
    elif isinstance(part, Attention):
        part.fit_keys(inputs[0])
