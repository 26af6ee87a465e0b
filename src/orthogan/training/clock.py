"""When things are due in a run, and how fast it goes."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from orthogan.training.config import Budget
from orthogan.training.pulse import Pulse


@dataclass
class Clock:
    """When things are due; `elapsed_s` counts all sittings of the run.

    Time in which the process was stopped counts nowhere, while the `pulse` beats.
    """

    budget: Budget
    before_s: float = 0.0
    started: float = field(default_factory=time.perf_counter)
    due: dict[str, float] = field(default_factory=dict)
    pulse: Pulse = field(default_factory=Pulse)
    _mark: tuple[float, float, int] = (0.0, 0.0, 0)

    @property
    def elapsed_s(self) -> float:
        """Seconds spent on the run so far."""
        return self.before_s + self._here_s

    @property
    def _here_s(self) -> float:
        """Those of this sitting."""
        now = time.perf_counter()
        return now - self.started - self.pulse.stopped_until(now)

    def progress(self, images_seen: int) -> float:
        """Share of the budget that is used up; 1 or more means done."""
        if self.budget.count is not None:
            return images_seen / self.budget.count
        return self.elapsed_s / (self.budget.seconds or 1.0)

    def mark(self, images_seen: int) -> None:
        """Measure speed from here on: what came before went at another."""
        self._mark = (self.elapsed_s, self.progress(images_seen), images_seen)

    def pace(self, images_seen: int) -> tuple[float, float]:
        """Seconds left and images a second, both at the speed since the mark."""
        elapsed_s, progress, images = self._mark
        spent_s = max(self.elapsed_s - elapsed_s, 1e-6)
        reached = self.progress(images_seen)
        gained = reached - progress
        left_s = spent_s * max(1 - reached, 0.0) / gained if gained > 0 else 0.0
        return left_s, (images_seen - images) / spent_s

    def is_due(self, name: str, every_s: float, first_s: float = math.inf) -> bool:
        """True once every `every_s` seconds; the first time after that long, or after `first_s`."""
        now = self._here_s
        if now < self.due.setdefault(name, min(every_s, first_s)):
            return False
        self.due[name] = now + every_s
        return True
