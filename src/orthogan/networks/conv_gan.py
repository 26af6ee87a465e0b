"""The convolutional pair: no attention anywhere; shows what attention buys."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from orthogan.networks.blocks import LEAK, mlp_layers
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
from orthogan.networks.patches import ImageHead
from orthogan.networks.stems import grid_side
from orthogan.shapes import Features, Grid, Images, Latents


@GENERATORS.register("conv")
class ConvGeneratorConfig(PatchedConfig, GeneratorConfig):
    """Settings of the convolutional generator."""

    FINEST: ClassVar[int] = 4

    kind: Literal["conv"] = "conv"
    hidden: int = Field(128, ge=1, le=MOST_WIDE, description="width of the dense layers")
    width: int = Field(64, ge=1, le=MOST_WIDE, description="channels of the coarse grid")
    blocks: int = Field(2, ge=0, le=MOST_BLOCKS, description="number of residual blocks")
    patch: Literal[4, 8, 16, 32] | None = Field(
        None,
        description="pixels between places of the grid; null: 4 up to 32 px, 8 up to 64, 16 above",
    )
    channels: int = Field(64, ge=1, le=MOST_WIDE, description="channels of the image head")

    def build(self) -> ConvGenerator:
        """The generator, freshly initialized."""
        return ConvGenerator(self)


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, grid: Grid) -> Grid:
        """A grid of the same shape."""
        refined: Tensor = grid + self.second(self.first(grid.relu()).relu())
        return refined


class ConvGenerator(Generator):
    """Dense layers make a coarse grid; convolutions refine and enlarge it."""

    def __init__(self, config: ConvGeneratorConfig) -> None:
        super().__init__(config)
        grid, width = grid_side(config.size, config.spacing), config.width
        self.dense = nn.Sequential(
            *mlp_layers(config.latent_size, config.hidden),
            nn.Linear(config.hidden, width * grid * grid),
            nn.Unflatten(1, (width, grid, grid)),
        )
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(config.blocks)))
        self.head = ImageHead(width, config.channels, config.colours, config.size, config.spacing)

    def synthesise(self, noise: Latents) -> Images:
        """Images from latents of unit mean square."""
        images: Tensor = self.head(self.blocks(self.dense(noise)).flatten(2).transpose(1, 2))
        return images


@DISCRIMINATORS.register("conv")
class ConvDiscriminatorConfig(PatchedConfig, DiscriminatorConfig):
    """Settings of the convolutional discriminator."""

    FINEST: ClassVar[int] = 4

    kind: Literal["conv"] = "conv"
    patch: Literal[4, 8, 16, 32] | None = Field(
        None,
        description="pixels between places of the grid; null: 4 up to 32 px, 8 up to 64, 16 above",
    )
    channels: int = Field(32, ge=1, le=MOST_WIDE, description="channels of the first convolution")
    hidden: int = Field(
        128, ge=1, le=MOST_WIDE, description="width of the dense layer before the logit"
    )

    def build(self) -> ConvDiscriminator:
        """The discriminator, freshly initialized."""
        return ConvDiscriminator(self)


class ConvDiscriminator(Discriminator):
    """Three convolutions, then dense layers that read the whole grid."""

    def __init__(self, config: ConvDiscriminatorConfig) -> None:
        super().__init__(config, config.hidden)
        channels, grid = config.channels, grid_side(config.size, config.spacing)
        further = (config.spacing // config.FINEST).bit_length() - 1
        self.layers = nn.Sequential(
            nn.Conv2d(config.colours, channels, 4, stride=2, padding=1),
            nn.LeakyReLU(LEAK),
            nn.Conv2d(channels, 2 * channels, 4, stride=2, padding=1),
            nn.LeakyReLU(LEAK),
            *(
                layer
                for _ in range(further)
                for layer in (
                    nn.Conv2d(2 * channels, 2 * channels, 3, stride=2, padding=1),
                    nn.LeakyReLU(LEAK),
                )
            ),
            nn.Conv2d(2 * channels, 2 * channels, 3, padding=1),
            nn.LeakyReLU(LEAK),
            nn.Flatten(),
            nn.Linear(2 * channels * grid * grid, config.hidden),
            nn.LeakyReLU(LEAK),
        )

    def features(self, images: Images) -> Features:
        """What the logit is a linear function of."""
        features: Tensor = self.layers(images)
        return features
