"""A generator whose images are sums of few products of a column and a row."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from orthogan.gan.config import TrainingConfig
from orthogan.gan.recipes import RECIPES
from orthogan.networks import GENERATORS, ConvDiscriminatorConfig, Generator, GeneratorConfig


@GENERATORS.register("low-rank")
class LowRankGeneratorConfig(GeneratorConfig):
    """Settings of the low-rank generator."""

    kind: Literal["low-rank"] = "low-rank"
    hidden: int = Field(128, ge=1, description="width of the hidden layer")
    rank: int = Field(8, ge=1, description="products that an image is the sum of")

    def build(self) -> LowRankGenerator:
        """The network."""
        return LowRankGenerator(self)


class LowRankGenerator(Generator):
    """One hidden layer, then the columns and rows whose products are added."""

    def __init__(self, config: LowRankGeneratorConfig) -> None:
        super().__init__(config)
        shape = (2, config.colours, config.rank, config.size)
        self.layers = nn.Sequential(
            nn.Linear(config.latent_size, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, 2 * config.colours * config.rank * config.size),
            nn.Unflatten(1, shape),
        )
        self.offset = nn.Parameter(torch.zeros(config.colours, 1, 1))

    def synthesise(self, noise: Tensor) -> Tensor:
        """Images, from latents to which the class has been added."""
        columns, rows = self.layers(noise).unbind(1)
        products = torch.einsum("bcri,bcrj->bcij", columns, rows)
        return products + self.offset


@RECIPES.register("low-rank-gan")
def low_rank_gan() -> TrainingConfig:
    """Low-rank images against convolutions."""
    return TrainingConfig(
        generator=LowRankGeneratorConfig(), discriminator=ConvDiscriminatorConfig()
    )
