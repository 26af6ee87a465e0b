"""Which of several mean differences are real, and intervals that say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orthogan.statistics.paired import PairedTest, holm, holm_levels, paired_test, t_interval
from orthogan.statistics.ranges import REAL, Interval, Range
from orthogan.statistics.sign_flips import SignFlips

LEVEL = 0.05
ROUNDING = 1e-15  # relative to the mean: the least that is more than 0 beside it


@dataclass(frozen=True)
class Decision:
    """What can be said of one mean difference among several that were looked at.

    Attributes:
        test: Mean difference and p values of it alone.
        t: p value of the t test, corrected by Holm; None where the differences have no spread.
        sign_flip: The same for the sign-flip test.
        t_level: The level at which Holm's steps decide the t test.
        sign_flip_level: The same for the sign-flip test; None where no data of so many pairs can
            come below it, so that the test has no say.
        interval: Every difference that one of the tests that have a say keeps at its level; None
            where no test has one.
        differs: Whether the tests that have a say find a difference: just where the interval
            leaves out 0.
    """

    test: PairedTest
    t: float | None
    sign_flip: float
    t_level: float
    sign_flip_level: float | None
    interval: Interval | None
    differs: bool


def decide(differences: Mapping[str, Sequence[float]], within: Range = REAL) -> dict[str, Decision]:
    """Decides about several mean differences, with one correction for tests and intervals.

    Args:
        differences: By name, at least two each.
        within: Where a difference can lie.

    Raises:
        ConfigError: fewer than two differences, or one is not finite.

    >>> found = decide({"a": [1.0, 1.1, 0.9, 1.0, 1.2], "b": [1.0, -1.0, 0.5, 0.2, 0.1]})
    >>> found["a"].differs, found["b"].differs
    (True, False)
    """
    tests = {name: paired_test(each) for name, each in differences.items()}
    # Differences without spread have no p value, but count among those that were looked at.
    t = {name: 1.0 if test.t is None else test.t for name, test in tests.items()}
    flips = {name: test.sign_flip for name, test in tests.items()}
    corrected, levels = (holm(t), holm(flips)), (holm_levels(t, LEVEL), holm_levels(flips, LEVEL))
    return {
        name: _decision(
            differences[name],
            test,
            (None if test.t is None else corrected[0][name], corrected[1][name]),
            (levels[0][name], levels[1][name]),
            within,
        )
        for name, test in tests.items()
    }


def _decision(
    differences: Sequence[float],
    test: PairedTest,
    p_values: tuple[float | None, float],
    levels: tuple[float, float],
    within: Range,
) -> Decision:
    t, sign_flip = p_values
    t_level, flip_level = levels
    can_flip = test.least < flip_level
    intervals, rejects = [], []
    if t is not None:
        intervals.append(t_interval(test.mean, t_level))
        rejects.append(t < LEVEL)
    if can_flip:
        intervals.append(SignFlips(tuple(map(float, differences))).interval(flip_level))
        rejects.append(sign_flip < LEVEL)
    differs = bool(rejects) and all(rejects)
    interval = None
    # A difference is claimed where both tests reject, so it is left open where either keeps it:
    # the union of both intervals, and of what lies between them.
    if intervals:
        hull = Interval(min(low for low, _ in intervals), max(high for _, high in intervals))
        decided = _beside_zero(hull, test.mean.value, differs)
        interval = within.cut(decided, test.mean.value)
    return Decision(
        test, t, sign_flip, t_level, flip_level if can_flip else None, interval, differs
    )


def _beside_zero(interval: Interval, mean: float, differs: bool) -> Interval:
    """The interval, right beside 0 too, where a p value equals its level up to rounding."""
    low, high = interval
    if not differs:
        return Interval(min(low, 0.0), max(high, 0.0))
    nearest = mean * ROUNDING  # beside 0, on the side that the tests decided for
    if mean > 0:
        return Interval(max(low, nearest), high)
    return Interval(low, min(high, nearest))
