"""From seeds to pixels: the image of a seed is the same whichever batch it is in."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from orthogan import rng
from orthogan.data import to_pixels
from orthogan.errors import ConfigError
from orthogan.networks.network import Generator
from orthogan.shapes import Pixels

# Every pass has this many images, padded if need be: kernels sum in an order that depends on
# the shape, so a fixed shape makes the image of a seed the same to the last bit.
PASS_SIZE = 64


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
    labels = _labels(generator.config.classes, len(seeds), classes)
    latents = rng.latents(seeds, generator.config.latent_size)
    device = next(generator.parameters()).device
    generator.eval()
    passes = []
    for start in range(0, len(seeds), PASS_SIZE):
        part = _padded(latents[start : start + PASS_SIZE]).to(device)
        part_labels = None
        if labels is not None:
            part_labels = _padded(labels[start : start + PASS_SIZE]).to(device)
        passes.append(to_pixels(generator(part, part_labels)).cpu())
    config = generator.config
    empty = torch.empty(0, config.colours, config.size, config.size, dtype=torch.uint8)
    return torch.cat([empty, *passes])[: len(seeds)]


def _labels(num_classes: int, num_images: int, classes: Sequence[int] | None) -> Tensor | None:
    if classes is None:
        return None
    if num_classes == 0:
        raise ConfigError(
            "This generator was trained without classes, so none can be asked for; "
            "train with --set condition=classes."
        )
    wrong = [label for label in classes if not 0 <= label < num_classes]
    if wrong or not classes:
        raise ConfigError(f"Classes lie in 0..{num_classes - 1}, got {wrong or 'none'}.")
    return torch.tensor([classes[i % len(classes)] for i in range(num_images)])


def _padded(rows: Tensor) -> Tensor:
    return torch.cat([rows, rows.new_zeros(PASS_SIZE - len(rows), *rows.shape[1:])])
