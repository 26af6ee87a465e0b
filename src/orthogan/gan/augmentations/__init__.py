"""Differentiable augmentations of real and fake images alike; one file here each.

The discriminator sees $T(x)$ and $T(G(z))$ and nothing else, so it has more images to learn from
than the data hold; gradients reach the generator through $T$ (Zhao et al. 2020, "Differentiable
augmentation for data-efficient GAN training"). Each $T$ is left out with some probability, so that
the images as they are stay in sight: a generator that drew augmented images would be told apart
there (Karras et al. 2020, "Training generative adversarial networks with limited data", section
2.2: below .8 nothing leaks).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch

from orthogan.registry import TraitRegistry
from orthogan.shapes import Draws, Images

# Images, and numbers drawn uniformly from [0, 1), one row per image.
Apply: TypeAlias = Callable[[Images, Draws], Images]


@dataclass(frozen=True)
class Augmentation:
    """One way of changing images.

    Attributes:
        apply: Changes each image as its row of draws says; differentiable by the images.
        num_draws: How many numbers it takes per image.
        mirrors: Images that are not as common as their mirror images are left alone by default.
    """

    apply: Apply
    num_draws: int
    mirrors: bool = False


AUGMENTATIONS = TraitRegistry(
    "augmentation", Augmentation, "orthogan.gan.augmentations", group="augmentations"
)


def num_draws(chosen: Sequence[Augmentation]) -> int:
    """How many numbers `augmented` takes per image."""
    return sum(1 + each.num_draws for each in chosen)


def augmented(
    images: Images, draws: Draws, chosen: Sequence[Augmentation], probability: float
) -> Images:
    """Each image under each of the augmentations in turn, or not under it.

    Args:
        images: Floats in [-1, 1]; the results may lie outside.
        draws: From [0, 1), one row of `num_draws(chosen)` per image.
        chosen: The augmentations, in order.
        probability: With which each of them is applied to an image.
    """
    for augmentation, part in zip(
        chosen, draws.split([1 + each.num_draws for each in chosen], dim=1), strict=True
    ):
        is_applied = (part[:, 0] < probability)[:, None, None, None]
        images = torch.where(is_applied, augmentation.apply(images, part[:, 1:]), images)
    return images
