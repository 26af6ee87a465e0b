"""Whether runs differ by more than chance: pairs of seeds, tested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from orthogan.report.markup import Html, element
from orthogan.report.page import Section
from orthogan.report.run_facts import RunFacts
from orthogan.report.score_sections import written
from orthogan.report.score_words import said_of
from orthogan.report.settings_sections import differing
from orthogan.report.side_by_side import letter
from orthogan.report.tables import notes, table
from orthogan.report.wording import MINUS, decimal, plural
from orthogan.statistics.paired import paired_test
from orthogan.terminal import printable

CHANCE = 0.05
# Settings that tell repetitions apart, not variants.
REPEATED = {"seed"}
# Of equal settings, where the data lie is no difference.
PLACES = {"data.source", "data.test"}
Values: TypeAlias = dict[int, dict[str, float]]  # by seed, by score


@dataclass(frozen=True)
class Variant:
    """Runs that differ in nothing but the seed: which they are, and their scores."""

    runs: tuple[int, ...]
    values: Values


def differences(runs: Sequence[RunFacts]) -> Section | None:
    """What differs between several runs, and whether it matters; None for a single one."""
    if len(runs) == 1:
        return None
    causes = [name for name in differing(runs) if name not in REPEATED | PLACES]
    found = variants(runs, causes)
    body: list[Html | None] = [notes(_warnings(runs, causes))]
    if len(found) > 1 and _is_comparable(runs):
        body.append(_tests(found, runs))
    return Section(
        "differences",
        "Does it matter?",
        _answer(causes, found),
        body,
        "Differences",
    )


def variants(runs: Sequence[RunFacts], causes: Sequence[str]) -> list[Variant]:
    """The runs grouped by the settings in which they differ, in order of appearance."""
    grouped: dict[str, list[int]] = {}
    for index, run in enumerate(runs):
        own = run.settings
        grouped.setdefault(repr([own.get(name) for name in causes]), []).append(index)
    return [
        Variant(tuple(members), {
            runs[index].seed: {score.name: score.value for score in runs[index].scores}
            for index in members
        })
        for members in grouped.values()
    ]  # fmt: skip


def _answer(causes: Sequence[str], found: Sequence[Variant]) -> str:
    if len(found) == 1:
        seeds = len(found[0].values)
        return (
            f"The runs have the same settings and {plural(seeds, 'seed')}: what differs is chance."
        )
    names = ", ".join(map(printable, causes[:4])) + (", ..." if len(causes) > 4 else "")
    if len(causes) == 1:
        return (
            f"The runs differ in one setting, {names}, so a difference beyond chance is its doing."
        )
    return (
        f"The runs differ in {len(causes)} settings ({names}): a difference beyond chance has no "
        "single cause."
    )


def _warnings(runs: Sequence[RunFacts], causes: Sequence[str]) -> list[str]:
    said = []
    if not _is_comparable(runs):
        said.append(
            "The runs learnt from different data or do different tasks, so their scores are not "
            "compared."
        )
    unfinished = [letter(at) for at, run in enumerate(runs) if run.status != "done"]
    if unfinished:
        said.append(f"Not done: {', '.join(unfinished)}; their latest scores are used.")
    if not any(name.startswith("budget.") for name in causes):
        seen = [run.num_seen for run in runs]
        if max(seen) > 1.05 * min(seen):
            said.append("In the same time, some have seen more than others: see the timeline.")
    return said


def _is_comparable(runs: Sequence[RunFacts]) -> bool:
    known = {(run.task, str(run.record["provenance"].get("data_fingerprint"))) for run in runs}
    return len(known) == 1


def _tests(found: Sequence[Variant], runs: Sequence[RunFacts]) -> Html | None:
    first, *others = found
    rows = [
        row
        for other in others
        for name in _shared(first, other)
        if (row := _row(first, other, name, runs)) is not None
    ]
    if not rows:
        return element("p", "They share no seed, so nothing can be paired.", class_="muted")
    caption = (
        "Mean difference from the first variant over pairs of runs with the same seed, its 95 % "
        "interval (Student), and how often chance alone would make it as large (sign flips). "
        "With one pair there is no test."
    )
    headers = ["Score", "runs", "difference", "95 % interval", "by chance", "so"]
    return table(caption, headers, rows, (2, 3, 4))


def _shared(first: Variant, other: Variant) -> list[str]:
    names = (set(scores) for each in (first, other) for scores in each.values.values())
    common = set.intersection(*names) if first.values and other.values else set()
    order = next(iter(first.values.values()), {})
    return [name for name in order if name in common]


def _row(
    first: Variant, other: Variant, name: str, runs: Sequence[RunFacts]
) -> tuple[str, ...] | None:
    seeds = [seed for seed in first.values if seed in other.values]
    if not seeds:
        return None
    apart = [other.values[seed][name] - first.values[seed][name] for seed in seeds]
    who = f"{_letters(other.runs)} less {_letters(first.runs)}"
    title = printable(said_of(name)[0])
    example = next(score for score in runs[first.runs[0]].scores if score.name == name)
    mean = sum(apart) / len(apart)

    def shown(value: float) -> str:
        return f"{MINUS if value < 0 else '+'}{written(example, abs(value))}"

    if len(apart) == 1:
        return title, who, shown(mean), "-", "-", "one pair: no test"
    test = paired_test(apart)
    low, high = test.mean.low, test.mean.high
    between = "-" if low is None or high is None else f"{shown(low)} to {shown(high)}"
    return title, who, shown(mean), between, decimal(test.sign_flip, 2), _so(test)


def _so(test: Any) -> str:
    if test.sign_flip < CHANCE and (test.t is None or test.t < CHANCE):
        return "beyond chance"
    if test.least >= CHANCE:
        return "too few pairs to tell"
    return "may be chance"


def _letters(indices: Sequence[int]) -> str:
    shown = [letter(index) for index in indices]
    return ", ".join(shown) if len(shown) <= 3 else f"{shown[0]}-{shown[-1]}"
