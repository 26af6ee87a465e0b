"""How finished runs are scored, the same for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orthogan.comparison.cells import RunState
from orthogan.comparison.task import RunConfig, Task
from orthogan.errors import ConfigError

KEPT = "evaluations"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What is measured.

    Attributes:
        metrics: Names; the usual one of the task if None.
        num_images: Images to measure on; the usual number if None.

    Raises:
        ConfigError: there is nothing to measure, or nothing to measure it on.
    """

    metrics: Sequence[str] | None = None
    num_images: int | None = None

    def __post_init__(self) -> None:
        if self.num_images is not None and self.num_images < 1:
            raise ConfigError(f"At least 1 image is needed, got {self.num_images}.")
        if self.metrics is not None and not self.metrics:
            raise ConfigError("At least one metric is needed.")

    def check(self, task: Task, config: RunConfig) -> None:
        """Refuses what has no meaning for runs of this task with such settings.

        Raises:
            ConfigError: a metric is for other data, or the number of images has no effect.
            UnknownNameError: no such metric.
        """
        task.check_scores(self.metrics, self.num_images, config)

    def of(self, run: RunState, task: Task, out: Path | None) -> dict[str, Any]:
        """The evaluation of a finished run, kept in `out` if there is one."""
        kept = None if out is None else out / KEPT
        return task.evaluation(run.path, self.metrics, self.num_images, kept)
