"""The tokens of a network before their position codes move them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from orthogan.attention import PositionalEncoding
from orthogan.shapes import Tokens


def position_code(network: nn.Module) -> PositionalEncoding | None:
    """The part that gives the tokens their codes; None in a network without tokens."""
    return next((part for part in network.modules() if isinstance(part, PositionalEncoding)), None)


@torch.inference_mode()
def content_tokens(network: nn.Module, work: Callable[[], object]) -> Tokens:
    """The tokens `B T D` that reached the position code while `work` was done.

    Args:
        network: A network with a `PositionalEncoding`, which takes no part in a gradient here.
        work: Runs the network on as many batches as it likes.

    Raises:
        ValueError: the network has no position code, or `work` never reached it.

    >>> from orthogan.attention import PositionalEncoding
    >>> code = PositionalEncoding("sinusoidal-1d", 2, 1, width=4)
    >>> content_tokens(code, lambda: code(torch.ones(1, 2, 4))).tolist()
    [[[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]]
    """
    code, seen = position_code(network), []
    if code is None:
        raise ValueError("The network has no position code.")
    hook = code.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].float().cpu()))
    try:
        work()
    finally:
        hook.remove()
    if not seen:
        raise ValueError("No token reached the position code.")
    return torch.cat(seen)
