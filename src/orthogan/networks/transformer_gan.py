"""The transformer GAN: transformers on both sides, the noise entering every block as a style."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from orthogan.networks.attending import AttendingConfig, ScoreName
from orthogan.networks.blocks import LEAK, Block, ModulatedBlock, leaky_relu, mlp_layers
from orthogan.networks.limits import MOST_BLOCKS, MOST_EXPANSION, MOST_WIDE
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


@GENERATORS.register("transformer")
class TransformerGeneratorConfig(AttendingConfig, PatchedConfig, GeneratorConfig):
    """Settings of the transformer generator."""

    FINEST: ClassVar[int] = 4

    kind: Literal["transformer"] = "transformer"
    style_size: int = Field(128, ge=1, le=MOST_WIDE, description="width of the mapped noise")
    width: int = Field(64, ge=1, le=MOST_WIDE, description="width of the tokens")
    blocks: int = Field(2, ge=1, le=MOST_BLOCKS, description="number of transformer blocks")
    heads: int = Field(2, ge=1, le=MOST_WIDE, description="attention heads a block")
    score: ScoreName = Field("cosine", description="attention score")
    expansion: int = Field(
        2, ge=1, le=MOST_EXPANSION, description="hidden width of the dense layers, in widths"
    )
    patch: Literal[4, 8, 16, 32] | None = Field(
        None,
        description="pixels between tokens; null: 4 up to 32 px, 8 up to 64, 16 above",
    )
    channels: int = Field(64, ge=1, le=MOST_WIDE, description="channels of the image head")

    def build(self) -> TransformerGenerator:
        """The generator, freshly initialized."""
        return TransformerGenerator(self)


class TransformerGenerator(Generator):
    """Tokens start as a linear read of the style and are modulated by it in every block."""

    def __init__(self, config: TransformerGeneratorConfig) -> None:
        super().__init__(config)
        grid, width = grid_side(config.size, config.spacing), config.width
        self.mapping = nn.Sequential(*mlp_layers(config.latent_size, config.style_size))
        self.tokens = nn.Sequential(
            nn.Linear(config.style_size, grid * grid * config.token_width),
            nn.Unflatten(1, (grid * grid, config.token_width)),
        )
        self.positions = config.place(grid)
        self.blocks = nn.ModuleList(
            ModulatedBlock(
                width,
                config.attend(grid),
                config.style_size,
                nn.functional.relu,
                config.expansion,
            )
            for _ in range(config.blocks)
        )
        self.norm = nn.RMSNorm(width)
        self.head = ImageHead(width, config.channels, config.colours, config.size, config.spacing)

    def synthesise(self, noise: Latents) -> Images:
        """Images from latents of unit mean square."""
        style = self.mapping(noise)
        tokens = self.positions(self.tokens(style))
        for block in self.blocks:
            tokens = block(tokens, style)
        images: Tensor = self.head(self.norm(tokens))
        return images


@DISCRIMINATORS.register("transformer")
class TransformerDiscriminatorConfig(AttendingConfig, PatchedConfig, DiscriminatorConfig):
    """Settings of the transformer discriminator."""

    FINEST: ClassVar[int] = 8
    SMALL: ClassVar[int] = 64

    kind: Literal["transformer"] = "transformer"
    patch: Literal[8, 16, 32] | None = Field(
        None,
        description="pixels between patches; null: 8 up to 64 px, 16 above",
    )
    channels: int = Field(
        32, ge=1, le=MOST_WIDE, description="channels of the first convolution of the stem"
    )
    width: int = Field(96, ge=1, le=MOST_WIDE, description="width of the tokens")
    blocks: int = Field(2, ge=1, le=MOST_BLOCKS, description="number of transformer blocks")
    heads: int = Field(4, ge=1, le=MOST_WIDE, description="attention heads a block")
    score: ScoreName = Field("softmax", description="attention score")
    expansion: int = Field(
        2, ge=1, le=MOST_EXPANSION, description="hidden width of the dense layers, in widths"
    )
    normalise: bool = Field(False, description="RMSNorm before each part of a block")
    read_out: Literal["all", "class"] = Field(
        "all", description="read the logit from all tokens, or from the class token alone"
    )
    hidden: int = Field(
        128, ge=1, le=MOST_WIDE, description="width of the dense layer before the logit"
    )

    def build(self) -> TransformerDiscriminator:
        """The discriminator, freshly initialized."""
        return TransformerDiscriminator(self)


class TransformerDiscriminator(Discriminator):
    """A class token and overlapping patches attend to each other; dense layers read them.

    Source: Dosovitskiy et al. 2021, "An image is worth 16x16 words", section 3.1, where the class
    token alone is read; here that learns several times slower (docs/log.md), so all tokens are.
    """

    def __init__(self, config: TransformerDiscriminatorConfig) -> None:
        super().__init__(config, config.hidden)
        grid, width = grid_side(config.size, config.spacing), config.width
        self.stem = PatchStem(config.colours, config.channels, config.token_width, config.spacing)
        self.positions = config.place(grid)
        self.class_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.blocks = nn.Sequential(
            *(
                Block(
                    width,
                    config.attend(grid, num_class=1),
                    leaky_relu,
                    config.expansion,
                    config.normalise,
                )
                for _ in range(config.blocks)
            )
        )
        self.num_read = 1 + grid * grid if config.read_out == "all" else 1
        self.dense = nn.Sequential(
            nn.Flatten(), nn.Linear(self.num_read * width, config.hidden), nn.LeakyReLU(LEAK)
        )

    def features(self, images: Images) -> Features:
        """What the logit is a linear function of."""
        patches = self.positions(self.stem(images))
        tokens = torch.cat([self.class_token.expand(len(images), -1, -1).to(patches), patches], 1)
        features: Tensor = self.dense(self.blocks(tokens)[:, : self.num_read])
        return features
