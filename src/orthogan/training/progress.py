"""What a person sees while training: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from types import TracebackType

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from orthogan.terminal import printable, printable_lines

# Lines of a log that is not a terminal: often enough to see life, few enough to read.
PLAIN_EVERY_S = 10.0
# Beside the title and the bar stands at most "100%  59 min 59 s left  9,999,999 images  99,999/s".
PACE_WIDTH = 52
MIN_BAR_WIDTH, MAX_BAR_WIDTH = 6, 24


class _Bar(Progress):
    """A bar with a second line below it: a single one would not fit 80 columns."""

    def get_renderables(self) -> Iterable[RenderableType]:
        for task in self.tasks:
            yield self.make_tasks_table([task])
            yield Text(task.fields["numbers"], no_wrap=True, overflow="ellipsis")


class ProgressDisplay:
    """Shows a run's progress on stderr; silent if `show` is false.

    Args:
        title: Left of the bar.
        show: Whether to show anything.
    """

    def __init__(self, title: str, show: bool = True) -> None:
        self.show = show
        self.console = Console(stderr=True, soft_wrap=True, highlight=False)
        self.live = show and self.console.is_terminal and not self.console.is_dumb_terminal
        self._next_plain = 0.0
        # Fixed widths: a bar that gives way to longer numbers would jump.
        room = max(self.console.width - PACE_WIDTH, 2 * MIN_BAR_WIDTH)
        bar_width = min(MAX_BAR_WIDTH, max(MIN_BAR_WIDTH, room - len(title) - 1))
        self._bar = _Bar(
            # A run folder or a metric may have [brackets] in its name.
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=bar_width),
            TextColumn("{task.percentage:>3.0f}%  {task.fields[pace]}", markup=False),
            console=self.console,
            disable=not self.live,
            transient=True,
        )
        name = shortened(printable(title), room - bar_width - 1)
        self._task = self._bar.add_task(name, total=1.0, pace="", numbers="")

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

    def advance(self, share: float, pace: str, numbers: str = "") -> None:
        """Show how much of the budget is used, what is left and how fast it goes, and losses."""
        if self.live:
            self._bar.update(self._task, completed=share, pace=pace, numbers=numbers)
        elif self.show and time.monotonic() >= self._next_plain:
            self._next_plain = time.monotonic() + PLAIN_EVERY_S
            line = f"{share:4.0%}  {pace}  {numbers}".rstrip()
            print(line, file=sys.stderr, flush=True)  # noqa: T201

    def note(self, sentence: str) -> None:
        """Show a sentence that stays."""
        if self.show:
            self.console.print(printable_lines(sentence), markup=False)
            self.console.file.flush()


def shortened(title: str, width: int) -> str:
    """The title, its middle left out if it is longer than `width`.

    >>> shortened("mnist-attention-gan-0", 12)
    'mnist...an-0'
    """
    if len(title) <= width:
        return title
    kept = max(width - 3, 2)
    return f"{title[: kept - kept // 2]}...{title[-(kept // 2) :]}"
