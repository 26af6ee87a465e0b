"""Small sets of images, small networks, and the failures that are planted in their training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from orthogan import data, rng
from orthogan.attention import Attention
from orthogan.data import ImageSet
from orthogan.gan.penalties import PENALTIES, OfImages, squared_gradient_norm
from orthogan.gan.trainer import Trainer
from orthogan.shapes import Images, PerImage

SIZE_PX = 16
NUM_TRAINED, NUM_UNSEEN = 2048, 512
CLASSES = ("disc", "square", "cross", "ring")
DIRECTIONS = ("across", "down", "rising", "falling")

SMALL = {
    "attention-gan": (
        *("generator.latent_size=16", "generator.hidden=48", "generator.width=24"),
        *("generator.channels=16", "discriminator.channels=12", "discriminator.width=24"),
        "discriminator.hidden=48",
    ),
    "conv-gan": (
        *("generator.latent_size=16", "generator.hidden=48", "generator.width=24"),
        *("generator.channels=16", "generator.blocks=1", "discriminator.channels=12"),
        "discriminator.hidden=48",
    ),
    "transformer-gan": (
        *("generator.latent_size=16", "generator.width=24", "generator.style_size=24"),
        *("generator.blocks=1", "generator.channels=16", "discriminator.channels=12"),
        *("discriminator.width=24", "discriminator.heads=2", "discriminator.blocks=1"),
    ),
}


def digits(_seed: int) -> tuple[ImageSet, ImageSet]:
    """MNIST at 16 px, ten classes: what is trained on, and what is not."""
    whole = data.load("mnist", size=SIZE_PX)
    order = rng.permutation(len(whole), 0, "sick-digits", 0)
    return tuple(  # type: ignore[return-value]
        ImageSet(whole.images[part], whole.labels[part], whole.class_names, "digits")
        for part in order[: NUM_TRAINED + NUM_UNSEEN].split([NUM_TRAINED, NUM_UNSEEN])
    )


def icons(seed: int) -> tuple[ImageSet, ImageSet]:
    """Coloured shapes of four kinds on coloured grounds."""
    count = NUM_TRAINED + NUM_UNSEEN
    source = rng.stream(seed, "sick-icons")
    draws = torch.from_numpy(source.random((count, 9), dtype="float32"))
    kinds = torch.arange(count) % len(CLASSES)
    centre, radius = 0.3 + 0.4 * draws[:, :2], 0.15 + 0.2 * draws[:, 2]
    axis = (torch.arange(SIZE_PX) + 0.5) / SIZE_PX
    rows, cols = (
        axis[None, :, None] - centre[:, 0, None, None],
        axis[None, None, :] - centre[:, 1, None, None],
    )
    wide = radius[:, None, None]
    long, far = torch.maximum(rows.abs(), cols.abs()), (rows.square() + cols.square()).sqrt()
    near = torch.minimum(rows.abs(), cols.abs())
    # Signed distances to the edge of each kind, in shares of the image.
    edges = torch.stack(
        [
            far - wide,
            long - wide,
            torch.maximum(near - wide / 3, long - wide),
            (far - wide).abs() - wide / 4,
        ]
    )
    inside = (0.5 - edges[kinds, torch.arange(count)] * SIZE_PX).clamp(0, 1)[:, None]
    ink, ground = 0.5 * draws[:, 3:6], 0.6 + 0.4 * draws[:, 6:9]
    colours = inside * ink[:, :, None, None] + (1 - inside) * ground[:, :, None, None]
    return _halves((255 * colours).round().to(torch.uint8), kinds, CLASSES, "icons")


def textures(seed: int) -> tuple[ImageSet, ImageSet]:
    """Grey waves of four directions, of any length, phase and contrast."""
    count = NUM_TRAINED + NUM_UNSEEN
    draws = torch.from_numpy(rng.stream(seed, "sick-textures").random((count, 4), dtype="float32"))
    kinds = torch.arange(count) % len(DIRECTIONS)
    angle = torch.pi / 4 * torch.tensor([0.0, 2.0, 1.0, 3.0])[kinds] + 0.3 * (draws[:, 3] - 0.5)
    axis = torch.arange(SIZE_PX).float()
    along = (
        axis[None, :, None] * angle.sin()[:, None, None]
        + axis[None, None, :] * angle.cos()[:, None, None]
    )
    length = (5 + 7 * draws[:, 0])[:, None, None]
    waves = torch.sin(2 * torch.pi * (along / length + draws[:, 1, None, None]))
    contrast = (0.4 + 0.6 * draws[:, 2])[:, None, None]
    pixels = (127.5 * (1 + contrast * waves)).round().to(torch.uint8)
    return _halves(pixels[:, None], kinds, DIRECTIONS, "textures")


def _halves(
    pixels: Tensor, kinds: Tensor, names: tuple[str, ...], name: str
) -> tuple[ImageSet, ImageSet]:
    return (
        ImageSet(pixels[:NUM_TRAINED], kinds[:NUM_TRAINED], names, name),
        ImageSet(pixels[NUM_TRAINED:], kinds[NUM_TRAINED:], names, name),
    )


SETS: dict[str, Callable[[int], tuple[ImageSet, ImageSet]]] = {
    "digits": digits,
    "icons": icons,
    "textures": textures,
}


@dataclass(frozen=True, kw_only=True)
class Planted:
    """What is wrong with a run.

    Attributes:
        settings: Changed from the healthy run.
        images: What becomes of the training set.
        at_start: What is done to a trainer before its first step.
        midway: What is done to it at a third of the run.
    """

    settings: tuple[str, ...] = ()
    images: Callable[[ImageSet], ImageSet] = lambda images: images
    at_start: Callable[[Trainer], object] = lambda _: None
    midway: Callable[[Trainer], object] | None = None


def _rate(factor: float) -> tuple[str, ...]:
    return tuple(
        f"{player}_optimizer.learning_rate={factor * 2.2e-3}"
        for player in ("generator", "discriminator")
    )


def _duplicated(images: ImageSet) -> ImageSet:
    """Twelve images, over and over."""
    return _chosen(images, torch.arange(len(images)) % 12)


def _one_class(images: ImageSet) -> ImageSet:
    assert images.labels is not None
    members = torch.nonzero(images.labels == 0)[:, 0]
    found = _chosen(images, members[torch.arange(len(images)) % len(members)])
    return replace(found, labels=None, class_names=())


def _mislabelled(images: ImageSet) -> ImageSet:
    assert images.labels is not None
    order = rng.permutation(len(images), 0, "label-noise", 0)
    return replace(images, labels=images.labels[order])


def _chosen(images: ImageSet, index: Tensor) -> ImageSet:
    pixels, labels = images.take(index)
    return replace(images, images=pixels, labels=labels)


@torch.no_grad()
def _dead_generator(trainer: Trainer) -> None:
    """Every unit of its dense layers is far below zero, and hands nothing on."""
    for layer in trainer.generator.modules():
        if isinstance(layer, torch.nn.Linear):
            layer.weight.zero_()


@torch.no_grad()
def _dead_discriminator(trainer: Trainer) -> None:
    for layer in trainer.discriminator.modules():
        if isinstance(layer, torch.nn.Linear):
            layer.weight.zero_()


def _frozen(name: str) -> Callable[[Trainer], None]:
    def freeze(trainer: Trainer) -> None:
        optimizer = getattr(trainer, f"{name}_optimizer")
        optimizer.step = lambda: None

    return freeze


@torch.no_grad()
def _nan_weight(trainer: Trainer) -> None:
    next(trainer.generator.parameters()).view(-1)[0] = float("nan")


def _nan_images(trainer: Trainer) -> None:
    take = trainer._take  # noqa: SLF001 - the planted fault sits inside

    def spoilt(index: Tensor) -> tuple[Images, Tensor | None]:
        images, labels = take(index)
        images[0, 0, 0, 0] = float("nan")
        return images, labels

    trainer._take = spoilt  # type: ignore[method-assign]  # noqa: SLF001


@torch.no_grad()
def _hot_attention(trainer: Trainer) -> None:
    """Queries thirty times as long: each head reads one token only."""
    for network in (trainer.generator, trainer.discriminator):
        for layer in network.modules():
            if isinstance(layer, Attention):
                layer.query.weight.mul_(30)


def _swapped(trainer: Trainer) -> None:
    """Half of the images become their negatives, mirrored."""
    pixels = trainer.images.images
    half = len(pixels) // 2
    pixels[:half] = 255 - pixels[:half].flip(-1)


def r1_only(discriminate: OfImages, images: Images, _noise: object) -> tuple[Tensor, PerImage]:
    """The exact penalty at the real images alone, which come first."""
    logits, squares = squared_gradient_norm(discriminate, images, None)
    keep = torch.cat([torch.ones(len(images) // 2), torch.zeros(len(images) - len(images) // 2)])
    return logits, squares * keep.to(squares)


PENALTIES.register("r1-only")(r1_only)

HEALTHY = "healthy"
PLANTS: dict[str, Planted] = {
    HEALTHY: Planted(),
    "rate-x10": Planted(settings=_rate(10)),
    "rate-x30": Planted(settings=_rate(30)),
    "no-penalty": Planted(settings=("penalty.kind=none",)),
    "r1-only": Planted(settings=("penalty.kind=r1-only",)),
    "duplicated-data": Planted(images=_duplicated),
    "one-class-data": Planted(images=_one_class, settings=("condition=none",)),
    "dead-generator": Planted(at_start=_dead_generator),
    "dead-discriminator": Planted(at_start=_dead_discriminator),
    "frozen-discriminator": Planted(midway=_frozen("discriminator")),
    "frozen-generator": Planted(midway=_frozen("generator")),
    "label-noise": Planted(images=_mislabelled),
    "nan-in-weights": Planted(midway=_nan_weight),
    "nan-in-data": Planted(midway=_nan_images),
    "attention-too-hot": Planted(settings=("generator.score=softmax",), midway=_hot_attention),
    "half-swapped": Planted(midway=_swapped),
}
