"""One plain sentence from the scores: is the generator usable, and if not, why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from orthogan.evaluation.scores import Score

COLLAPSED_COVERAGE = 0.1  # of the real images' coverage: nine tenths of the data is out of reach
MEMORISED_SHARE = 0.05  # five times what unseen real images score by definition
MISSING_CLASS = 0.6  # of its share in the data: below 6 % where it should be 10 %
MISSING_MODES = 0.99  # of 1000 modes: what the better published methods reach
UNREAL_PRECISION = 0.5  # of the real images' precision: every second image is unlike the data
RARE_CLASS = 0.001  # of the data: rarer classes are left out, ten images cannot tell

Shares: TypeAlias = Sequence[float] | None
Rule: TypeAlias = Callable[[Mapping[str, Score], Shares, Shares], str | None]


def verdict(scores: Mapping[str, Score], shares: Shares, real_shares: Shares) -> str:
    """The first problem found, in order of gravity, or that the generator is usable.

    Args:
        scores: By metric name; a rule whose scores were not asked for is skipped.
        shares: Fraction of generated images in each class, if known.
        real_shares: Fraction of real images in each class, if known.
    """
    problems = (rule(scores, shares, real_shares) for rule in RULES)
    found = next((problem for problem in problems if problem), None)
    if found:
        return found
    needed = [name for name in ("precision", "coverage", "memorised") if name not in scores]
    if needed:
        return f"No verdict: {', '.join(needed)} not measured; nothing measured is alarming."
    return (
        f"Usable: {scores['precision'].value:.0%} of the images look like the data, they cover "
        f"{scores['coverage'].value:.0%} of it, and they are not copies."
    )


def _collapsed(scores: Mapping[str, Score], _shares: Shares, _real: Shares) -> str | None:
    coverage = scores.get("coverage")
    precision = scores.get("precision")
    if coverage is None or coverage.value >= COLLAPSED_COVERAGE * coverage.floor:
        return None
    if precision is not None and precision.value < UNREAL_PRECISION * precision.floor:
        return None  # unlike the data altogether, which the next rule says
    return (
        f"Collapsed: the images cover {coverage.value:.1%} of the data "
        f"(real images: {coverage.floor:.0%})."
    )


def _unreal(scores: Mapping[str, Score], _shares: Shares, _real: Shares) -> str | None:
    precision = scores.get("precision")
    if precision is None or precision.value >= UNREAL_PRECISION * precision.floor:
        return None
    return (
        f"Not realistic: {precision.value:.0%} of the images look like the data "
        f"(real images: {precision.floor:.0%})."
    )


def _memorising(scores: Mapping[str, Score], _shares: Shares, _real: Shares) -> str | None:
    memorised = scores.get("memorised")
    if memorised is None or memorised.low <= MEMORISED_SHARE:
        return None
    return (
        f"Memorising: {memorised.value:.0%} of the images are as close to a training image as "
        f"only {memorised.floor:.0%} of unseen real images are."
    )


def _short_of_modes(scores: Mapping[str, Score], _shares: Shares, _real: Shares) -> str | None:
    modes = scores.get("modes")
    if modes is None or modes.value >= MISSING_MODES * modes.floor:
        return None
    return f"Short of classes: {modes.value:.0f} of {modes.floor:.0f} modes appear."


def _short_of_classes(_scores: Mapping[str, Score], shares: Shares, real: Shares) -> str | None:
    if shares is None or real is None:
        return None
    short = [
        f"class {index} ({got:.1%} instead of {wanted:.1%})"
        for index, (got, wanted) in enumerate(zip(shares, real, strict=True))
        if wanted >= RARE_CLASS and got < MISSING_CLASS * wanted
    ]
    return f"Short of classes: {', '.join(short)}." if short else None


RULES: tuple[Rule, ...] = (_collapsed, _unreal, _memorising, _short_of_modes, _short_of_classes)
