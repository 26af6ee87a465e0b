"""What the scores of the variants say, in numbers and in words that claim no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orthogan.errors import ConfigError
from orthogan.experiments.costs import Costs, step_seconds
from orthogan.experiments.task import task_of
from orthogan.experiments.trials import Group
from orthogan.statistics import Range
from orthogan.statistics.decisions import Decision, decide
from orthogan.statistics.paired import Mean, PairedTest, mean_over_seeds

# Score of each seed, by metric.
Values = dict[str, dict[int, float]]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One variant less the first, over the seeds that both have.

    Attributes:
        test: Mean difference, its 95 % interval and p values of this pair alone.
        t: p value of the t test, corrected for the number of variants.
        sign_flip: The same for the sign-flip test.
        low: Lower end of what the tests leave possible after that correction: above 0, or `high`
            below it, just where the verdict claims a difference. None where no test has a say.
        high: Upper end.
        t_confidence: Confidence of the interval of the t test in it, with the correction.
        sign_flip_confidence: The same of the sign-flip test; None where the seeds are too few for
            it, so that it has no part in the interval.
        seeds: Seeds that were paired.
        verdict: What can be said.
    """

    test: PairedTest
    t: float | None
    sign_flip: float
    low: float | None
    high: float | None
    t_confidence: float
    sign_flip_confidence: float | None
    seeds: tuple[int, ...]
    verdict: str

    @property
    def mean(self) -> Mean:
        """The mean difference with the corrected interval."""
        return Mean(self.test.mean.value, self.low, self.high, self.test.mean.n)


@dataclass(frozen=True, kw_only=True)
class VariantResult:
    """One row of the result.

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


def variant_results(
    groups: Sequence[Group], evaluations: Mapping[Path, Mapping[str, Any]]
) -> tuple[VariantResult, ...]:
    """The rows of the result; the first group is what the others are compared with.

    Args:
        groups: The variants.
        evaluations: Of every run that is done, by its folder.

    Raises:
        ConfigError: the runs were not measured by the same metrics.
    """
    values = [_values(group, evaluations) for group in groups]
    metrics = _metrics(values)
    task = task_of(groups[0].runs[0].resolved())
    ranges = {metric: task.range_of(metric) for metric in metrics}
    differences = {
        metric: _differences(metric, groups, values, ranges[metric]) for metric in metrics
    }
    rows = []
    for index, (group, own) in enumerate(zip(groups, values, strict=True)):
        config = group.runs[0].resolved()
        steps = [step_seconds(run.records, task.step_size(config)) for run in group.done]
        found = {metric: differences[metric][index] for metric in metrics}
        rows.append(
            VariantResult(
                label=group.label,
                seeds=tuple(run.seed for run in group.done),
                diverged=tuple(run.seed for run in group.diverged),
                values=own,
                scores={metric: _mean(own.get(metric, {}), ranges[metric]) for metric in metrics},
                differences=found,
                costs=task.costs(config),
                step_seconds=_average([each for each in steps if each is not None]),
                seconds=_average([run.seconds for run in group.done]),
                images=_average([float(run.images_seen) for run in group.done]),
                verdict=_verdict(index, groups, found[metrics[0]] if metrics else None),
            )
        )
    return tuple(rows)


def _values(group: Group, evaluations: Mapping[Path, Mapping[str, Any]]) -> Values:
    values: Values = {}
    for run in group.done:
        for metric, score in evaluations[run.path]["scores"].items():
            own = values.setdefault(metric, {})
            if score["value"] is not None:  # else it was not finite, and a note says so
                own[run.seed] = float(score["value"])
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
    metric: str, groups: Sequence[Group], values: Sequence[Values], within: Range
) -> list[Difference | None]:
    """One per group; None for the first and where fewer than two seeds are paired.

    The same seed means the same data and the same draws, which move both scores alike: their
    difference has less spread than either score, so few seeds decide more.
    """
    first = values[0].get(metric, {})
    paired: dict[str, dict[int, float]] = {}
    for group, own in zip(groups[1:], values[1:], strict=True):
        mine = own.get(metric, {})
        seeds = sorted(first.keys() & mine.keys())
        if len(seeds) > 1:
            paired[group.label] = {seed: mine[seed] - first[seed] for seed in seeds}
    decisions = decide(
        {label: list(each.values()) for label, each in paired.items()}, within.differences
    )
    found = {}
    for label, decision in decisions.items():
        low, high = decision.interval or (None, None)
        flip_level = decision.sign_flip_level
        found[label] = Difference(
            test=decision.test,
            t=decision.t,
            sign_flip=decision.sign_flip,
            low=low,
            high=high,
            t_confidence=1 - decision.t_level,
            sign_flip_confidence=None if flip_level is None else 1 - flip_level,
            seeds=tuple(paired[label]),
            verdict=_words(metric, groups[0].label, decision),
        )
    return [found.get(group.label) for group in groups]


def _words(metric: str, first: str, decision: Decision) -> str:
    mean, interval = decision.test.mean, decision.interval
    n = mean.n
    few = f"{n} seeds are too few for the sign-flip test"
    same = f"Not distinguishable from {first} with {n} seeds: {metric}"
    if interval is None:
        return f"{same} differs by {mean.value:.3g} each time, and {few} to tell it from chance."
    if interval.low == interval.high == 0:
        return f"{same} is the same each time."
    between = f"{interval.low:.3g} to {interval.high:.3g}"
    if not decision.differs:
        return f"{same} differs by {between}."
    direction = "lower" if mean.value < 0 else "higher"
    claim = f"{metric} is {direction} than with {first} by {abs(mean.value):.3g} ({between})"
    if decision.sign_flip_level is None:
        return f"{claim} in the t test alone: {few} to confirm it."
    tests = "both tests" if decision.t is not None else "the sign-flip test"
    return f"{claim}, in {tests}, with {n} seeds."


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


def _mean(values: Mapping[int, float], within: Range) -> Mean | None:
    return mean_over_seeds(list(values.values()), within) if values else None


def _average(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
