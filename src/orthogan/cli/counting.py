"""What a person sees of a long count: how much is done, how long the rest will take."""

from __future__ import annotations

import time

from orthogan.cli.output import say
from orthogan.training.duration import duration
from orthogan.training.progress import ProgressDisplay

PATIENCE_S = 2.0  # counts that are shorter show nothing


class Countdown:
    """Follows one count after the other on a display.

    Args:
        display: Where the share and the time left are shown.
    """

    def __init__(self, display: ProgressDisplay) -> None:
        self._display = display
        self._begin = time.monotonic()

    def announce(self, sentence: str) -> None:
        """Says what is counted from now on."""
        say(sentence)
        self._begin = time.monotonic()

    def advance(self, done: int, total: int) -> None:
        """Shows how much of a count is done; the next one begins when all of it is."""
        now = time.monotonic()
        elapsed, share = now - self._begin, done / total
        if elapsed >= PATIENCE_S and share > 0:
            left = elapsed * (1 - share) / share
            self._display.advance(share, f"{duration(left)} left")
        if done >= total:
            self._begin = now
