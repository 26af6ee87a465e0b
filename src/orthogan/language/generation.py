"""Text that goes on from a beginning: a function of the seed."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from orthogan import rng
from orthogan.errors import ConfigError
from orthogan.language.transformer import LanguageTransformer


def check_generation(length: int, temperature: float, top: int | None) -> None:
    """Nothing, if text can be generated so.

    Raises:
        ConfigError: a number is out of its range.
    """
    if length < 1:
        raise ConfigError(f"At least 1 token is generated, got {length}.")
    if not (math.isfinite(temperature) and temperature >= 0):
        raise ConfigError(f"The temperature is finite and not negative, got {temperature}.")
    if top is not None and top < 1:
        raise ConfigError(f"'top' keeps at least 1 token, got {top}.")


@torch.no_grad()
def continue_tokens(
    network: LanguageTransformer,
    tokens: Tensor,
    length: int,
    *,
    seed: int = 0,
    temperature: float = 1.0,
    top: int | None = None,
    never: int | None = None,
) -> Tensor:
    """The tokens `length` that follow, each drawn from what the network expects.

    Args:
        network: What expects; it reads the last `context` tokens.
        tokens: The beginning, at least one token.
        length: How many tokens follow.
        seed: Of the draws; the n-th token is drawn with the n-th number of its stream.
        temperature: Below 1 the likely become likelier; 0 always takes the likeliest.
        top: Draw from so many of the likeliest only; None from all.
        never: A token that is not drawn; None allows all.

    Raises:
        ConfigError: there is no beginning, or a number is out of its range.
    """
    check_generation(length, temperature, top)
    if len(tokens) < 1:
        raise ConfigError("A text goes on from at least 1 token; give a longer beginning.")
    network.eval()
    place, context = network.embedding.weight.device, network.config.context
    draws = rng.stream(seed, "generate").random(length).tolist()
    text = tokens.tolist()
    for draw in draws:
        read = torch.tensor([text[-context:]], device=place)
        logits = network(read)[0, -1].double().cpu()
        if never is not None:
            logits[never] = -math.inf
        text.append(choose(logits, draw, temperature, top))
    return torch.tensor(text[len(tokens) :], dtype=torch.int64)


def choose(logits: Tensor, draw: float, temperature: float = 1.0, top: int | None = None) -> int:
    """The token at the share `draw` of the probability, the likeliest tokens first.

    >>> logits = torch.tensor([0.0, 2.0, 1.0])
    >>> [choose(logits, draw) for draw in (0.1, 0.7, 0.99)], choose(logits, 0.99, top=1)
    ([1, 2, 0], 1)
    """
    ordered, tokens = logits.sort(descending=True, stable=True)
    kept = len(ordered) if top is None else min(top, len(ordered))
    if temperature == 0 or kept == 1:
        return int(tokens[0])
    # The largest logit becomes 0 first: divided by a tiny temperature it would be infinite.
    shares = ((ordered[:kept] - ordered[0]) / temperature).softmax(0).cumsum(0)
    place = int(torch.searchsorted(shares, torch.tensor(draw, dtype=shares.dtype), right=True))
    return int(tokens[min(place, kept - 1)])
