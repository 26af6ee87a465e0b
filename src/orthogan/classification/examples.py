"""The images a classifier learns from, and those it is scored on: never the same ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from orthogan import data, rng
from orthogan.classification.config import LabelledDataConfig
from orthogan.classification.labels import LabelScheme, scheme_of
from orthogan.data import ImageSet
from orthogan.data.catalogue import SingleSplitError, colour_of
from orthogan.errors import ConfigError, DataError
from orthogan.organizing.leaving_out import DROP, without_copies

STACKED = "stacked-mnist"  # each of its class names is three digits, one a colour plane


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Images with their label indices `B L`."""

    images: ImageSet
    targets: Tensor

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, kw_only=True)
class Split:
    """What is learned from, what is scored on, what the labels mean, and what was done."""

    train: Examples
    test: Examples
    scheme: LabelScheme
    notes: tuple[str, ...]


def load_split(config: LabelledDataConfig, seed: int) -> Split:
    """The examples that a configuration names.

    Scored on: the images of `config.test`; else the test set of the source; else a share of every
    class, held out by the seed.

    Raises:
        ConfigError: they do not fit into memory.
        DataError: they cannot be loaded, have no labels or one class, or the test images have
            other classes.
    """
    images = data.load(config.source, **config.form())
    if images.is_sample:
        raise ConfigError(
            f"{images.name} stays on disk, and a classifier learns from images in memory; name a "
            "smaller set."
        )
    scheme = scheme_of(images, parts_of(config))
    train, test, note = _split(images, config, seed)
    if config.copies == DROP:
        train = without_copies(train)
    return Split(
        train=Examples(images=train, targets=scheme.encode(train)),
        test=Examples(images=test, targets=scheme.encode(test)),
        scheme=scheme,
        notes=(*images.notes, note),
    )


def parts_of(config: LabelledDataConfig) -> int:
    """Labels an image."""
    return config.label_parts or (3 if config.source == STACKED else 1)


def load_test(source: str, size: int, colours: int, **form: Any) -> ImageSet:
    """The test set of a source, or all of it if it has a single split, in a given form.

    Args:
        source: As in `orthogan.data.load`.
        size: Side of the images, px.
        colours: 1 for grey, 3 for RGB, 4 for RGBA.
        form: How else it is loaded, as `orthogan.data.load` takes it.

    Raises:
        DataError: it cannot be loaded.
    """
    form |= {"size": size, "colour": colour_of(colours)}
    try:
        return data.load(source, split="test", **form)
    except SingleSplitError:
        return data.load(source, **form)


def hold_out(images: ImageSet, share: float, seed: int) -> tuple[ImageSet, ImageSet]:
    """The images without a random share of each class, and that share.

    At least one image of each class is held out and at least one kept.

    Raises:
        DataError: the images have no labels, or a class has a single image.
    """
    if images.labels is None:
        raise DataError(f"{images.name}: has no labels.")
    source = rng.stream(seed, "held out")
    shuffled = torch.from_numpy(source.permutation(len(images)))
    held = torch.zeros(len(images), dtype=torch.bool)
    for label in images.labels.unique().tolist():
        members = shuffled[images.labels[shuffled] == label]
        if len(members) < 2:
            raise DataError(
                f"{images.name}: class '{images.class_names[label]}' has a single image, so none "
                "can be held out for scoring; add images or give --test."
            )
        held[members[: min(max(round(share * len(members)), 1), len(members) - 1)]] = True
    return _chosen(images, ~held), _chosen(images, held)


def _split(
    images: ImageSet, config: LabelledDataConfig, seed: int
) -> tuple[ImageSet, ImageSet, str]:
    if config.test is not None:
        test = load_test(
            config.test, images.size, images.colours, labels=config.labels, fit=config.fit
        )
        return images, test, f"Scored on the {len(test):,} images of {config.test}.{_idle(config)}"
    form = config.form() | {"size": images.size, "colour": colour_of(images.colours)}
    try:
        test = data.load(config.source, split="test", **form)
    except SingleSplitError:
        return _held_out(images, config, seed, f"{config.source} has no test set")
    if test.labels is None and images.labels is not None:  # as in competitions
        return _held_out(images, config, seed, f"The test images of {config.source} have no labels")
    return images, test, f"Scored on the {len(test):,} images of the test set.{_idle(config)}"


def _held_out(
    images: ImageSet, config: LabelledDataConfig, seed: int, why: str
) -> tuple[ImageSet, ImageSet, str]:
    train, test = hold_out(images, config.held_out, seed)
    note = (
        f"{why}: {len(test):,} of its {len(images):,} images (about {config.held_out:.0%} of every "
        f"class, chosen by seed {seed}) are held out for scoring and not learned from."
    )
    return train, test, note


def _idle(config: LabelledDataConfig) -> str:
    if config.held_out == LabelledDataConfig().held_out:
        return ""
    return " Nothing is held out, so data.held_out has no effect."


def _chosen(images: ImageSet, mask: Tensor) -> ImageSet:
    labels = None if images.labels is None else images.labels[mask]
    return replace(images, images=images.images[mask], labels=labels)
