"""Up to where a run was healthy: which of its checkpoints are older than any sign of trouble."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orthogan.errors import DivergedError
from orthogan.training.checkpoint import newest_until


class CollapseError(DivergedError):
    """The generated images are nearly all the same, though every number is finite."""


@dataclass
class Health:
    """Image counts up to which looks found nothing suspicious; 0: none has.

    A checkpoint that was made later, but before a suspicious look, may hold the collapse already.

    Attributes:
        images: By the fakes of the steps.
        geometry: By the geometry of the networks.
    """

    images: int = 0
    geometry: int = 0

    def marks(self) -> tuple[int, ...]:
        """The newest checkpoint up to each of them has to stay."""
        return tuple(filter(None, vars(self).values()))

    def checkpoint(self, run: Path, *, geometry_is_suspicious: bool) -> int:
        """The image count of the newest checkpoint that is surely healthy; 0 if there is none."""
        # The geometry is looked at rarely: unsuspicious, it says nothing about what came since.
        mark = min(self.images, self.geometry) if geometry_is_suspicious else self.images
        return newest_until(run, mark)
