"""What every generator and discriminator is: its configuration, inputs and outputs."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, TypeAlias, TypeVar, cast

import torch
from pydantic import Field, GetCoreSchemaHandler, SerializeAsAny, field_validator
from pydantic_core import CoreSchema, core_schema
from torch import Tensor, nn

from orthogan.config import Choice, Config
from orthogan.errors import ConfigError, ShapeError
from orthogan.networks.emphasis import emphasised
from orthogan.networks.limits import MOST_CLASSES, MOST_EMPHASIS, MOST_WIDE
from orthogan.registry import Registry
from orthogan.shapes import Features, Images, Labels, Latents, Logits

# Not Self: beartype refuses it on the methods that it checks while tests run.
C = TypeVar("C", bound="NetworkConfig")
P = TypeVar("P", bound="PatchedConfig")


class NetworkConfig(Config):
    """What a network is told about the images; each network adds its own settings."""

    kind: str
    size: int = Field(28, ge=16, le=128, multiple_of=4, description="side of the image, px")
    colours: int = Field(1, description="colour planes: 1 grey, 3 RGB, 4 RGBA")
    classes: int = Field(
        0, ge=0, le=MOST_CLASSES, description="classes that it is conditioned on; 0: unconditional"
    )

    @field_validator("colours")
    @classmethod
    def _known_colours(cls, colours: int) -> int:
        if colours not in (1, 3, 4):
            raise ValueError("expected 1 (grey), 3 (RGB) or 4 (RGBA)")
        return colours

    def fitted(self: C, size: int, colours: int) -> C:  # noqa: PYI019 - see Config
        """The same network for images of this size, with so many colour planes."""
        return self.evolve(size=size, colours=colours)


class PatchedConfig(NetworkConfig):
    """A network that works on a grid of places coarser than the pixels.

    Attributes:
        FINEST: Pixels between places where images are small, and in files of earlier versions.
        SMALL: The largest side of such images, px.
    """

    FINEST: ClassVar[int]
    SMALL: ClassVar[int] = 32

    patch: int | None

    @property
    def spacing(self) -> int:
        """Pixels between neighbouring places."""
        return self.patch or self.FINEST

    def fitted(self: P, size: int, colours: int) -> P:  # noqa: PYI019 - see Config
        """The same network for such images; where no patch was chosen, one that suits their size.

        The cost of attention grows with the square of the number of tokens, which would be 16
        times as many at 128 px as at 32: patches grow with the images, to 64 tokens at most
        (benchmarks/resolution.py).
        """
        patch = self.patch or usual_patch(size, self.FINEST, self.SMALL)
        return self.evolve(size=size, colours=colours, patch=patch)


class GeneratorConfig(NetworkConfig):
    """Settings that every generator has."""

    latent_size: int = Field(64, ge=1, le=MOST_WIDE, description="length of the noise vector")

    def of_kind(self, kind: str) -> GeneratorConfig:
        """The defaults of another kind of generator, for the same images."""
        return _switched(GENERATORS, self, kind)

    @abstractmethod
    def build(self) -> Generator:
        """The generator, freshly initialized."""


class DiscriminatorConfig(NetworkConfig):
    """Settings that every discriminator has."""

    emphasis: float | None = Field(
        None,
        ge=0,
        le=MOST_EMPHASIS,
        description="how much stronger it sees the finest detail, in times; null: by the images",
    )

    def of_kind(self, kind: str) -> DiscriminatorConfig:
        """The defaults of another kind of discriminator, for the same images."""
        return _switched(DISCRIMINATORS, self, kind)

    @abstractmethod
    def build(self) -> Discriminator:
        """The discriminator, freshly initialized."""


class Generator(nn.Module):
    """Turns latents into images; subclasses define `synthesise`."""

    class_shares: Tensor

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.class_latents: nn.Embedding | None = None
        if config.classes:
            self.class_latents = nn.Embedding(config.classes, config.latent_size)
            self.register_buffer("class_shares", _equal_shares(config.classes))

    def forward(self, latents: Latents, labels: Labels | None = None) -> Images:
        """Images in about [-1, 1].

        Args:
            latents: Standard normal vectors.
            labels: The class of each image; None: as `classes_of` draws it from the latent.

        Raises:
            ShapeError: the latents have another length.
            ConfigError: labels without classes.
        """
        if latents.shape[-1] != self.config.latent_size:
            raise ShapeError(
                f"Expected latents of length {self.config.latent_size}, got {latents.shape[-1]}."
            )
        noise = normalise(latents)
        if self.class_latents is not None:
            noise = noise + self.class_latents(self.classes_of(latents, labels))
        elif labels is not None:
            raise ConfigError(_NO_CLASSES)
        return self.synthesise(noise)

    @torch.no_grad()
    def classes_of(self, latents: Latents, labels: Labels | None = None) -> Labels:
        r"""The class that each latent stands for, drawn with the shares of the training images.

        The network sees the direction of a latent only. The length is free to choose the class:
        for a normal latent it is independent of the direction, and
        $P(d/2, \|z\|^2 / 2)$ is uniform.

        Args:
            latents: Standard normal vectors.
            labels: What to return instead, if given.
        """
        if labels is not None:
            return labels
        half = latents.double().square().sum(1) / 2
        rank = torch.special.gammainc(torch.full_like(half, self.config.latent_size / 2), half)
        ends = self.class_shares.double().cumsum(0)[:-1]
        return torch.searchsorted(ends, rank, right=True)

    @abstractmethod
    def synthesise(self, noise: Latents) -> Images:
        """Images from latents of unit mean square."""


class Discriminator(nn.Module):
    """Turns images into logits; subclasses define `features`.

    Training runs `judge` on `emphasised` images, so that penalties are taken in those.

    Source of the classes: Miyato and Koyama 2018, "cGANs with projection discriminator",
    equation 3.
    """

    class_shares: Tensor

    def __init__(self, config: DiscriminatorConfig, num_features: int) -> None:
        super().__init__()
        self.config = config
        self.logit = nn.Linear(num_features, 1)
        self.class_features: nn.Embedding | None = None
        if config.classes:
            self.class_features = nn.Embedding(config.classes, num_features)
            # Zeros: training starts unconditional, and no class begins ahead of another.
            nn.init.zeros_(self.class_features.weight)
            self.register_buffer("class_shares", _equal_shares(config.classes))

    def forward(self, images: Images, labels: Labels | None = None) -> Logits:
        """One logit an image: above 0 means judged real.

        Args:
            images: The images.
            labels: The class each shall be of; None: of any, which is the logarithm of the
                odds averaged over the classes with their shares.

        Raises:
            ShapeError: the images have another size or number of colours.
            ConfigError: labels without classes.
        """
        expected = (self.config.colours, self.config.size, self.config.size)
        if images.shape[1:] != expected:
            raise ShapeError(f"Expected images {expected}, got {tuple(images.shape[1:])}.")
        logits: Logits = self.judge(self.emphasised(images), labels)
        return logits

    def emphasised(self, images: Images) -> Images:
        """The images as they are judged: with their fine detail made stronger."""
        gain = self.config.emphasis
        return emphasised(images, gain) if gain else images

    def judge(self, images: Images, labels: Labels | None = None) -> Logits:
        """One logit for each of some `emphasised` images.

        Raises:
            ConfigError: labels without classes.
        """
        features = self.features(images)
        logits: Tensor = self.logit(features)[:, 0]
        if self.class_features is None:
            if labels is not None:
                raise ConfigError(_NO_CLASSES)
            return logits
        if labels is not None:
            # D(x, y) = w^T f(x) + v_y^T f(x): a class is a direction in feature space.
            for_class: Tensor = (self.class_features(labels) * features).sum(1)
            return logits + for_class
        # log sum_c p(c) exp(D(x, c)): the odds, averaged over the classes with their frequencies.
        each = features @ self.class_features.weight.T
        return logits + (each + self.class_shares.log()).logsumexp(1)

    def probability(self, images: Images, labels: Labels | None = None) -> Logits:
        """The probability that each image is real: the sigmoid of its logit."""
        logits: Tensor = self(images, labels)
        return logits.sigmoid()

    @abstractmethod
    def features(self, images: Images) -> Features:
        """What the logit of some `emphasised` images is a linear function of."""


GENERATORS: Registry[type[GeneratorConfig]] = Registry(
    "generator", "orthogan.networks", group="networks"
)
DISCRIMINATORS: Registry[type[DiscriminatorConfig]] = Registry(
    "discriminator", "orthogan.networks", group="networks"
)

_NO_CLASSES = "This network is unconditional and takes no labels."


@dataclass(frozen=True)
class KindOf(Choice):
    """Marks a setting that is a network of any registered kind, or a mapping with its `kind`."""

    registry: Registry[Any]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """The check, for pydantic."""
        check = partial(network_config, self.registry)
        return core_schema.no_info_before_validator_function(check, handler(source))

    def values(self) -> list[str]:
        """The kinds, as they are registered now."""
        return list(self.registry)


AnyGenerator: TypeAlias = Annotated[SerializeAsAny[GeneratorConfig], KindOf(GENERATORS)]
AnyDiscriminator: TypeAlias = Annotated[SerializeAsAny[DiscriminatorConfig], KindOf(DISCRIMINATORS)]


def network_config(registry: Registry[type[C]], value: Any) -> C:
    """The configuration itself, or the one that a dictionary with a `kind` describes.

    Raises:
        ConfigError: there is no `kind`, or a setting does not fit.
        UnknownNameError: no network of that kind.
    """
    if isinstance(value, NetworkConfig):
        return cast("C", value)
    if not isinstance(value, dict) or "kind" not in value:
        raise ConfigError(f"A {registry.kind} needs a 'kind', one of: {', '.join(registry)}.")
    return registry[str(value["kind"])](**value)


def _switched(registry: Registry[type[C]], config: C, kind: str) -> C:
    if kind == config.kind:
        return config
    form = {"kind": kind, "size": config.size, "colours": config.colours}
    return network_config(registry, form | {"classes": config.classes})


def usual_patch(size: int, finest: int, small: int) -> int:
    """Pixels between places: the finest in small images, doubled as often as it takes to halve one.

    >>> [usual_patch(size, finest=4, small=32) for size in (28, 32, 36, 64, 68, 128)]
    [4, 4, 8, 8, 16, 16]
    """
    return int(finest * 2 ** (-(-size // small) - 1).bit_length())


def normalise(latents: Latents) -> Latents:
    """Latents scaled to unit mean square (Karras et al. 2018, "pixel norm" of the latent)."""
    return latents * (latents.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


def _equal_shares(classes: int) -> Tensor:
    return torch.full((classes,), 1 / classes)
