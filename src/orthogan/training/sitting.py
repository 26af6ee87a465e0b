"""What every sitting of a run does, whatever is trained: resume, save, stop, diverge, be done."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Protocol, runtime_checkable

from torch import Tensor

from orthogan.errors import DivergedError
from orthogan.training.checkpoint import load_checkpoint, save_checkpoint
from orthogan.training.clock import Clock
from orthogan.training.config import BudgetConfig
from orthogan.training.progress import ProgressDisplay, duration
from orthogan.training.run_folder import RunFolder
from orthogan.training.stop_signals import StopSignals


@runtime_checkable
class Trained(Protocol):
    """What a sitting needs of a trainer."""

    images_seen: int

    def tensors(self) -> dict[str, Tensor]:
        """Everything a checkpoint keeps as tensors."""

    def state(self) -> dict[str, Any]:
        """Everything a checkpoint keeps as numbers."""

    def restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Continue from a checkpoint."""


class Sitting(ABC):
    """One sitting of a run: from where it stands to the end of its budget, or a stop.

    Args:
        trainer: What is trained.
        budget: How long.
        run: Where it is written down.
        display: What a person sees.
    """

    # What `images_seen` counts, for people.
    unit: ClassVar[str] = "images"

    def __init__(
        self, trainer: Trained, budget: BudgetConfig, run: RunFolder, display: ProgressDisplay
    ) -> None:
        self._trained, self.run, self.display = trainer, run, display
        self.clock = Clock(budget)
        self.stop = StopSignals()
        self.scores: dict[str, float] = {}

    def train(self) -> tuple[str, str]:
        """Train until the budget ends or somebody stops it; returns (status, reason).

        Raises:
            DivergedError: a step was not finite, or the run is lost; the last healthy checkpoint
                is kept and named.
            StorageError: the disk is full; the earlier checkpoints are intact.
        """
        try:
            with self.stop.noted():
                self._resume()
                with self.display:
                    self._loop()
                return self._stopped() if self.stop.received else self._finished()
        except DivergedError as error:
            reason = self._diverged(error)
            self.run.update_status("diverged", reason=reason, **self._facts())
            raise DivergedError(reason) from None

    def checkpoint(self) -> None:
        """Save everything that continuing needs.

        Raises:
            DivergedError: a tensor is not finite; nothing is saved.
            StorageError: the disk is full; the earlier checkpoints are intact.
        """
        trainer = self._trained
        tensors = trainer.tensors()
        # A step may be finite and still leave a weight that is not: the next one would tell.
        for name, tensor in tensors.items():
            if not bool(tensor.isfinite().all()):
                raise DivergedError(f"The tensor {name} is not finite.")
        state = trainer.state() | {"elapsed_s": self.clock.elapsed_s, "scores": self.scores}
        save_checkpoint(self.run.path, trainer.images_seen, tensors, state)
        self.run.update_status("running", **self._facts())

    @abstractmethod
    def _loop(self) -> None:
        """Steps until the budget ends or a signal came."""

    @abstractmethod
    def _finish(self) -> None:
        """Scores, saves and bundles what was trained."""

    def _place(self) -> dict[str, Any]:
        """Where the run stands, in every line of its metrics."""
        return {"images_seen": self._trained.images_seen}

    def _log(self, record: dict[str, Any]) -> None:
        self.run.append_metrics(self._place() | {"elapsed_s": self.clock.elapsed_s} | record)

    def _resume(self) -> None:
        checkpoint = load_checkpoint(self.run.path)
        if checkpoint is None:
            self.run.update_status("running", **self._facts())
            self.checkpoint()
            return
        self._trained.restore(checkpoint.tensors, checkpoint.state)
        self.clock.before_s = checkpoint.state["elapsed_s"]
        self.scores = checkpoint.state["scores"]
        if checkpoint.note:
            self.display.note(checkpoint.note)
        self.display.note(f"Resuming from {checkpoint.images_seen:,} {self.unit}.")
        self._log({"event": "resume"})
        self.run.update_status("running", **self._facts())

    def _stopped(self) -> tuple[str, str]:
        self.checkpoint()
        reason = f"Stopped at {self._trained.images_seen:,} {self.unit}; everything is saved."
        self.run.update_status(self.stop.status, reason=reason, **self._facts())
        return self.stop.status, reason

    def _finished(self) -> tuple[str, str]:
        self._finish()
        reason = (
            f"Done: the budget is used up after {self._trained.images_seen:,} {self.unit} "
            f"in {duration(self.clock.elapsed_s)}."
        )
        self.run.update_status("done", reason=reason, **self._facts())
        return "done", reason

    def _diverged(self, error: DivergedError) -> str:
        checkpoint = load_checkpoint(self.run.path)
        kept = checkpoint.images_seen if checkpoint else 0
        return (
            f"Diverged at {self._trained.images_seen:,} {self.unit}: {error} "
            f"The checkpoint at {kept:,} {self.unit} is kept in {self.run.path}."
        )

    def _facts(self) -> dict[str, Any]:
        return {
            "images_seen": self._trained.images_seen,
            "seconds": self.clock.elapsed_s,
            "scores": self.scores,
        }

    def _show(self, numbers: str) -> None:
        """Moves the bar; time left and speed are those since this sitting or attempt began."""
        seen = self._trained.images_seen
        left_s, speed = self.clock.pace(seen)
        pace = f"{duration(left_s)} left  {seen:,} {self.unit}  {speed:,.0f}/s"
        self.display.advance(min(self.clock.progress(seen), 1.0), pace, numbers)
