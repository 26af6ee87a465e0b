"""A run that ends when it has converged: its schedules are brought to their end in a short time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Of what was spent until then. A schedule that ends at its peak rate leaves a model that a short
# descent improves at once (Hu et al. 2024, "MiniCPM", section 4: a tenth is enough there).
ANNEAL_SHARE = 0.15


@dataclass
class Ending:
    """Where the last part of a run began, before its budget is used up.

    Attributes:
        begun_at: Images or seconds, as the budget counts; 0: it has not begun.
        budget: That budget; with another one the run goes on as if nothing had begun.
    """

    begun_at: float = 0.0
    budget: float = 0.0

    def begin(self, share: float, budget: float) -> None:
        """From here on the schedules run to their end.

        Args:
            share: Of the budget that is used up.
            budget: In images or seconds.
        """
        self.begun_at, self.budget = share * budget, budget

    def has_begun(self, budget: float) -> bool:
        """Whether it has, under this budget."""
        return self.begun_at > 0 and self.budget == budget

    def progress(self, share: float, budget: float) -> float:
        """Where the schedules stand, given the share of the budget that is used up.

        >>> ending = Ending()
        >>> ending.begin(0.4, 1000.0)
        >>> [round(ending.progress(share, 1000.0), 2) for share in (0.4, 0.43, 0.46)]
        [0.4, 0.7, 1.0]
        """
        if not self.has_begun(budget):
            return share
        begun = self.begun_at / budget
        length = min(ANNEAL_SHARE * begun, 1 - begun)
        done = (share - begun) / length if length > 0 else 1.0
        return begun + (1 - begun) * min(max(done, 0.0), 1.0)

    def state(self) -> dict[str, Any]:
        """The arguments that make the same again."""
        return dict(vars(self))
