"""What every generator and discriminator is: its configuration, inputs and outputs."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, TypeVar, cast

from pydantic import Field, field_validator
from torch import Tensor, nn

from orthogan.config import Config
from orthogan.errors import ConfigError, ShapeError
from orthogan.registry import Registry
from orthogan.shapes import Images, Labels, Latents, Logits


class NetworkConfig(Config):
    """What a network is told about the images; each network adds its own settings."""

    kind: str
    size: int = Field(28, ge=16, le=64, multiple_of=4, description="side of the image, px")
    colours: int = Field(1, description="colour planes: 1 grey, 3 RGB")
    classes: int = Field(0, ge=0, description="number of classes; 0: unconditional")

    @field_validator("colours")
    @classmethod
    def _grey_or_rgb(cls, colours: int) -> int:
        if colours not in (1, 3):
            raise ValueError("expected 1 (grey) or 3 (RGB)")
        return colours


class GeneratorConfig(NetworkConfig):
    """Settings that every generator has."""

    latent_size: int = Field(64, ge=1, description="length of the noise vector")

    def of_kind(self, kind: str) -> GeneratorConfig:
        """The defaults of another kind of generator, for the same images."""
        return _switched(GENERATORS, self, kind)

    @abstractmethod
    def build(self) -> Generator:
        """The generator, freshly initialised."""


class DiscriminatorConfig(NetworkConfig):
    """Settings that every discriminator has."""

    def of_kind(self, kind: str) -> DiscriminatorConfig:
        """The defaults of another kind of discriminator, for the same images."""
        return _switched(DISCRIMINATORS, self, kind)

    @abstractmethod
    def build(self) -> Discriminator:
        """The discriminator, freshly initialised."""


class Generator(nn.Module):
    """Turns latents into images; subclasses define `synthesise`."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.class_latents = (
            nn.Embedding(config.classes, config.latent_size) if config.classes else None
        )

    def forward(self, latents: Latents, labels: Labels | None = None) -> Images:
        """Images in about [-1, 1]; labels are needed if and only if there are classes.

        Raises:
            ShapeError: the latents have another length.
            ConfigError: labels without classes, or classes without labels.
        """
        if latents.shape[-1] != self.config.latent_size:
            raise ShapeError(
                f"Expected latents of length {self.config.latent_size}, got {latents.shape[-1]}."
            )
        if (labels is None) != (self.class_latents is None):
            raise ConfigError(_labels_rule(self.config.classes))
        noise = normalise(latents)
        if self.class_latents is not None:
            noise = noise + self.class_latents(labels)
        return self.synthesise(noise)

    @abstractmethod
    def synthesise(self, noise: Latents) -> Images:
        """Images from latents of unit mean square."""


class Discriminator(nn.Module):
    """Turns images into logits; subclasses define `read`, which returns features."""

    def __init__(self, config: DiscriminatorConfig, num_features: int) -> None:
        super().__init__()
        self.config = config
        self.logit = nn.Linear(num_features, max(config.classes, 1))

    def forward(self, images: Images, labels: Labels | None = None) -> Logits:
        """One logit an image: above 0 means judged real.

        Raises:
            ShapeError: the images have another size or number of colours.
            ConfigError: labels without classes, or classes without labels.
        """
        expected = (self.config.colours, self.config.size, self.config.size)
        if images.shape[1:] != expected:
            raise ShapeError(f"Expected images {expected}, got {tuple(images.shape[1:])}.")
        if (labels is None) != (self.config.classes == 0):
            raise ConfigError(_labels_rule(self.config.classes))
        logits: Tensor = self.logit(self.read(images))
        if labels is None:
            return logits[:, 0]
        return logits.gather(1, labels[:, None])[:, 0]

    def probability(self, images: Images, labels: Labels | None = None) -> Logits:
        """The probability that each image is real: the sigmoid of its logit."""
        logits: Tensor = self(images, labels)
        return logits.sigmoid()

    @abstractmethod
    def read(self, images: Images) -> Tensor:
        """The features `B F` of each image."""


GENERATORS: Registry[type[GeneratorConfig]] = Registry("generator")
DISCRIMINATORS: Registry[type[DiscriminatorConfig]] = Registry("discriminator")

C = TypeVar("C", bound=NetworkConfig)


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


def normalise(latents: Latents) -> Latents:
    """Latents scaled to unit mean square (Karras et al. 2018, "pixel norm" of the latent)."""
    return latents * (latents.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


def _labels_rule(classes: int) -> str:
    return (
        f"This network has {classes} classes and needs labels."
        if classes
        else "This network is unconditional and takes no labels."
    )
