"""`evaluate_images`: every metric of a set of generated images against real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

from torch import Tensor

from orthogan.data import ImageSet
from orthogan.errors import ConfigError
from orthogan.evaluation.choice import DEFAULT_EXTRACTOR, extractor_for, second_for
from orthogan.evaluation.description import (
    Report,
    is_by_channel,
)
from orthogan.evaluation.extractors import Extractor
from orthogan.evaluation.groups import LEAST_ACCURACY, Group, groups_of, shares_of
from orthogan.evaluation.metrics import METRICS, Metric
from orthogan.evaluation.own import OwnExtractor
from orthogan.evaluation.scores import Evaluation, Score
from orthogan.evaluation.sides import Sides, check_shapes, notes_on, sides_of
from orthogan.evaluation.traits import shifts, trait_values
from orthogan.evaluation.verdict import NEEDED, Findings, agreed, verdict
from orthogan.shapes import Pixels

NUM_SECOND = 2000  # images for a second judge: fractions to within 2 %
SECOND_METRICS = ("fd", "precision", "recall", "coverage")
OF_PIXELS = ("memorised", "repeated")  # metrics that no extractor has a say in


def evaluate_images(
    fake: Pixels | ImageSet,
    real: ImageSet,
    *,
    held_out: ImageSet | None = None,
    metrics: Sequence[str] | None = None,
    seed: int = 0,
    extractor: str | Extractor = DEFAULT_EXTRACTOR,
    second_judge: str | Extractor | None = None,
    report: Report | None = None,
) -> Evaluation:
    """Scores with floors and intervals, class shares and a verdict.

    Floors are the same metrics with real images in the place of the generated ones. A second judge
    describes the images anew, and the verdict says whether it agrees: what has chosen a generator,
    or told its training when to stop, is not to be the only one that judges it.

    Args:
        fake: Generated images, in no particular order; as a set with labels, if they were asked to
            be of these classes.
        real: What the generator was trained on.
        held_out: Real images it never saw; without them a random part of `real` is held out
            to find the floors.
        metrics: Names such as "fd" or "fd[digits-cls@1a2b3c]"; the usual ones by default, less
            those that need more images than there are.
        seed: Of every random choice: subsets and resampling.
        extractor: What describes the images: a registered name, an extractor, "own" for one that
            is trained on the real images, or "auto" for one that knows them.
        second_judge: Another one, of which "auto" chooses one of another architecture; None: no
            second judge. It is asked if the metrics suffice for a verdict.
        report: Is told how far describing or training is, where that takes a while.

    Raises:
        UnknownNameError: no such metric or extractor.
        ConfigError: a metric has no meaning for this data, or there are too few images.
        ShapeError: fake, real and held-out images differ in size or colours.
    """
    labels = None
    if isinstance(fake, ImageSet):
        labels, fake = fake.labels, fake.images
    check_shapes(fake, real, held_out)
    net = extractor_for(real, extractor, report)
    names = choose_metrics(metrics, net, real)
    sides = sides_of(fake, real, held_out, net, seed, report).labelled(labels)
    scores, left_out = _scores(names, sides, net, may_leave_out=metrics is None)
    shares = None
    if net.num_classes and not is_by_channel(real, net):
        shares = _shares(sides.ours.counts)
    found = _findings(scores, sides, net, real)
    notes, said, second = (*notes_on(real, sides, net), *left_out), verdict(found), None
    other = None
    if second_judge is not None and all(name in scores for name in NEEDED):
        other = second_for(real, net, second_judge, report)
    if other is not None:
        again = sides_of(fake[:NUM_SECOND], real, held_out, other, seed, report)
        second = _second(again, real, other, found)
        said = agreed(said, net.name, second.verdict, other.name)
        notes = (*notes, *second.notes)
    return Evaluation(
        scores, said, net.name, shares, notes, groups=tuple(found.groups), second=second
    )


def _second(sides: Sides, real: ImageSet, net: Extractor, first: Findings) -> Evaluation:
    """What a second judge makes of the images; copies are found in pixels, so once for both."""
    scores, left_out = _scores(SECOND_METRICS, sides, net, may_leave_out=True)
    of_pixels = {name: score for name, score in first.scores.items() if name in OF_PIXELS}
    found = _findings({**of_pixels, **scores}, sides, net, real)
    notes = (net.sentence, *left_out) if isinstance(net, OwnExtractor) else tuple(left_out)
    return Evaluation(scores, verdict(found), net.name, notes=notes, groups=tuple(found.groups))


def _scores(
    names: Sequence[str], sides: Sides, net: Extractor, *, may_leave_out: bool
) -> tuple[dict[str, Score], list[str]]:
    """The scores, and sentences on those that cannot be had, if some may be left out."""
    scores, left_out = {}, []
    for name in names:
        shown = f"{name}[{net.name}]" if METRICS[name].names_extractor else name
        try:
            scores[shown] = _score(name, sides)
        except ConfigError as error:
            if not may_leave_out:
                raise
            left_out.append(f"{name} is left out. {error}")
    return scores, left_out


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
        labels = ours.reference.labels
        if isinstance(net, OwnExtractor) and net.num_labels and net.check < LEAST_ACCURACY:
            labels = None  # its features fit the labels of the images that it was trained on
        groups = groups_of(
            ours.candidate.features,
            ours.reference.features,
            labels,
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
    if metric.on_request or (metric.needs_classes and not extractor.num_classes):
        return False
    return metric.on_stacks if stacked else not metric.only_stacks


def _score(name: str, sides: Sides) -> Score:
    compute, within = METRICS[name].compute, METRICS[name].within
    found = compute(sides.ours)
    low, high = within.cut(found.interval, found.value)
    best = compute(sides.floor).value if found.floor is None else found.floor
    return Score(found.value, low, high, best, found.n)


def _shares(counts: Tensor) -> tuple[float, ...]:
    return tuple((counts.double() / counts.sum()).tolist())
