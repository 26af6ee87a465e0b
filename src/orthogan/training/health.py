"""Up to where a run was healthy: which of its checkpoints are older than any sign of trouble."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orthogan.errors import DivergedError
from orthogan.training.checkpoint import newest_until

# The newest ones, which a later look may call healthy, beside those that a look has called so.
KEPT_MILESTONES = 3


class CollapseError(DivergedError):
    """The generated images are nearly all the same, though every number is finite."""


@dataclass
class Health:
    """Image counts up to which looks found nothing suspicious; 0: none has.

    A checkpoint that was made later, but before a suspicious look, may hold the collapse already.

    Attributes:
        images: By the fakes of the steps.
        geometry: By the geometry of the networks.
        milestones: Checkpoints at image counts that do not depend on the clock, the newest last.
    """

    images: int = 0
    geometry: int = 0
    milestones: list[int] = field(default_factory=list)

    def marks(self) -> tuple[int, ...]:
        """The newest checkpoint up to each of them has to stay."""
        return tuple(filter(None, (self.images, self.geometry, *self.milestones)))

    def keep_milestone(self, images: int) -> None:
        """A checkpoint at this image count is about to be made, and stays for a while."""
        healthy = {self._milestone_until(mark) for mark in (self.images, self.geometry)} - {0}
        self.milestones = sorted({*self.milestones[-KEPT_MILESTONES + 1 :], *healthy, images})

    def milestone(self, *, geometry_is_suspicious: bool) -> int:
        """The newest milestone that is surely healthy; 0 if there is none."""
        return self._milestone_until(self._mark(geometry_is_suspicious))

    def _milestone_until(self, images: int) -> int:
        return max((each for each in self.milestones if each <= images), default=0)

    def checkpoint(self, run: Path, *, geometry_is_suspicious: bool) -> int:
        """The image count of the newest checkpoint that is surely healthy; 0 if there is none."""
        return newest_until(run, self._mark(geometry_is_suspicious))

    def _mark(self, geometry_is_suspicious: bool) -> int:
        # The geometry is looked at rarely: unsuspicious, it says nothing about what came since.
        return min(self.images, self.geometry) if geometry_is_suspicious else self.images

    def state(self) -> dict[str, Any]:
        """The arguments that make the same again."""
        return dict(vars(self))
