"""What the scores of the variants say, in numbers and in words that claim no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orthogan.comparison.costs import Costs, step_seconds
from orthogan.comparison.groups import Group
from orthogan.comparison.statistics import Mean, PairedTest, holm, mean_over_seeds, paired_test
from orthogan.comparison.tasks import task_of
from orthogan.errors import ConfigError

LEVEL = 0.05

# Score of each seed, by metric.
Values = dict[str, dict[int, float]]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One variant less the first, over the seeds that both have.

    Attributes:
        test: Mean difference and p values of this pair alone.
        t: p value of the t test, corrected for the number of variants.
        sign_flip: The same for the sign-flip test.
        seeds: Seeds that were paired.
        verdict: What can be said.
    """

    test: PairedTest
    t: float | None
    sign_flip: float
    seeds: tuple[int, ...]
    verdict: str


@dataclass(frozen=True, kw_only=True)
class VariantAnswer:
    """One row of the answer.

    Attributes:
        label: What the variant is called.
        seeds: Seeds whose runs reached the end of the budget.
        diverged: Seeds whose runs broke down; no score counts them.
        values: Score of each seed, by metric.
        scores: Mean over the seeds, by metric.
        differences: From the first variant, by metric; None where nothing can be paired.
        costs: Parameters, operations, keys and values.
        step_seconds: Mean over the runs of the median time of a step; None for short runs.
        seconds: Mean time of a run.
        images: Mean number of images shown; of language runs, of tokens.
        verdict: What can be said about the first metric.
    """

    label: str
    seeds: tuple[int, ...]
    diverged: tuple[int, ...]
    values: Values
    scores: dict[str, Mean | None]
    differences: dict[str, Difference | None]
    costs: Costs
    step_seconds: float | None
    seconds: float | None
    images: float | None
    verdict: str


def answers(
    groups: Sequence[Group], evaluations: Mapping[Path, Mapping[str, Any]]
) -> tuple[VariantAnswer, ...]:
    """The rows of the answer; the first group is what the others are compared with.

    Args:
        groups: The variants.
        evaluations: Of every run that is done, by its folder.

    Raises:
        ConfigError: the runs were not measured by the same metrics.
    """
    values = [_values(group, evaluations) for group in groups]
    metrics = _metrics(values)
    differences = {metric: _differences(metric, groups, values) for metric in metrics}
    rows = []
    for index, group in enumerate(groups):
        own = {metric: differences[metric][index] for metric in metrics}
        rows.append(
            VariantAnswer(
                label=group.label,
                seeds=tuple(run.seed for run in group.done),
                diverged=tuple(run.seed for run in group.diverged),
                values=values[index],
                scores={metric: _mean(values[index].get(metric, {})) for metric in metrics},
                differences=own,
                costs=_costs(group),
                step_seconds=_step_seconds(group),
                seconds=_average([run.seconds for run in group.done]),
                images=_average([float(run.images_seen) for run in group.done]),
                verdict=_verdict(index, groups, own[metrics[0]] if metrics else None),
            )
        )
    return tuple(rows)


def _values(group: Group, evaluations: Mapping[Path, Mapping[str, Any]]) -> Values:
    values: Values = {}
    for run in group.done:
        for metric, score in evaluations[run.path]["scores"].items():
            values.setdefault(metric, {})[run.seed] = float(score["value"])
    return values


def _metrics(values: Sequence[Values]) -> list[str]:
    names = [list(each) for each in values if each]
    for other in names[1:]:
        if other != names[0]:
            raise ConfigError(
                f"The runs were measured by different metrics: {', '.join(names[0])} and "
                f"{', '.join(other)}."
            )
    return names[0] if names else []


def _differences(
    metric: str, groups: Sequence[Group], values: Sequence[Values]
) -> list[Difference | None]:
    """One a group; None for the first and where fewer than two seeds are paired."""
    first = values[0].get(metric, {})
    tests: dict[str, PairedTest] = {}
    paired: dict[str, tuple[int, ...]] = {}
    for group, own in list(zip(groups, values, strict=True))[1:]:
        mine = own.get(metric, {})
        seeds = tuple(sorted(first.keys() & mine.keys()))
        if len(seeds) > 1:
            paired[group.label] = seeds
            tests[group.label] = paired_test([mine[seed] - first[seed] for seed in seeds])
    # Differences without spread have no p value of their own, but count among those looked at.
    t = holm({label: 0.0 if test.t is None else test.t for label, test in tests.items()})
    sign_flip = holm({label: test.sign_flip for label, test in tests.items()})
    found = {}
    for label, test in tests.items():
        corrected = None if test.t is None else t[label]
        found[label] = Difference(
            test=test,
            t=corrected,
            sign_flip=sign_flip[label],
            seeds=paired[label],
            verdict=_words(metric, groups[0].label, test, corrected, sign_flip[label]),
        )
    return [found.get(group.label) for group in groups]


def _words(metric: str, first: str, test: PairedTest, t: float | None, sign_flip: float) -> str:
    n = test.mean.n
    size = f"{abs(test.mean.value):.3g}"
    direction = "lower" if test.mean.value < 0 else "higher"
    between = f"({test.mean.low:.3g} to {test.mean.high:.3g})"
    if (t is None or t < LEVEL) and sign_flip < LEVEL:
        tests = "both tests" if t is not None else "the sign-flip test"
        return (
            f"{metric} is {direction} than with {first} by {size} {between}, in {tests}, "
            f"with {n} seeds."
        )
    if t is not None and t < LEVEL and test.sign_flip == test.least:
        return (
            f"{metric} is {direction} than with {first} by {size} {between} in the t test alone: "
            f"{n} seeds are too few for the sign-flip test to confirm it."
        )
    return f"Not distinguishable from {first} with {n} seeds: {metric} differs by {between[1:-1]}."


def _verdict(index: int, groups: Sequence[Group], difference: Difference | None) -> str:
    group = groups[index]
    broken = len(group.diverged)
    lost = f" {broken} of {len(group.runs)} runs diverged; no score counts them." if broken else ""
    if not group.done:
        return f"No run reached the end of its budget.{lost}"
    if index == 0:
        return f"The others are compared with it.{lost}" if len(groups) > 1 else lost.strip()
    if difference is not None:
        return difference.verdict + lost
    own, first = ({run.seed for run in each.done} for each in (group, groups[0]))
    if own & first:
        return f"One seed in common with the first: chance cannot be told from effect.{lost}"
    return f"No seed in common with the first, so nothing can be paired.{lost}"


def _mean(values: Mapping[int, float]) -> Mean | None:
    return mean_over_seeds(list(values.values())) if values else None


def _costs(group: Group) -> Costs:
    config = group.runs[0].settled()
    return task_of(config).costs(config)


def _step_seconds(group: Group) -> float | None:
    config = group.runs[0].settled()
    size = task_of(config).step_size(config)
    found = [step_seconds(run.records, size) for run in group.done]
    return _average([each for each in found if each is not None])


def _average(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
