"""How an extractor describes a set of images, kept on disk so that it is computed once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from torch import Tensor

from orthogan.data import ImageSet
from orthogan.data.image_set import NUM_RGBA
from orthogan.evaluation.cache import keep, kept
from orthogan.evaluation.extractors import Extractor
from orthogan.evaluation.inputs import over_grounds
from orthogan.rng import permutation
from orthogan.shapes import Features, Labels, Pixels

NUM_STACKED_CHANNELS = 3
NUM_DIGITS = 10
NUM_STACKED_CLASSES = NUM_DIGITS**NUM_STACKED_CHANNELS
KEPT_IN_MEMORY = 6  # train, test, and what nobody sees of it, of two data sets
MOST_DESCRIBED = 5000  # real images of a set, where describing one takes a millisecond
CHUNK = 1024  # images described between two reports of how far it is

Report: TypeAlias = Callable[[str, int, int], None]  # what is done, how much, of how much
_MEMORY: dict[str, Description] = {}


@dataclass(frozen=True)
class Description:
    """Features and most likely class of every image of a set; class 0 where there are none."""

    features: Features
    classes: Labels


def is_stacked(images: ImageSet) -> bool:
    """Whether each channel is a digit of its own, as in Stacked-MNIST."""
    channels, classes = images.colours, len(images.class_names)
    return channels == NUM_STACKED_CHANNELS and classes == NUM_STACKED_CLASSES


def is_by_channel(images: ImageSet, extractor: Extractor) -> bool:
    """Whether the channels are described one by one: stacked digits, by one that knows digits."""
    return is_stacked(images) and extractor.num_classes == NUM_DIGITS


def count_classes(images: ImageSet, extractor: Extractor) -> int:
    """How many classes the extractor tells apart in such a set."""
    return NUM_STACKED_CLASSES if is_by_channel(images, extractor) else extractor.num_classes


def describe_pixels(
    pixels: Pixels, extractor: Extractor, by_channel: bool, report: Report | None = None
) -> Description:
    """Features and classes of images, the channels one by one if asked for.

    The class of a stack of digits is 100 r + 10 g + b, as in its labels; its features are those of
    the channels side by side.
    """
    if report is not None and len(pixels) > CHUNK:
        parts = []
        for part in pixels.split(CHUNK):
            parts.append(describe_pixels(part, extractor, by_channel))
            report(
                f"Describing {len(pixels):,} images",
                min(len(parts) * CHUNK, len(pixels)),
                len(pixels),
            )
        columns = zip(*((each.features, each.classes) for each in parts), strict=True)
        return Description(*(torch.cat(column) for column in columns))
    if by_channel:
        grey = pixels.flatten(0, 1)[:, None]
        features, probabilities = extractor.describe(grey)
        digits = probabilities.argmax(1).reshape(len(pixels), -1)
        classes = (digits * torch.tensor([100, 10, 1])).sum(1)
        return Description(features.reshape(len(pixels), -1), classes)
    features, probabilities = _described(pixels, extractor)
    if extractor.num_classes:
        return Description(features, probabilities.argmax(1))
    return Description(features, torch.zeros(len(pixels), dtype=torch.int64))


def _described(pixels: Pixels, extractor: Extractor) -> tuple[Features, Tensor]:
    """Features and class probabilities; of RGBA images the means of those over two grounds.

    Over one ground alone, an image with a rim of that ground's colour would pass for one that is
    transparent there; whatever shows over neither white nor black shows nowhere.
    """
    if pixels.shape[1] != NUM_RGBA or extractor.channels == NUM_RGBA:
        return extractor.describe(pixels)
    (first, chances), (second, others) = map(extractor.describe, over_grounds(pixels))
    return (first + second) / 2, (chances + others) / 2


def part_of(images: ImageSet, extractor: Extractor, most: int = MOST_DESCRIBED) -> ImageSet:
    """The images of a set that are described: all, or a random part where that would take long.

    An extractor whose features are compared by their components is a large network.
    """
    if extractor.num_components is None or len(images) <= most:
        return images
    chosen = permutation(len(images), 0, "described-part", 0)[:most].sort().values
    labels = None if images.labels is None else images.labels[chosen.to(images.labels.device)]
    return replace(images, images=images.images[chosen.to(images.images.device)], labels=labels)


def describe_set(
    images: ImageSet, extractor: Extractor, report: Report | None = None
) -> Description:
    """The description of a whole set, from memory or the cache folder where possible.

    A damaged cache file is computed again; a folder that cannot be written costs a warning.

    Args:
        images: What is described.
        extractor: What describes it.
        report: Is told how far it is, where it takes a while.
    """
    by_channel = is_by_channel(images, extractor)
    key = f"{images.fingerprint()}-{extractor.name}{'-stacked' if by_channel else ''}"
    if key not in _MEMORY:
        description = _kept(key, len(images))
        if description is None:
            description = describe_pixels(images.images.cpu(), extractor, by_channel, report)
            keep(key, {"features": description.features, "classes": description.classes.short()})
        while len(_MEMORY) >= KEPT_IN_MEMORY:
            _MEMORY.pop(next(iter(_MEMORY)))
        _MEMORY[key] = description
    return _MEMORY[key]


def _kept(key: str, num_images: int) -> Description | None:
    found = kept(key)
    if found is None or not {"features", "classes"} <= found.keys():
        return None
    description = Description(found["features"], found["classes"].long())
    return description if len(description.features) == num_images else None
