"""Statistics of tokens that whitened keys and orthogonal codes take once, before training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from orthogan.attention import Attention, OrthogonalEncoding

# With the fewest tokens an image, 16, these are 40 tokens a dimension of the widest default.
CALIBRATION_IMAGES = 256


def needs_calibration(network: nn.Module) -> bool:
    """Whether a part of the network cannot work before it has seen tokens."""
    return any(_needs_calibration(part) for part in network.modules())


@torch.no_grad()
def calibrate(network: nn.Module, *inputs: Tensor | None) -> Tensor:
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
    # Before each part and not after the pass: the statistics of a later part depend on what the
    # earlier ones make of their own.
    hooks = [
        part.register_forward_pre_hook(_calibrate_part)
        for part in network.modules()
        if _needs_calibration(part)
    ]
    try:
        made: Tensor = network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return made


def _needs_calibration(part: nn.Module) -> bool:
    return isinstance(part, OrthogonalEncoding) or (
        isinstance(part, Attention) and part.keys.needs_calibration
    )


def _calibrate_part(part: nn.Module, inputs: tuple[Any, ...]) -> None:
    if isinstance(part, OrthogonalEncoding):
        part.place(inputs[0])
    elif isinstance(part, Attention):
        part.fit_keys(inputs[0])
