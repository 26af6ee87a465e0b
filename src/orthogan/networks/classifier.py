"""The class-token classifier: patches and a class token attend to each other, one is read."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Annotated, Literal, TypeAlias, cast

import torch
from pydantic import Field, SerializeAsAny
from torch import Tensor, nn

from orthogan.errors import ConfigError, ShapeError
from orthogan.networks.attending import AttendingConfig, ScoreName
from orthogan.networks.blocks import Block
from orthogan.networks.limits import (
    MOST_BLOCKS,
    MOST_CLASSES,
    MOST_EXPANSION,
    MOST_LABELS,
    MOST_WIDE,
)
from orthogan.networks.network import KindOf, NetworkConfig
from orthogan.networks.stems import StemKind, build_stem, grid_side
from orthogan.registry import Registry
from orthogan.shapes import AttentionMaps, ClassLogits, Features, Images


class ClassifierConfig(NetworkConfig):
    """Settings that every classifier has."""

    classes: int = Field(10, ge=2, le=MOST_CLASSES, description="number of classes of each label")
    labels: int = Field(1, ge=1, le=MOST_LABELS, description="independent labels an image")

    @abstractmethod
    def build(self) -> Classifier:
        """The classifier, freshly initialized."""


class Classifier(nn.Module):
    """Turns images into class logits; subclasses define `encode` and `weigh`.

    Args:
        config: What to build.
        num_features: Length of what `features` returns.
    """

    def __init__(self, config: ClassifierConfig, num_features: int) -> None:
        super().__init__()
        self.config, self.num_features = config, num_features
        self.head = nn.Linear(num_features, config.labels * config.classes)

    def forward(self, images: Images) -> ClassLogits:
        """Class logits `B L C`: one row a label, one column a class.

        Raises:
            ShapeError: the images have another size or number of colours.
        """
        logits: Tensor = self.head(self.features(images))
        rows: Tensor = logits.unflatten(1, (self.config.labels, self.config.classes))
        return rows

    def features(self, images: Images) -> Features:
        """What the logits are a linear function of.

        Raises:
            ShapeError: the images have another size or number of colours.
        """
        self._refuse_other_forms(images)
        return self.encode(images)

    def attention_maps(self, images: Images) -> AttentionMaps:
        """How the read-out weighs the patches, `B M N H W`: block, head, row, column.

        Raises:
            ShapeError: the images have another size or number of colours.
        """
        self._refuse_other_forms(images)
        return self.weigh(images)

    @property
    @abstractmethod
    def has_attention(self) -> bool:
        """Whether there are attention maps to look at."""

    @abstractmethod
    def encode(self, images: Images) -> Features:
        """The features `B F` of each image."""

    @abstractmethod
    def weigh(self, images: Images) -> AttentionMaps:
        """The maps of `attention_maps`; without attention, none: `B 0 0 H W`."""

    def _refuse_other_forms(self, images: Tensor) -> None:
        expected = (self.config.colours, self.config.size, self.config.size)
        if images.shape[1:] != expected:
            raise ShapeError(f"Expected images {expected}, got {tuple(images.shape[1:])}.")


CLASSIFIERS: Registry[type[ClassifierConfig]] = Registry(
    "classifier", "orthogan.networks", group="networks"
)

AnyClassifier: TypeAlias = Annotated[SerializeAsAny[ClassifierConfig], KindOf(CLASSIFIERS)]


@CLASSIFIERS.register("attention")
class AttentionClassifierConfig(AttendingConfig, ClassifierConfig):
    """Settings of the attention classifier."""

    kind: Literal["attention"] = "attention"
    stem: StemKind = Field("convolutional", description="how patches become tokens")
    patch: Literal[4, 8] = Field(4, description="pixels between neighbouring patches")
    channels: int = Field(
        32, ge=2, le=MOST_WIDE, description="channels of the first convolution of the stem"
    )
    width: int = Field(96, ge=1, le=MOST_WIDE, description="width of the tokens")
    blocks: int = Field(2, ge=0, le=MOST_BLOCKS, description="number of self-attention blocks")
    heads: int = Field(4, ge=1, le=MOST_WIDE, description="attention heads a block")
    score: ScoreName = Field("softmax", description="attention score")
    expansion: int = Field(
        2,
        ge=0,
        le=MOST_EXPANSION,
        description="hidden width of the dense layers, in widths; 0: attention alone",
    )
    read_out: Literal["class", "mean"] = Field(
        "class", description="read a class token, or the mean of all tokens"
    )

    def build(self) -> AttentionClassifier:
        """The classifier, freshly initialized."""
        return AttentionClassifier(self)


class AttentionClassifier(Classifier):
    """Patches, and a class token if one is read, attend to each other; a linear layer reads.

    Source: Dosovitskiy et al. 2021, "An image is worth 16x16 words", section 3.1; blocks with
    RMSNorm before each part, and one before the read-out.

    >>> AttentionClassifierConfig(size=16).build()(torch.zeros(2, 1, 16, 16)).shape
    torch.Size([2, 1, 10])
    """

    def __init__(self, config: AttentionClassifierConfig) -> None:
        super().__init__(config, config.width)
        if config.read_out == "class" and config.blocks == 0:
            raise ConfigError(
                "Without blocks the class token never sees the image; use read_out=mean."
            )
        width, self.grid = config.width, grid_side(config.size, config.patch)
        self.stem = build_stem(
            config.stem, config.colours, config.channels, config.token_width, config.patch
        )
        self.positions = config.place(self.grid)
        # Standard deviation of ViT, as for the learned position codes.
        self.class_token = (
            nn.Parameter(0.02 * torch.randn(1, 1, width)) if config.read_out == "class" else None
        )
        num_class = 0 if self.class_token is None else 1
        self.blocks = nn.ModuleList(
            Block(
                width,
                config.attend(self.grid, num_class),
                nn.functional.gelu,
                config.expansion,
            )
            for _ in range(config.blocks)
        )
        self.norm = nn.RMSNorm(width)

    def encode(self, images: Images) -> Features:
        """The normalised class token, or the mean of the normalised tokens."""
        tokens = self._tokens(images)
        for block in self.blocks:
            tokens = block(tokens)
        if self.class_token is not None:
            tokens = tokens[:, :1]
        features: Tensor = self.norm(tokens).mean(dim=1)
        return features

    @property
    def has_attention(self) -> bool:
        """Whether there is a block."""
        return len(self.blocks) > 0

    def weigh(self, images: Images) -> AttentionMaps:
        """How the class token weighs the patches, `B M N H W`: block, head, row, column.

        With `read_out = mean`, the weights averaged over all tokens: what each patch gives to
        the mean.
        """
        tokens, maps = self._tokens(images), []
        for block in cast("Iterable[Block]", self.blocks):
            weights = block.attention.weights(block.attention_norm(tokens))
            seen = weights[:, :, 0, 1:] if self.class_token is not None else weights.mean(dim=2)
            maps.append(seen.unflatten(-1, (self.grid, self.grid)))
            tokens = block(tokens)
        if not self.has_attention:
            return images.new_zeros(len(images), 0, 0, self.grid, self.grid)
        return torch.stack(maps, dim=1).float()

    def _tokens(self, images: Tensor) -> Tensor:
        tokens: Tensor = self.positions(self.stem(images))
        if self.class_token is None:
            return tokens
        return torch.cat([self.class_token.expand(len(tokens), -1, -1).to(tokens.dtype), tokens], 1)
