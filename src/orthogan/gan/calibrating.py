"""The statistics of tokens that both networks take from the images before training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn

from orthogan import rng
from orthogan.gan.config import TrainingConfig
from orthogan.networks.calibration import (
    CALIBRATION_IMAGES,
    calibrate,
    check_whitening,
    needs_calibration,
    whiten_by_all,
)
from orthogan.shapes import Images, Indices, Labels, Latents

Taken: TypeAlias = tuple[Images, Labels | None]


@dataclass(frozen=True)
class Calibration:
    """Both networks are shown images, and as many latents, before the first step.

    Attributes:
        config: The run.
        num_images: Of the training set.
        take: Images and what they are conditioned on, by their numbers.
        device: Of the networks.
    """

    config: TrainingConfig
    num_images: int
    take: Callable[[Indices], Taken]
    device: torch.device

    def run(
        self, generator: nn.Module, discriminator: nn.Module, first: Callable[[int], Indices]
    ) -> None:
        """Statistics of the first images of the run, or of all (`data.whitening`).

        Args:
            generator: Freshly initialized.
            discriminator: Likewise.
            first: The numbers of so many images, the first of the run.

        Raises:
            ConfigError: statistics of all images are asked for and no network takes any, or
                whitened keys meet too few tokens.
            DataError: a token is not finite, or all are alike.
        """
        of_all = self.config.data.whitening == "all"
        check_whitening(self.config.data.whitening, generator, discriminator)
        if not (needs_calibration(generator) or needs_calibration(discriminator)):
            return
        real, latents, labels = self._batch(first(min(CALIBRATION_IMAGES, self.num_images)), 0)
        calibrate(generator, latents, labels)
        if of_all:
            whiten_by_all(generator, lambda: (batch[1:] for batch in self._batches()))
        calibrate(discriminator, *_pairs(generator, real, latents, labels))
        if of_all:
            whiten_by_all(
                discriminator, lambda: (_pairs(generator, *batch) for batch in self._batches())
            )

    def _batches(self) -> Iterator[tuple[Images, Latents, Labels | None]]:
        """Every image of the set once, with a latent and the class of both."""
        for start in range(0, self.num_images, CALIBRATION_IMAGES):
            end = min(start + CALIBRATION_IMAGES, self.num_images)
            yield self._batch(torch.arange(start, end), start)

    def _batch(self, index: Indices, counter: int) -> tuple[Images, Latents, Labels | None]:
        real, labels = self.take(index)
        noise = rng.stream(self.config.seed, "statistics", counter)
        draws = rng.normal((len(index), self.config.generator.latent_size), noise)
        return real, draws.to(self.device), labels


@torch.no_grad()
def _pairs(
    generator: nn.Module, real: Images, latents: Latents, labels: Labels | None
) -> tuple[Tensor, Tensor | None]:
    """Real images and as many of the generator's, `2B C H W`, with their classes, `2B`."""
    both = torch.cat([real, generator(latents, labels)])
    return both, None if labels is None else labels.repeat(2)
