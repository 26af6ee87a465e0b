"""`evaluate_images`: every metric of a set of generated images against real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

from orthogan.data import ImageSet
from orthogan.data.image_set import NUM_RGBA
from orthogan.errors import ConfigError, ShapeError
from orthogan.evaluation.comparison import Comparison, Sample
from orthogan.evaluation.components import principal_components
from orthogan.evaluation.description import (
    Report,
    count_classes,
    describe_pixels,
    describe_set,
    is_by_channel,
    part_of,
)
from orthogan.evaluation.extractors import DEFAULT_EXTRACTOR, Extractor, extractor_for
from orthogan.evaluation.frechet import SAMPLES_PER_FEATURE
from orthogan.evaluation.groups import Group, groups_of, shares_of
from orthogan.evaluation.metrics import METRICS, Metric
from orthogan.evaluation.modes import PROTOCOL_SAMPLES
from orthogan.evaluation.scores import Evaluation, Score
from orthogan.evaluation.traits import shifts, trait_values
from orthogan.evaluation.verdict import Findings, verdict
from orthogan.rng import permutation
from orthogan.shapes import Pixels

MOST_HELD_OUT = 2  # without a test split, at most every second real image is held out


@dataclass(frozen=True)
class Sides:
    """What is measured, and real images measured in its place.

    Attributes:
        ours: The generated images against the real ones.
        floor: Real images in the place of the generated ones.
        notes: What a reader must know of how they came about.
    """

    ours: Comparison
    floor: Comparison
    notes: tuple[str, ...]


def evaluate_images(
    fake: Pixels,
    real: ImageSet,
    *,
    held_out: ImageSet | None = None,
    metrics: Sequence[str] | None = None,
    seed: int = 0,
    extractor: str | Extractor = DEFAULT_EXTRACTOR,
    report: Report | None = None,
) -> Evaluation:
    """Scores with floors and intervals, class shares and a verdict.

    Floors are the same metrics with real images in the place of the generated ones.

    Args:
        fake: Generated images, in no particular order.
        real: What the generator was trained on.
        held_out: Real images it never saw; without them a random part of `real` is held out
            to find the floors.
        metrics: Names such as "fd" or "fd[digits-cls@1a2b3c]"; the usual ones by default, less
            those that need more images than there are.
        seed: Of every random choice: subsets and resampling.
        extractor: What describes the images: a registered name, an extractor, or "auto" for one
            that knows the real images.
        report: Is told how many images of how many are described, where that takes a while.

    Raises:
        UnknownNameError: no such metric or extractor.
        ConfigError: a metric has no meaning for this data, or there are too few images.
        ShapeError: fake, real and held-out images differ in size or colours.
    """
    _check_shapes(fake, real, held_out)
    net = extractor_for(real, extractor)
    names = choose_metrics(metrics, net, real)
    sides = _sides(fake, real, held_out, net, seed, report)
    scores, left_out = {}, []
    for name in names:
        shown = f"{name}[{net.name}]" if METRICS[name].names_extractor else name
        try:
            scores[shown] = _score(name, sides)
        except ConfigError as error:
            if metrics is not None:
                raise
            left_out.append(f"{name} is left out. {error}")
    shares = None
    if net.num_classes and not is_by_channel(real, net):
        shares = _shares(sides.ours.counts)
    found = _findings(scores, sides, net, real)
    notes = (*_notes(real, sides, net), *left_out)
    return Evaluation(scores, verdict(found), net.name, shares, notes, groups=tuple(found.groups))


def _findings(
    scores: Mapping[str, Score], sides: Sides, net: Extractor, real: ImageSet
) -> Findings:
    """What the verdict rests on, beside the scores."""
    ours = sides.ours
    candidate, reference = trait_values(ours.candidate.pixels), trait_values(ours.reference.pixels)
    chance = sqrt((1 / len(candidate) + 1 / len(reference)) / 3)  # of 2 AUC - 1, by Mann-Whitney
    groups: list[Group] = []
    if is_by_channel(real, net):
        pass  # a thousand classes are counted by the metrics
    elif net.num_classes and net.knows(real):
        groups = shares_of(
            [f"class {number}" for number in range(net.num_classes)],
            ours.counts,
            ours.reference_counts,
        )
    else:
        groups = groups_of(
            ours.candidate.features,
            ours.reference.features,
            ours.reference.labels,
            real.class_names,
            ours.seed,
        )
    stranger = "" if net.knows(real) else net.domain
    return Findings(scores, groups, shifts(candidate, reference), chance, stranger)


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


def _sides(
    fake: Pixels,
    real: ImageSet,
    held_out: ImageSet | None,
    net: Extractor,
    seed: int,
    report: Report | None,
) -> Sides:
    described = describe_pixels(fake, net, is_by_channel(real, net), report)
    candidate = Sample(fake, described.features, described.classes)
    reference = rest = _sample(real, net, report)
    unseen = None if held_out is None else _sample(held_out, net, report)
    if net.num_components is not None:
        components = principal_components(
            reference.features, _num_components(net, fake, reference, unseen)
        )
        candidate, reference = candidate.along(components), reference.along(components)
        rest, unseen = reference, None if unseen is None else unseen.along(components)
    is_split = unseen is None
    if unseen is None:
        count = min(len(fake), len(reference) // MOST_HELD_OUT)
        order = permutation(len(reference), seed, "held-out", 0)
        unseen, rest = reference.take(order[:count]), reference.take(order[count:])
    else:
        order = permutation(len(unseen), seed, "held-out", 0)
        unseen = unseen.take(order[: len(fake)])
    facts = (count_classes(real, net), seed, real.images.cpu(), is_split)
    notes = []
    if is_split:
        notes.append(
            f"No held-out images: floors compare {len(unseen)} real images "
            f"with the other {len(rest)}."
        )
    if len(reference) < len(real):
        notes.append(f"Of {len(real):,} real images, {len(reference):,} drawn at random are used.")
    return Sides(
        Comparison(candidate, reference, unseen, rest, *facts),
        Comparison(unseen, rest, unseen, rest, *facts),
        tuple(notes),
    )


def _num_components(net: Extractor, fake: Pixels, real: Sample, unseen: Sample | None) -> int:
    """As many as the smallest set that is compared can bear."""
    smallest = len(real) // MOST_HELD_OUT if unseen is None else min(len(real), len(unseen))
    most = net.num_components or net.num_features
    return max(1, min(most, min(smallest, len(fake)) // SAMPLES_PER_FEATURE))


def _sample(images: ImageSet, net: Extractor, report: Report | None) -> Sample:
    images = part_of(images, net)
    described = describe_set(images, net, report)
    labels = None if images.labels is None else images.labels.cpu()
    return Sample(images.images.cpu(), described.features, described.classes, labels)


def _score(name: str, sides: Sides) -> Score:
    compute, within = METRICS[name].compute, METRICS[name].within
    found = compute(sides.ours)
    low, high = within.cut(found.interval, found.value)
    best = compute(sides.floor).value if found.floor is None else found.floor
    return Score(found.value, low, high, best, found.n)


def _shares(counts: Tensor) -> tuple[float, ...]:
    return tuple((counts.double() / counts.sum()).tolist())


def _notes(real: ImageSet, sides: Sides, net: Extractor) -> list[str]:
    notes, n, n_floor = list(sides.notes), len(sides.ours.candidate), len(sides.floor.candidate)
    if n_floor < n:
        notes.append(
            f"Floors use {n_floor} real images, the scores {n}; distances grow as images get fewer."
        )
    if is_by_channel(real, net):
        if n < PROTOCOL_SAMPLES:
            notes.append(f"Published mode counts use {PROTOCOL_SAMPLES} images, this {n}.")
    elif real.colours > net.channels == 1:
        notes.append("The extractor sees the images in grey: no score notices their colours.")
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
