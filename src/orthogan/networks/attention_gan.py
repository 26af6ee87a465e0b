"""The attention GAN: noise, dense layers, tokens, self-attention, image; and its judge."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from orthogan.networks.attending import AttendingConfig, ScoreName
from orthogan.networks.blocks import LEAK, Block, leaky_relu, mlp_layers
from orthogan.networks.limits import MOST_BLOCKS, MOST_WIDE
from orthogan.networks.network import (
    DISCRIMINATORS,
    GENERATORS,
    Discriminator,
    DiscriminatorConfig,
    Generator,
    GeneratorConfig,
    PatchedConfig,
)
from orthogan.networks.patches import ImageHead, PatchStem
from orthogan.networks.stems import grid_side
from orthogan.shapes import Features, Images, Latents


@GENERATORS.register("attention")
class AttentionGeneratorConfig(AttendingConfig, PatchedConfig, GeneratorConfig):
    """Settings of the attention generator."""

    FINEST: ClassVar[int] = 4

    kind: Literal["attention"] = "attention"
    hidden: int = Field(128, ge=1, le=MOST_WIDE, description="width of the dense layers")
    width: int = Field(64, ge=1, le=MOST_WIDE, description="width of the feature embeddings")
    blocks: int = Field(1, ge=0, le=MOST_BLOCKS, description="number of self-attention blocks")
    heads: int = Field(2, ge=1, le=MOST_WIDE, description="attention heads a block")
    score: ScoreName = Field("cosine", description="attention score")
    patch: Literal[4, 8, 16, 32] | None = Field(
        None,
        description="pixels between tokens; null: 4 up to 32 px, 8 up to 64, 16 above",
    )
    channels: int = Field(64, ge=1, le=MOST_WIDE, description="channels of the image head")

    def build(self) -> AttentionGenerator:
        """The generator, freshly initialized."""
        return AttentionGenerator(self)


class AttentionGenerator(Generator):
    """Dense layers turn noise into feature embeddings that attend to each other."""

    def __init__(self, config: AttentionGeneratorConfig) -> None:
        super().__init__(config)
        grid, width = grid_side(config.size, config.spacing), config.width
        self.dense = nn.Sequential(
            *mlp_layers(config.latent_size, config.hidden),
            nn.Linear(config.hidden, grid * grid * config.token_width),
            nn.Unflatten(1, (grid * grid, config.token_width)),
        )
        self.positions = config.place(grid)
        self.blocks = nn.Sequential(
            *(Block(width, config.attend(grid), torch.relu_) for _ in range(config.blocks))
        )
        self.norm = nn.RMSNorm(width)
        self.head = ImageHead(width, config.channels, config.colours, config.size, config.spacing)

    def synthesise(self, noise: Latents) -> Images:
        """Images from latents of unit mean square."""
        images: Tensor = self.head(self.norm(self.blocks(self.positions(self.dense(noise)))))
        return images


@DISCRIMINATORS.register("attention")
class AttentionDiscriminatorConfig(AttendingConfig, PatchedConfig, DiscriminatorConfig):
    """Settings of the attention discriminator."""

    FINEST: ClassVar[int] = 8
    SMALL: ClassVar[int] = 64

    kind: Literal["attention"] = "attention"
    patch: Literal[8, 16, 32] | None = Field(
        None,
        description="pixels between patches; null: 8 up to 64 px, 16 above",
    )
    channels: int = Field(
        32, ge=1, le=MOST_WIDE, description="channels of the first convolution of the stem"
    )
    width: int = Field(96, ge=1, le=MOST_WIDE, description="width of the patch embeddings")
    blocks: int = Field(1, ge=0, le=MOST_BLOCKS, description="number of self-attention blocks")
    heads: int = Field(4, ge=1, le=MOST_WIDE, description="attention heads a block")
    score: ScoreName = Field("softmax", description="attention score")
    hidden: int = Field(
        128, ge=1, le=MOST_WIDE, description="width of the dense layer before the logit"
    )

    def build(self) -> AttentionDiscriminator:
        """The discriminator, freshly initialized."""
        return AttentionDiscriminator(self)


class AttentionDiscriminator(Discriminator):
    """Overlapping patches attend to each other; dense layers read all of them."""

    def __init__(self, config: AttentionDiscriminatorConfig) -> None:
        super().__init__(config, config.hidden)
        grid, width = grid_side(config.size, config.spacing), config.width
        self.stem = PatchStem(config.colours, config.channels, config.token_width, config.spacing)
        self.positions = config.place(grid)
        # No norm: a step takes longer with it, and the transformer pair learns more slowly
        # (docs/log.md).
        self.blocks = nn.Sequential(
            *(
                Block(width, config.attend(grid), leaky_relu, normalise=False)
                for _ in range(config.blocks)
            )
        )
        self.dense = nn.Sequential(
            nn.Flatten(), nn.Linear(grid * grid * width, config.hidden), nn.LeakyReLU(LEAK)
        )

    def features(self, images: Images) -> Features:
        """What the logit is a linear function of."""
        features: Tensor = self.dense(self.blocks(self.positions(self.stem(images))))
        return features
