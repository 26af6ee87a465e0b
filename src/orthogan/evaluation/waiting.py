"""What is said while images are described, where that takes a while."""

from __future__ import annotations

import time
from collections.abc import Callable

from orthogan.evaluation.description import Report

LEAST_S = 4.0  # a shorter wait needs no words
EVERY_S = 15.0


def telling(say: Callable[[str], None]) -> Report:
    """A report of how far describing is, in sentences with the time that is left.

    Args:
        say: Shows a sentence.
    """
    first = (0, 0.0)  # images described, and when, of the set that is under way
    told_s = -EVERY_S
    before = 0

    def report(done: int, total: int) -> None:
        nonlocal first, told_s, before
        now_s = time.monotonic()
        if done <= before or not before:  # another set has begun, and its first part is described
            first, told_s, before = (done, now_s), -EVERY_S, done
            return
        before = done
        waited_s = now_s - first[1]
        left_s = waited_s / (done - first[0]) * (total - done)
        if left_s > LEAST_S and waited_s - told_s >= EVERY_S:
            told_s = waited_s
            say(f"Describing {total:,} images: {done / total:.0%} done, {left_s:.0f} s left.")

    return report
