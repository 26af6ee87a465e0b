"""`evaluate_images`: every metric of a set of generated images against real ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from orthogan.data import ImageSet
from orthogan.data.image_set import NUM_RGBA
from orthogan.errors import ConfigError, ShapeError
from orthogan.evaluation.comparison import Comparison, Sample
from orthogan.evaluation.components import principal_components
from orthogan.evaluation.description import (
    count_classes,
    describe_pixels,
    describe_set,
    is_by_channel,
)
from orthogan.evaluation.extractors import DEFAULT_EXTRACTOR, Extractor, load_extractor
from orthogan.evaluation.metrics import METRICS, Metric
from orthogan.evaluation.modes import PROTOCOL_SAMPLES
from orthogan.evaluation.scores import Evaluation, Score
from orthogan.evaluation.verdict import verdict
from orthogan.rng import permutation
from orthogan.shapes import Pixels

MOST_HELD_OUT = 2  # without a test split, at most every second real image is held out


def evaluate_images(
    fake: Pixels,
    real: ImageSet,
    *,
    held_out: ImageSet | None = None,
    metrics: Sequence[str] | None = None,
    seed: int = 0,
    extractor: str | Extractor = DEFAULT_EXTRACTOR,
) -> Evaluation:
    """Scores with floors and intervals, class shares and a verdict.

    Floors are the same metrics with real images in the place of the generated ones.

    Args:
        fake: Generated images, in no particular order.
        real: What the generator was trained on.
        held_out: Real images it never saw; without them a random part of `real` is held out
            to find the floors.
        metrics: Names such as "fd" or "fd[digits-cls@1a2b3c]"; the usual ones by default.
        seed: Of every random choice: subsets and resampling.
        extractor: What describes the images: a registered name, or an extractor.

    Raises:
        UnknownNameError: no such metric or extractor.
        ConfigError: a metric has no meaning for this data, or there are too few images.
        ShapeError: fake, real and held-out images differ in size or colours.
    """
    _check_shapes(fake, real, held_out)
    net = load_extractor(extractor)
    names = choose_metrics(metrics, net, real)
    ours, floor = _comparisons(fake, real, held_out, net, seed)
    scores = {}
    for name in names:
        shown = f"{name}[{net.name}]" if METRICS[name].names_extractor else name
        scores[shown] = _score(name, ours, floor)
    shares = real_shares = None
    if net.num_classes and not is_by_channel(real, net):
        shares, real_shares = _shares(ours.counts), _shares(ours.reference_counts)
    sentence = verdict(scores, shares, real_shares)
    notes = tuple(_notes(real, ours, floor, net, held_out is None))
    return Evaluation(scores, sentence, net.name, shares, notes)


def choose_metrics(
    names: Sequence[str] | None, extractor: Extractor, images: ImageSet
) -> list[str]:
    """Registered names without their extractor; the usual ones for these images if None.

    Raises:
        UnknownNameError: no such metric.
        ConfigError: the metric is for stacked digits only, needs classes where the extractor has
            none, or names another extractor.
    """
    stacked = is_by_channel(images, extractor)
    if names is None:
        return [name for name in METRICS if _is_usual(METRICS[name], extractor, stacked)]
    chosen = []
    for requested in names:
        name, bracket, rest = requested.partition("[")
        if METRICS[name].only_stacks and not stacked:
            raise ConfigError(f"'{name}' needs stacked digits (1000 classes in three planes).")
        if METRICS[name].needs_classes and not extractor.num_classes:
            raise ConfigError(f"'{name}' counts classes, and {extractor.name} has none.")
        if bracket and rest != f"{extractor.name}]":
            raise ConfigError(
                f"'{requested}' names another extractor than the one in use, {extractor.name}; "
                f"ask for '{name}'."
            )
        chosen.append(name)
    return list(dict.fromkeys(chosen))


def _is_usual(metric: Metric, extractor: Extractor, stacked: bool) -> bool:
    if metric.needs_classes and not extractor.num_classes:
        return False
    return metric.on_stacks if stacked else not metric.only_stacks


def _comparisons(
    fake: Tensor, real: ImageSet, held_out: ImageSet | None, net: Extractor, seed: int
) -> tuple[Comparison, Comparison]:
    """The generated images, and real ones in their place."""
    described = describe_pixels(fake, net, is_by_channel(real, net))
    candidate = Sample(fake, described.features, described.classes)
    reference = rest = _sample(real, net)
    unseen = None if held_out is None else _sample(held_out, net)
    if net.num_components is not None:
        components = principal_components(reference.features, net.num_components)
        candidate, reference = candidate.along(components), reference.along(components)
        rest, unseen = reference, None if unseen is None else unseen.along(components)
    if unseen is None:
        count = min(len(fake), len(real) // MOST_HELD_OUT)
        order = permutation(len(real), seed, "held-out", 0)
        unseen, rest = reference.take(order[:count]), reference.take(order[count:])
    else:
        order = permutation(len(unseen), seed, "held-out", 0)
        unseen = unseen.take(order[: len(fake)])
    num_classes = count_classes(real, net)
    return (
        Comparison(candidate, reference, unseen, rest, num_classes, seed),
        Comparison(unseen, rest, unseen, rest, num_classes, seed),
    )


def _sample(images: ImageSet, net: Extractor) -> Sample:
    described = describe_set(images, net)
    return Sample(images.images.cpu(), described.features, described.classes)


def _score(name: str, ours: Comparison, floor: Comparison) -> Score:
    compute, within = METRICS[name].compute, METRICS[name].within
    found = compute(ours)
    low, high = within.cut(found.interval, found.value)
    best = compute(floor).value if found.floor is None else found.floor
    return Score(found.value, low, high, best, found.n)


def _shares(counts: Tensor) -> tuple[float, ...]:
    return tuple((counts.double() / counts.sum()).tolist())


def _notes(
    real: ImageSet, ours: Comparison, floor: Comparison, net: Extractor, split: bool
) -> list[str]:
    notes = []
    n = len(ours.candidate)
    if split:
        notes.append(
            f"No held-out images: floors compare {len(floor.candidate)} real images "
            f"with the other {len(floor.reference)}."
        )
    if len(floor.candidate) < n:
        notes.append(
            f"Floors use {len(floor.candidate)} real images, the scores {n}; "
            "distances grow as images get fewer."
        )
    if is_by_channel(real, net):
        if n < PROTOCOL_SAMPLES:
            notes.append(f"Published mode counts use {PROTOCOL_SAMPLES} images, this {n}.")
    elif real.colours != net.channels or real.size != (net.size or real.size):
        side = net.size or real.size
        colour = "grey" if net.channels == 1 else "RGB"
        notes.append(f"The extractor saw the images as {colour} {side} x {side}.")
    if real.colours == NUM_RGBA and net.channels != NUM_RGBA:
        notes.append("Transparent images were described over white and over black, and averaged.")
    if not net.knows(real):
        notes.append(
            f"The extractor knows {net.domain} only: compare scores with each "
            "other and with their floors, not with other data."
        )
    return notes


def _check_shapes(fake: Tensor, real: ImageSet, held_out: ImageSet | None) -> None:
    wanted = tuple(real.images.shape[1:])
    others = [("generated", fake)]
    if held_out is not None:
        others.append(("held-out", held_out.images))
    for kind, pixels in others:
        if tuple(pixels.shape[1:]) != wanted:
            raise ShapeError(
                f"The {kind} images are {tuple(pixels.shape[1:])} (colours, rows, columns), the "
                f"real ones {wanted}; they must agree."
            )
    if fake.dtype != torch.uint8:
        raise ShapeError(f"Images are compared as bytes (uint8), got {fake.dtype}.")
