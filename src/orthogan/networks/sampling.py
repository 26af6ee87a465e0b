"""From seeds to pixels: the image of a seed is the same whichever batch it is in."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from orthogan.data import to_pixels
from orthogan.networks.network import Generator
from orthogan.passes import passes
from orthogan.shapes import Pixels


@torch.inference_mode()
def sample_pixels(
    generator: Generator, seeds: Sequence[int], classes: Sequence[int] | None = None
) -> Pixels:
    """One image a seed.

    Args:
        generator: Any generator; it is put in evaluation mode.
        seeds: Each decides its image (and its class, if `classes` is None) alone.
        classes: For class-conditional generators: the classes to show, in turn.

    Raises:
        ConfigError: a negative seed, an unknown class, or classes for a generator without them.
    """
    config, device = generator.config, next(generator.parameters()).device
    generator.eval()
    made = [torch.empty(0, config.colours, config.size, config.size, dtype=torch.uint8)]
    for draws, asked in passes(seeds, config.latent_size, config.classes, classes):
        latents = torch.from_numpy(draws).to(device)
        labels = None if asked is None else torch.from_numpy(asked).to(device)
        made.append(to_pixels(generator(latents, labels)).cpu())
    return torch.cat(made)[: len(seeds)]
