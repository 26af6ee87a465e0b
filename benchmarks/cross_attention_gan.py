r"""A generator whose tokens attend to a class: all it knows of the class comes by cross-attention.

    ORTHOGAN_PLUGINS=benchmarks/cross_attention_gan.py orthogan train mnist \
        --set generator.kind=cross-attention --set generator.cross_keys=values --for 5m

`studies.py` trains it with keys of the cross-attention that are learned, tied or absent. It is a
plugin and no network of the package: walks between images and exports take a generator whose class
enters with the latent.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from orthogan.attention import Attention
from orthogan.attention.keys import Sizes, make_keys
from orthogan.attention.layer import check_score, check_shared
from orthogan.errors import ConfigError
from orthogan.networks import GENERATORS, AttentionGeneratorConfig, Generator
from orthogan.networks.attending import KeysName
from orthogan.networks.blocks import Block, mlp_layers
from orthogan.networks.network import normalise
from orthogan.networks.patches import ImageHead
from orthogan.networks.stems import grid_side
from orthogan.shapes import Images, Labels, Latents, Tokens


@GENERATORS.register("cross-attention")
class CrossAttentionGeneratorConfig(AttentionGeneratorConfig):
    """Settings of the generator that attends to a class."""

    kind: Literal["cross-attention"] = "cross-attention"  # type: ignore[assignment]
    class_tokens: int = Field(8, ge=1, le=64, description="tokens that a class consists of")
    class_width: int = Field(48, ge=1, description="width of these tokens")
    cross_keys: KeysName = Field(
        "learned", description="where the keys of the cross-attention come from"
    )

    def build(self) -> CrossAttentionGenerator:
        """The generator, freshly initialized."""
        return CrossAttentionGenerator(self)


class CrossAttentionGenerator(Generator):
    """Noise makes the tokens; they attend to the tokens of their class, then to each other."""

    def __init__(self, config: CrossAttentionGeneratorConfig) -> None:
        super().__init__(config)
        # Not by the latent: what the class says has to come through the keys.
        self.class_latents = None
        grid, width = grid_side(config.size, config.spacing), config.width
        # Keys tied to queries need a class as wide as the tokens; then all are.
        context = width if config.cross_keys == "queries" else config.class_width
        keys = make_keys(config.cross_keys, Sizes(context, width, config.key_size))
        check_score(keys, config.score)
        check_shared(keys, width, context, config.heads, config.heads)
        if keys.needs_calibration:
            raise ConfigError("A class has too few tokens to whiten; choose other cross_keys.")
        self.classes = nn.Parameter(
            torch.randn(max(config.classes, 1), config.class_tokens, context)
        )
        self.dense = nn.Sequential(
            *mlp_layers(config.latent_size, config.hidden),
            nn.Linear(config.hidden, grid * grid * config.token_width),
            nn.Unflatten(1, (grid * grid, config.token_width)),
        )
        self.positions = config.place(grid)
        self.cross_norm = nn.RMSNorm(width)
        self.cross = Attention(
            width,
            config.heads,
            config.score,
            config.cross_keys,
            config.key_size,
            context_size=context,
        )
        self.blocks = nn.Sequential(
            *(Block(width, config.attend(grid), torch.relu_) for _ in range(config.blocks))
        )
        self.norm = nn.RMSNorm(width)
        self.head = ImageHead(width, config.channels, config.colours, config.size, config.spacing)

    def forward(self, latents: Latents, labels: Labels | None = None) -> Images:
        """Images of the classes asked for, or of those that the latents stand for."""
        if not self.config.classes:
            return self.synthesise(normalise(latents))
        return self.draw(normalise(latents), self.classes[self.classes_of(latents, labels)])

    def synthesise(self, noise: Latents) -> Images:
        """Images of no class: their tokens attend to the mean of all classes."""
        return self.draw(noise, self.classes.mean(0, keepdim=True).expand(len(noise), -1, -1))

    def draw(self, noise: Latents, context: Tokens) -> Images:
        """Images from noise and the tokens of a class."""
        tokens: Tensor = self.positions(self.dense(noise))
        tokens = tokens + self.cross(self.cross_norm(tokens), context.to(tokens.dtype))
        images: Tensor = self.head(self.norm(self.blocks(tokens)))
        return images
