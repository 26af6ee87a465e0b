"""How finished runs are scored, the same for all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orthogan.errors import ConfigError
from orthogan.experiments.scores import Kept, stored_score
from orthogan.experiments.task import RunConfig, Task
from orthogan.experiments.trials import RunState

KEPT = "evaluations"  # the folder of them, beside the runs


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

    def of(self, run: RunState, task: Task, kept: Kept) -> dict[str, Any]:
        """The evaluation of a finished run, from what is kept if it can be."""
        return task.evaluation(run.path, self.metrics, self.num_images, kept)

    def why_again(self, run: RunState, task: Task, kept: Kept) -> str:
        """Why `of` would measure a run instead of reading its score; empty if it would read."""
        return task.why_again(run.path, self.metrics, self.num_images, kept)

    def recorded(self, runs: Sequence[RunState], kept: Mapping[Path, Kept]) -> Measure:
        """The measure that most of the runs were scored by, where nothing else is asked for.

        Of two that as many were scored by, the one with more images.

        Args:
            runs: Finished runs.
            kept: Where the evaluations of each are, by its folder.
        """
        stored = [stored_score(run.path, kept[run.path]) for run in runs]
        counts = Counter((each.metrics, each.num_images) for each in stored if each is not None)
        if not counts:
            return self
        metrics, num_images = max(counts, key=lambda each: (counts[each], each[1]))
        return Measure(
            metrics=metrics if self.metrics is None else self.metrics,
            num_images=num_images if self.num_images is None else self.num_images,
        )
