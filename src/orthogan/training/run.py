"""A training run that has stopped, whatever it trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orthogan.config import Config
from orthogan.models.generator import load as load_generator
from orthogan.models.load import load
from orthogan.notebooks import shown
from orthogan.shapes import Pixels
from orthogan.terminal import pasteable
from orthogan.training.run_folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class Run:
    """A training run that has stopped: where it is, how it went, why it stopped.

    Attributes:
        path: The run folder; `orthogan.load` takes it.
        task: `gan`, `classify` or `language`.
        status: `done`, `interrupted`, `preempted`, ...
        reason: One sentence on why it stopped.
        next_command: What to type next.
        unit: What was counted, `images` or `tokens`.
        num_seen: How many of them training has shown.
        seconds: Of training.
        scores: The latest live scores.
        score: The whole final score of tasks that end with one; empty until the run is done.
    """

    path: Path
    task: str
    status: str
    reason: str
    next_command: str
    unit: str
    num_seen: int
    seconds: float
    scores: dict[str, float]
    score: dict[str, Any] | None = field(default=None)

    @property
    def images_seen(self) -> int:
        """How many images training has shown; of a language model, tokens."""
        return self.num_seen

    @property
    def tokens_seen(self) -> int:
        """The same under the name that fits a language model."""
        return self.num_seen

    def sample(
        self, seeds: Iterable[int] = range(64), classes: Sequence[int | str] | None = None
    ) -> Pixels:
        """Images of a GAN's generator, one per seed; of the classes named, in turn.

        Of a run that is not done, those of its newest healthy checkpoint.

        Raises:
            BundleError: the run has no model yet, or trained no generator.
        """
        return load_generator(self.path).sample(seeds, classes)

    def load(self) -> Any:
        """The trained model, as `orthogan.load` returns it.

        Raises:
            BundleError: the run has no model yet.
        """
        return load(self.path)

    def _repr_html_(self) -> str:
        """How it went, what it draws and its scores, for notebooks."""
        return shown("run", self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `json.dumps` takes it."""
        facts = {name: value for name, value in vars(self).items() if value is not None}
        del facts["unit"], facts["num_seen"]
        return facts | {"path": str(self.path), f"{self.unit}_seen": self.num_seen}


def as_facts(run: Run) -> dict[str, Any]:
    """The whole of a run as JSON can hold it; `run_of` reads it."""
    return vars(run) | {"path": str(run.path)}


def run_of(facts: Mapping[str, Any]) -> Run:
    """A run from what `as_facts` made of it."""
    return Run(**{**facts, "path": Path(facts["path"])})


def resuming(path: Path, config: Config) -> str:
    """The command that goes on with a run, with its own settings, to paste into a shell."""
    return pasteable(["orthogan", config.COMMAND, "--run", path])


def stopped_run(folder: RunFolder, status: str, reason: str, unit: str, next_command: str) -> Run:
    """What the folder of a run says at its end.

    Args:
        folder: Holds the facts.
        status: In which it stopped.
        reason: Why.
        unit: What `images_seen` counts.
        next_command: What to type next.
    """
    return Run(
        path=folder.path,
        task=folder.task,
        status=status,
        reason=reason,
        next_command=next_command,
        unit=unit,
        num_seen=folder.images_seen,
        seconds=float(folder.facts.get("seconds", 0.0)),
        scores=dict(folder.facts.get("scores", {})),
    )
