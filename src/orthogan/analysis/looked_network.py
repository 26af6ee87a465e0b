"""One trained network over images: what it attends to, and what it did before training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from orthogan import rng
from orthogan.analysis.attention_statistics import Patches
from orthogan.analysis.attention_weights import has_attention, patches_of, record_attention
from orthogan.analysis.look_query import chosen_query
from orthogan.analysis.look_result import LayerLook, NetworkLook, Query
from orthogan.analysis.trained import Trained, load_trained
from orthogan.analysis.untrained import untrained
from orthogan.data import load, to_floats
from orthogan.data.catalogue import colour_of
from orthogan.data.named import read_named
from orthogan.errors import ConfigError, DataError, ShapeError
from orthogan.networks import Classifier, Discriminator, Generator
from orthogan.networks.sampling import sample_pixels
from orthogan.networks.stems import grid_side
from orthogan.shapes import OtherPixels, Pixels

BATCH_SIZE = 64


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is looked at; see `orthogan.analysis.look.look`."""

    seeds: Sequence[int]
    on: str
    images: Sequence[str | Path] | Pixels | None
    query: Query | None
    num_shown: int


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Images and what they are: in words, one by one, and anything to be said about them."""

    pixels: Pixels
    words: str
    captions: tuple[str, ...]
    notes: tuple[str, ...] = ()


def look_into(found: Trained, request: Request) -> NetworkLook | None:
    """The attention of one network of ours; None if it has none.

    Args:
        found: The network, where it is from, and its first seed.
        request: Which images, which query.

    Raises:
        ConfigError: a query outside the grid, or pixels of another size.
        DataError: images cannot be loaded.
    """
    network = found.network
    if not has_attention(network):
        return None
    seen = _generated(network, request) if isinstance(network, Generator) else _read(found, request)
    layers = _layers(network, seen.pixels, request)
    before: tuple[LayerLook, ...] = ()
    before_image = None
    if found.seed is not None:
        first = untrained(found, partial(_first_inputs, network, seen.pixels, request))
        made = seen.pixels
        if isinstance(first, Generator):
            made = sample_pixels(first, list(request.seeds))
        before, before_image = _layers(first, made, request), mean_image(made)
    query, note = chosen_query(
        request.query, layers[0].patches, seen.pixels, isinstance(network, Classifier), found.role
    )
    return NetworkLook(
        role=found.role,
        kind=network.config.kind,
        seen=seen.words,
        num_images=len(seen.pixels),
        images=seen.pixels[: request.num_shown],
        captions=seen.captions[: request.num_shown],
        mean_image=mean_image(seen.pixels),
        query=query,
        layers=layers,
        untrained=before,
        untrained_image=before_image,
        notes=(*seen.notes, note),
    )


def mean_image(pixels: Pixels) -> OtherPixels:
    """The mean of images, as one image."""
    return pixels.float().mean(0, keepdim=True).round().to(torch.uint8)


def _layers(
    network: Generator | Discriminator | Classifier, pixels: Pixels, request: Request
) -> tuple[LayerLook, ...]:
    work: Callable[[], object]
    if isinstance(network, Generator):
        work = partial(sample_pixels, network, list(request.seeds), in_order=True)
    else:
        work = partial(_show, network, pixels)
    records = record_attention(
        network, work, request.num_shown, partial(_patches, network), len(pixels)
    )
    return tuple(LayerLook.of(record, pixels) for record in records)


def _patches(network: Generator | Discriminator | Classifier, num_tokens: int) -> Patches:
    config: Any = network.config
    side = grid_side(config.size, getattr(config, "spacing", None) or config.patch)
    return patches_of(num_tokens, (side, side))


def _show(network: Discriminator | Classifier, pixels: Pixels) -> None:
    for start in range(0, len(pixels), BATCH_SIZE):
        network(to_floats(pixels[start : start + BATCH_SIZE]))


def _first_inputs(
    network: Generator | Discriminator | Classifier, pixels: Pixels, request: Request
) -> Tensor:
    if isinstance(network, Generator):
        return rng.latents(request.seeds, network.config.latent_size)
    return to_floats(pixels)


def _generated(network: Any, request: Request) -> Seen:
    seeds = list(request.seeds)
    pixels: Pixels = sample_pixels(network, seeds)
    captions = tuple(f"seed {seed}" for seed in seeds)
    return Seen(pixels=pixels, words=f"the images of {_seed_words(seeds)}", captions=captions)


def _seed_words(seeds: Sequence[int]) -> str:
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    if list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))):
        return f"seeds {seeds[0]}-{seeds[-1]}"
    return f"{len(seeds):,} seeds"


def _read(found: Trained, request: Request) -> Seen:
    """The images that a discriminator or classifier reads."""
    config = found.network.config
    if isinstance(request.images, Tensor):
        _check_form(request.images, (config.colours, config.size, config.size))
        count = len(request.images)
        captions = tuple(f"image {number}" for number in range(count))
        return Seen(pixels=request.images, words=f"{count:,} images", captions=captions)
    if request.images is not None:
        return _files(request.images, config.size, config.colours, found.data.get("fit", "crop"))
    if request.on == "generated":
        return _made_for(found, request)
    return _training_images(found, len(request.seeds))


def _made_for(found: Trained, request: Request) -> Seen:
    if found.role == "classifier":
        raise ConfigError(
            f"{found.where}: a classifier has no generator; give it images with --image "
            "(images= in Python), or leave on='generated' out."
        )
    made = _generated(load_trained(found.where, "generator").network, request)
    return Seen(pixels=made.pixels, words=f"{made.words} of its generator", captions=made.captions)


def _check_form(pixels: Pixels, expected: tuple[int, ...]) -> None:
    if pixels.shape[1:] != expected or len(pixels) == 0:
        raise ShapeError(
            f"Expected at least one image {expected}, got {len(pixels)} of "
            f"{tuple(pixels.shape[1:])}."
        )


def _files(files: Sequence[str | Path], size: int, colours: int, fit: str) -> Seen:
    """Picture files and folders of them, made to fit the network."""
    read = [(Path(file), read_named(Path(file), size, colours, fit)) for file in files]
    if not read:
        raise ConfigError("At least one image is needed.")
    names = tuple(name for _, pictures in read for name in pictures.names)
    skipped = [f"{name}: {why}" for _, pictures in read for name, why in pictures.skipped]
    notes = [note for _, pictures in read for note in pictures.notes]
    pixels = torch.cat([pictures.pixels for _, pictures in read])
    words = "1 picture" if len(pixels) == 1 else f"{len(pixels):,} pictures"
    said = tuple(dict.fromkeys([*notes, *(f"Skipped {one}" for one in skipped)]))
    return Seen(pixels=pixels, words=words, captions=names, notes=said)


def _training_images(found: Trained, count: int) -> Seen:
    config, source = found.network.config, found.data.get("source")
    advice = (
        "look at generated images (--generated, on='generated') or at your own (--image, "
        "images=) instead."
    )
    if not source:
        raise DataError(f"{found.where}: does not say what it was trained on; {advice}")
    form = {name: found.data[name] for name in ("labels", "fit") if name in found.data}
    try:
        images = load(source, size=config.size, colour=colour_of(config.colours), **form)
    except DataError as error:
        raise DataError(f"The training images are not there ({error}); {advice}") from None
    order = rng.stream(0, "look-images").permutation(len(images))[:count]
    index = torch.from_numpy(order)
    pixels, labels = images.take(index)
    names = images.class_names
    captions = tuple(
        f"image {number}" + (f": {names[label]}" if names else "")
        for number, label in zip(
            index.tolist(), labels.tolist() if labels is not None else index.tolist(), strict=True
        )
    )
    return Seen(
        pixels=pixels, words=f"{len(index):,} training images of {source}", captions=captions
    )
