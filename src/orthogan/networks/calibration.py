"""Statistics of tokens that whitened keys and orthogonal codes take once, before training."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from orthogan.attention import Attention, OrthogonalEncoding
from orthogan.attention.keys import WhitenedKeys
from orthogan.errors import ConfigError

# What a network's `forward` takes, batch by batch, and the same again at each call.
Batches: TypeAlias = Callable[[], Iterable[tuple[Tensor | None, ...]]]

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


class _SeenError(Exception):
    """What comes after this part is of no interest yet."""


@torch.no_grad()
def whiten_by_all(network: nn.Module, batches: Batches) -> None:
    """The statistics of whitened keys anew, from all batches and not from the first alone.

    One part after another, as the forward pass meets them, so that each sees the tokens as those
    before it leave them: a pass over all batches for each part, which ends at that part.

    Args:
        network: Calibrated by its first batch.
        batches: What it takes.
    """
    for part in _whitened_in_order(network, batches):
        if isinstance(part.keys, WhitenedKeys):
            part.keys.moments = None  # without those of the first batch, which is one of all
        hook = part.register_forward_pre_hook(_learn_and_stop)
        try:
            for inputs in batches():
                _until_seen(network, inputs)
        finally:
            hook.remove()


def is_whitened(network: nn.Module) -> bool:
    """Whether keys of the network are whitened by statistics of the data."""
    return any(_is_whitened(part) for part in network.modules())


def check_whitening(statistics: str, *networks: nn.Module) -> None:
    """Nothing, unless statistics of all images are asked for and no network takes any.

    Raises:
        ConfigError: they are.
    """
    if statistics == "all" and not any(is_whitened(network) for network in networks):
        raise ConfigError(
            "data.whitening=all is for keys that are whitened, and no network has any; choose "
            "keys=whitened, or leave it out."
        )


def _whitened_in_order(network: nn.Module, batches: Batches) -> list[Attention]:
    met: list[Attention] = []
    hooks = [
        part.register_forward_pre_hook(lambda part, _: met.append(part))
        for part in network.modules()
        if _is_whitened(part)
    ]
    try:
        network(*next(iter(batches())))
    finally:
        for hook in hooks:
            hook.remove()
    return met


def _until_seen(network: nn.Module, inputs: tuple[Tensor | None, ...]) -> None:
    try:
        network(*inputs)
    except _SeenError:
        return


def _learn_and_stop(part: nn.Module, inputs: tuple[Any, ...]) -> None:
    _calibrate_part(part, inputs)
    raise _SeenError


def _is_whitened(part: nn.Module) -> bool:
    return isinstance(part, Attention) and isinstance(part.keys, WhitenedKeys)


def _needs_calibration(part: nn.Module) -> bool:
    return isinstance(part, OrthogonalEncoding) or (
        isinstance(part, Attention) and part.keys.needs_calibration
    )


def _calibrate_part(part: nn.Module, inputs: tuple[Any, ...]) -> None:
    if isinstance(part, OrthogonalEncoding):
        part.place(inputs[0])
    elif isinstance(part, Attention):
        part.fit_keys(inputs[0])
