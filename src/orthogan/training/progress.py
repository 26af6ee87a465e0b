"""What a person sees while training: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

# Lines of a log that is not a terminal: often enough to see life, few enough to read.
PLAIN_EVERY_S = 10.0


class ProgressDisplay:
    """Shows a run's progress on stderr; silent if `show` is false.

    Args:
        title: Left of the bar.
        show: Whether to show anything.
    """

    def __init__(self, title: str, show: bool = True) -> None:
        self.show = show
        self.console = Console(stderr=True, soft_wrap=True, highlight=False)
        self.live = show and self.console.is_terminal
        self._next_plain = 0.0
        self._bar = Progress(
            # A run folder or a metric may have [brackets] in its name.
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%  {task.fields[facts]}", markup=False),
            console=self.console,
            disable=not self.live,
            transient=True,
        )
        self._task = self._bar.add_task(title, total=1.0, facts="")

    def __enter__(self) -> ProgressDisplay:  # noqa: PYI034 - beartype refuses Self on a method
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def advance(self, share: float, facts: str) -> None:
        """Show how much of the budget is used, and facts such as losses and speed."""
        if self.live:
            self._bar.update(self._task, completed=share, facts=facts)
        elif self.show and time.monotonic() >= self._next_plain:
            self._next_plain = time.monotonic() + PLAIN_EVERY_S
            print(f"{share:4.0%}  {facts}", file=sys.stderr, flush=True)  # noqa: T201

    def note(self, sentence: str) -> None:
        """Show a sentence that stays."""
        if self.show:
            self.console.print(sentence, markup=False)
            self.console.file.flush()


def duration(seconds: float) -> str:
    """A time span for people.

    >>> duration(42.3), duration(312.0), duration(7384.0)
    ('42 s', '5 min 12 s', '2 h 3 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
