"""Ctrl-C and SIGTERM as a wish that a loop can look at."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopNow(BaseException):
    """A signal to stop, in the middle of something that may be left there and done again later.

    No `Exception`: nobody but who asked for it may catch it.
    """


class StopSignals:
    """Notes the first signal to stop; `received` is 0 until then."""

    def __init__(self) -> None:
        self.received = 0
        self._is_open = False

    @property
    def status(self) -> str:
        """What a run that was stopped is called."""
        return "preempted" if self.received == signal.SIGTERM else "interrupted"

    def ask(self, number: int = signal.SIGINT) -> None:
        """Note the wish to stop as that signal would; Ctrl-C by default."""
        self.received = number

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Inside, a signal is noted; a second one raises KeyboardInterrupt at once."""
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread may set handlers
            return

        def note(number: int, _frame: FrameType | None) -> None:
            if self.received:
                raise KeyboardInterrupt
            self.received = number
            if self._is_open:
                raise StopNow

        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Inside, a signal ends the block where it is; for what takes long and changes nothing.

        Raises:
            StopNow: a signal came, inside or before.
        """
        self._is_open = True
        try:
            if self.received:
                raise StopNow
            yield
        finally:
            self._is_open = False
