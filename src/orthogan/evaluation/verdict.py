"""One plain sentence from the scores: is the generator usable, and if not, why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from orthogan.errors import listed
from orthogan.evaluation.groups import Group
from orthogan.evaluation.scores import Score
from orthogan.evaluation.traits import Shift

# Of what real images reach; chosen on planted degradations (benchmarks/planted.py).
COLLAPSED_COVERAGE = 0.1  # nine tenths of the data are out of reach
UNREAL_PRECISION = 0.8
LEAST_RECALL = 0.5
LEAST_COVERAGE = 0.6
MEMORISED_SHARE = 0.05  # five in a hundred above what chance explains
MOSTLY_COPIES = 0.5
MISSING_CLASS = 0.6  # of its share in the data: below 6 % where it should be 10 %
MISSING_MODES = 0.99  # of 1000 modes: what the better published methods reach
RARE_CLASS = 0.001  # of the data: rarer classes are left out, ten images cannot tell
UNREAL_SHIFT = 0.6  # of a trait: nine generated images in ten lie on one side of the median
SEEN_SHIFT = 0.12
LEAST_LESS, LESS_SCORE = 0.03, 3.0  # precision below that of real images; standard errors of it
REPEATED_SHARE = 0.5  # every second image is one of few that come again and again
CERTAIN = 4.0  # standard errors of a shift before it is one
MOST_NAMED = 2  # differences in a sentence
NEEDED = ("precision", "recall", "coverage", "memorised")  # before anything is called usable
USABLE, NO_VERDICT = "Usable", "No verdict"  # how these verdicts begin


@dataclass(frozen=True)
class Findings:
    """What a verdict rests on.

    Attributes:
        scores: By metric name; a rule whose scores were not asked for is skipped.
        groups: Classes of the data, or groups that look alike.
        shifts: What a person would say of images that differ from the real ones.
        spread: Standard error of a shift that is only chance.
        stranger: What the extractor knows, if that is another kind of images; else empty.
    """

    scores: Mapping[str, Score]
    groups: Sequence[Group] = ()
    shifts: Sequence[Shift] = ()
    spread: float = 0.0
    stranger: str = ""

    def differences(self, least: float) -> list[str]:
        """The words for the largest shifts, of at least a size and not by chance."""
        seen = max(least, CERTAIN * self.spread)
        return [shift.word for shift in self.shifts if shift.size >= seen][:MOST_NAMED]


Rule: TypeAlias = Callable[[Findings], str | None]


def verdict(found: Findings) -> str:
    """The first problem found, in order of gravity, or that the generator is usable."""
    if found.stranger:
        return (
            f"No verdict: the extractor knows {found.stranger} only, and the data are something "
            "else; leave its choice to orthogan."
        )
    problems = (rule(found) for rule in RULES)
    problem = next((each for each in problems if each), None)
    if problem:
        return problem
    scores = found.scores
    needed = [name for name in NEEDED if name not in scores]
    if needed:
        return f"No verdict: {', '.join(needed)} not measured; nothing measured is alarming."
    usable = (
        f"Usable: {scores['precision'].value:.0%} of the images look like the data, they reach "
        f"{scores['recall'].value:.0%} of it, and they are not copies"
    )
    but = found.differences(SEEN_SHIFT)
    usable += _they_are(but).replace("; ", "; but ")
    rest = [_less(found), *(_other_share(group) for group in _unlike(found))]
    said = [each for each in rest if each][:MOST_NAMED]
    return " ".join([f"{usable}.", *said])


def agreed(first: str, first_judge: str, second: str, second_judge: str) -> str:
    """One sentence of the verdicts of two judges: usable is what both call usable.

    >>> agreed("Usable: 90 %.", "a", "Collapsed.", "b")
    'In doubt: a calls the images usable, but a second judge, b, does not. Collapsed.'
    >>> agreed("Collapsed.", "a", "Short of variety.", "b")
    'Collapsed.'
    """
    is_usable, is_other_usable = (each.startswith(USABLE) for each in (first, second))
    if is_usable and is_other_usable:
        return f"{first} A second judge, {second_judge}, agrees."
    if is_usable and not second.startswith(NO_VERDICT):
        return (
            f"In doubt: {first_judge} calls the images usable, but a second judge, {second_judge}, "
            f"does not. {second}"
        )
    if is_other_usable:
        return f"{first} A second judge, {second_judge}, calls them usable."
    return first


def _collapsed(found: Findings) -> str | None:
    coverage, precision = found.scores.get("coverage"), found.scores.get("precision")
    repeated = found.scores.get("repeated")
    # Blurred images are near one another too, and so are copies of one image.
    is_spoilt = bool(found.differences(UNREAL_SHIFT))
    is_other = is_spoilt or _is_above(found, "memorised", MOSTLY_COPIES)
    if repeated is not None and repeated.low > REPEATED_SHARE and not is_other:
        return f"Collapsed: {repeated.value:.0%} of the images come again and again."
    if coverage is None or coverage.value >= COLLAPSED_COVERAGE * coverage.floor:
        return None
    if precision is not None and precision.value < UNREAL_PRECISION * precision.floor:
        return None  # unlike the data altogether, which another rule says
    if repeated is not None and repeated.low <= REPEATED_SHARE and is_spoilt:
        return None  # all of them are spoilt in the same way, which is said instead
    return (
        f"Collapsed: the images cover {coverage.value:.1%} of the data "
        f"(real images: {coverage.floor:.0%})."
    )


def _unreal(found: Findings) -> str | None:
    precision = found.scores.get("precision")
    if precision is None or precision.value >= UNREAL_PRECISION * precision.floor:
        return None
    words = found.differences(SEEN_SHIFT)
    return (
        f"Not realistic: {precision.value:.0%} of the images look like the data "
        f"(real images: {precision.floor:.0%})"
        f"{_they_are(words)}."
    )


def _shifted(found: Findings) -> str | None:
    words = found.differences(UNREAL_SHIFT)
    if not words:
        return None
    size = found.shifts[0].size
    return (
        f"Not realistic: beside real images they are {listed(words, 'and')} "
        f"({(1 + size) / 2:.0%} of pairs show it; of real pairs 50%)."
    )


def _memorising(found: Findings) -> str | None:
    # Blurred images lie nearer to everything; only where most are copies is that said of them.
    least = MOSTLY_COPIES if found.differences(UNREAL_SHIFT) else MEMORISED_SHARE
    if not _is_above(found, "memorised", least):
        return None
    share = found.scores["memorised"].value
    return (
        f"Memorising: {share:.0%} of the images are near-copies of training images (moved, "
        f"mirrored or brightened ones count){_they_are(found.differences(SEEN_SHIFT))}."
    )


def _short_of_variety(found: Findings) -> str | None:
    recall, coverage = found.scores.get("recall"), found.scores.get("coverage")
    if recall is not None and recall.value < LEAST_RECALL * recall.floor:
        words = found.differences(SEEN_SHIFT)
        return (
            f"Short of variety: the images reach {recall.value:.0%} of the data "
            f"(real images: {recall.floor:.0%})"
            f"{_they_are(words)}."
        )
    if coverage is not None and coverage.value < LEAST_COVERAGE * coverage.floor:
        return (
            f"Short of variety: the images cover {coverage.value:.0%} of the data "
            f"(real images: {coverage.floor:.0%})."
        )
    return None


def _short_of_modes(found: Findings) -> str | None:
    modes = found.scores.get("modes")
    if modes is None or modes.value >= MISSING_MODES * modes.floor:
        return None
    return f"Short of classes: {modes.value:.0f} of {modes.floor:.0f} modes appear."


def _short_of_groups(found: Findings) -> str | None:
    short = _short(found, MISSING_CLASS)
    if not short:
        return None
    kind = "groups" if short[0].examples else "classes"
    named = ", ".join(
        f"{group.name} ({group.share:.1%} instead of {group.real_share:.1%})" for group in short
    )
    return f"Short of {kind}: {named}{_they_are(found.differences(SEEN_SHIFT))}."


def _short(found: Findings, below: float) -> list[Group]:
    return [
        group
        for group in found.groups
        if group.is_certain
        and group.real_share >= RARE_CLASS
        and group.share < below * group.real_share
    ]


def _unlike(found: Findings) -> list[Group]:
    """Parts of the data that are met too seldom or too often, the largest difference first."""
    certain = [group for group in found.groups if group.is_certain]
    return sorted(certain, key=lambda group: -abs(group.share - group.real_share))


def _is_above(found: Findings, name: str, share: float) -> bool:
    score = found.scores.get(name)
    return score is not None and score.low > share


def _less(found: Findings) -> str:
    """Whether fewer images than real ones look like the data, and not by chance."""
    precision = found.scores["precision"]
    spread = sum(each * (1 - each) for each in (precision.value, precision.floor)) / precision.n
    if precision.floor - precision.value < max(LEAST_LESS, LESS_SCORE * spread**0.5):
        return ""
    return f"Of real images {precision.floor:.0%} look like the data."


def _they_are(words: Sequence[str]) -> str:
    return f"; beside real ones they are {listed(words, 'and')}" if words else ""


def _other_share(group: Group) -> str:
    much = "little" if group.share < group.real_share else "much"
    title = group.name[:1].upper() + group.name[1:]
    return f"{title} is met too {much}: {group.share:.1%} instead of {group.real_share:.1%}."


RULES: tuple[Rule, ...] = (
    *(_collapsed, _memorising, _unreal, _shifted),
    *(_short_of_modes, _short_of_groups, _short_of_variety),
)
