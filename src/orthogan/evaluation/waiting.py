"""What is said while images are described or learned from, where that takes a while."""

from __future__ import annotations

import time
from collections.abc import Callable

from orthogan.evaluation.description import Report

LEAST_S = 4.0  # a shorter wait needs no words
EVERY_S = 15.0


def telling(say: Callable[[str], None]) -> Report:
    """A report of how far a piece of work is, in sentences with the time that is left.

    Args:
        say: Shows a sentence.
    """
    first = (0, 0.0)  # how much was done, and when, of the work that is under way
    told_s = -EVERY_S
    before = ("", 0)

    def report(work: str, done: int, total: int) -> None:
        nonlocal first, told_s, before
        now_s = time.monotonic()
        is_new = work != before[0] or done <= before[1]
        before = (work, done)
        if is_new:  # and its first part is done
            first, told_s = (done, now_s), -EVERY_S
            return
        waited_s = now_s - first[1]
        left_s = waited_s / (done - first[0]) * (total - done)
        if left_s > LEAST_S and waited_s - told_s >= EVERY_S:
            told_s = waited_s
            say(f"{work}: {done / total:.0%} done, {left_s:.0f} s left.")

    return report
