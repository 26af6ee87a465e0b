"""What every sitting of a run does, whatever is trained: resume, loop, save, stop, be done."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel, Field
from torch import Tensor

from orthogan.config import check_shape
from orthogan.errors import DivergedError, OutOfMemoryError, ResumeError
from orthogan.parallel import Ranks, current
from orthogan.training.budgets import course
from orthogan.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from orthogan.training.clock import Clock
from orthogan.training.config import Budget
from orthogan.training.duration import duration
from orthogan.training.progress import ProgressDisplay
from orthogan.training.run_folder import RunFolder
from orthogan.training.stop_request import withdraw_stop
from orthogan.training.stop_signals import StopNow, StopSignals

METRICS_EVERY_S = 1.0
# So long after a session has begun, however seldom checkpoints are: an early kill costs little.
FIRST_CHECKPOINT_S = 5.0
SHOW_EVERY_S = 0.25
LOOK_FOR_STOP_EVERY_S = 0.5
MIN_SCORE_EVERY_S = 10.0
# A score costs about half a second: 20 of them are a few per cent of a short run.
SCORES_A_RUN = 20


@runtime_checkable
class RunSettings(Protocol):
    """What a sitting needs of a configuration."""

    seed: int
    checkpoint_every_s: float
    score_every_s: float | None


@runtime_checkable
class Measured(Protocol):
    """What one step measured."""

    def numbers(self) -> dict[str, float]:
        """The measurements as plain numbers."""


@runtime_checkable
class Trained(Protocol):
    """What a sitting needs of a trainer."""

    images_seen: int

    @property
    def config(self) -> RunSettings:
        """The run."""

    def step(self, progress: float) -> Measured:
        """Train on one batch, at a share of the budget."""

    def tensors(self) -> dict[str, Tensor]:
        """Everything a checkpoint keeps as tensors."""

    def state(self) -> dict[str, Any]:
        """Everything a checkpoint keeps as numbers."""

    def restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Continue from a checkpoint."""


TrainerT = TypeVar("TrainerT", bound=Trained)


class _State(BaseModel):
    """What a sitting adds to the state of its trainer."""

    elapsed_s: float = Field(ge=0, allow_inf_nan=False)
    scores: dict[str, float]


class Session(ABC, Generic[TrainerT]):
    """One sitting of a run: from where it stands to the end of its budget, or a stop.

    Args:
        trainer: What is trained.
        budget: How long.
        run: Where it is written down.
        display: What a person sees.
    """

    # What `images_seen` counts, for people.
    unit: ClassVar[str] = "images"
    # The network that is used once training is over, by its name in a checkpoint.
    part: ClassVar[str] = "average"

    def __init__(
        self, trainer: TrainerT, budget: Budget, run: RunFolder, display: ProgressDisplay
    ) -> None:
        self.trainer, self.run, self.display = trainer, run, display
        self.ranks: Ranks = current()
        self.clock = Clock(budget)
        self.stop = StopSignals()
        self.scores: dict[str, float] = {}
        self._told_stopped_s = 0.0

    def train(self) -> tuple[str, str]:
        """Train until the budget ends or somebody stops it; returns (status, reason).

        Raises:
            DivergedError: a step was not finite, or the run is lost; the last healthy checkpoint
                is kept and named.
            OutOfMemoryError: a step does not fit, nor do its smallest parts; as above.
            StorageError: the disk is full; the earlier checkpoints are intact.
        """
        try:
            with self.stop.noted(), self.clock.pulse.beating():
                self._resume()
                try:
                    with self.display:
                        self._loop()
                    if not self.stop.received:
                        return self._finished()
                except StopNow:  # in the middle of measuring, which is done again later
                    pass
                return self._stopped()
        except DivergedError as error:
            reason = self._diverged(error)
            self.run.update_status("diverged", reason=reason, **self._facts())
            raise DivergedError(reason) from None
        except OutOfMemoryError as error:
            reason = f"{error} {self._kept()}"
            self.run.update_status("out of memory", reason=reason, **self._facts())
            raise OutOfMemoryError(reason) from None

    def checkpoint(self) -> None:
        """Save everything that continuing needs.

        Raises:
            DivergedError: a tensor is not finite; nothing is saved.
            StorageError: the disk is full; the earlier checkpoints are intact.
        """
        trainer = self.trainer
        tensors = trainer.tensors()
        # A step may be finite and still leave a weight that is not: the next one would tell.
        for name, tensor in tensors.items():
            if not bool(tensor.isfinite().all()):
                raise DivergedError(f"The tensor {name} is not finite.")
        state = trainer.state() | {"elapsed_s": self.clock.elapsed_s, "scores": self.scores}
        # So that a run can be used before it is done, and while it goes on.
        state["model"] = self._description() | {"part": self.part, "card": self._card({})}
        state["healthy"] = self._healthy_before()
        state |= self._extra_state()
        self.run.flush_metrics()  # what led here must not be lost where this is kept
        seen, spared = trainer.images_seen, self._spared()
        save_checkpoint(self.run.path, seen, tensors, state, spared=spared)
        self.run.update_status("running", **self._facts())

    @abstractmethod
    def _description(self) -> dict[str, Any]:
        """What a model has besides weights and card: the other arguments of `save_bundle`."""

    def _extra_state(self) -> dict[str, Any]:
        """What else of this session has to go on in the next one."""
        return {}

    def _healthy_before(self) -> int | None:
        """None unless the run shows signs of trouble; then the newest checkpoint before them.

        By its image count; 0 if there is none.
        """
        return None

    def _spared(self) -> tuple[int, ...]:
        """Image counts up to each of which the newest checkpoint stays, beside the last ones."""
        return ()

    @abstractmethod
    def measure(self) -> None:
        """A score of what is being trained, told and written down."""

    @abstractmethod
    def _finish(self) -> None:
        """Scores, saves and bundles what was trained."""

    @property
    def next_words(self) -> list[str | Path] | None:
        """The command that follows from how a finished run went; None: the task's usual one."""
        return None

    @property
    def _why_done(self) -> str:
        return "the budget is used up"

    def _afterthought(self) -> str:
        """What the course of a finished run tells, a sentence after a space; often nothing."""
        return ""

    @abstractmethod
    def _bar_words(self, measured: dict[str, float]) -> str:
        """The latest step and score, for the bar."""

    def _loop(self) -> None:
        self.clock.mark(self.trainer.images_seen)
        while (progress := self._progress) < 1 and not self._is_stopped():
            self._turn(progress)

    @property
    def _progress(self) -> float:
        """Where the schedules stand; 1 or more: training is over."""
        return self.clock.progress(self.trainer.images_seen)

    def _turn(self, progress: float) -> None:
        """One step, and what is due after it."""
        trainer, clock = self.trainer, self.clock
        record = self._step(progress)
        self._tell_stops()
        if record is None:
            return
        if clock.is_due("metrics", METRICS_EVERY_S):
            self._log({"event": "step", **record.numbers()})
        if clock.is_due("show", SHOW_EVERY_S):
            self._show(record.numbers())
        self._measure_by_count()
        if clock.is_due("score", self._score_every_s):
            self._measure_by_the_clock()
        if clock.is_due("checkpoint", trainer.config.checkpoint_every_s, FIRST_CHECKPOINT_S):
            self.checkpoint()

    def _measure_by_count(self) -> None:
        """What is due at image counts, once the step itself is written down."""

    def _measure_by_the_clock(self) -> None:
        with self.stop.at_once():
            self.measure()

    def _is_stopped(self) -> bool:
        """Whether a signal came, or somebody asked for a stop in the run folder."""
        due = self.clock.is_due("stop", LOOK_FOR_STOP_EVERY_S)
        if due and not self.stop.received:
            if withdraw_stop(self.run.path):
                self.stop.ask()
            elif self.ranks.signal:
                self.stop.ask(self.ranks.signal)
        return self.stop.received != 0

    def _tell_stops(self) -> None:
        stopped_s = self.clock.pulse.stopped_s
        if stopped_s == self._told_stopped_s:
            return
        since_s, self._told_stopped_s = stopped_s - self._told_stopped_s, stopped_s
        self._log({"event": "stop", "stopped_s": since_s})
        self.display.note(
            f"The process was stopped for {duration(since_s)}; that does not count as training."
        )

    def _step(self, progress: float) -> Measured | None:
        """What one step measured; None if the run has started again instead."""
        with self.ranks.step(self.trainer, progress):
            return self.trainer.step(progress)

    @property
    def _scores_a_run(self) -> int:
        return SCORES_A_RUN

    @property
    def _score_every_s(self) -> float:
        share = (self.clock.budget.seconds or 0.0) / self._scores_a_run
        return self.trainer.config.score_every_s or max(MIN_SCORE_EVERY_S, share)

    def _place(self) -> dict[str, Any]:
        """Where the run stands, in every line of its metrics."""
        return {"images_seen": self.trainer.images_seen}

    def _log(self, record: dict[str, Any]) -> None:
        self.run.append_metrics(self._place() | {"elapsed_s": self.clock.elapsed_s} | record)

    def _resume(self) -> None:
        checkpoint = load_checkpoint(self.run.path)
        if checkpoint is None:
            if self.run.images_seen:
                self.display.note(
                    f"No checkpoint of the {self.run.images_seen:,} {self.unit} so far is left: "
                    "starting again."
                )
            self.run.update_status("running", **self._facts())
            self.checkpoint()
            return
        self._restore(checkpoint)
        if checkpoint.note:
            self.display.note(checkpoint.note)
        self.display.note(f"Resuming from {checkpoint.images_seen:,} {self.unit}.")
        self._log({"event": "resume"})
        self.run.update_status("running", **self._facts())

    def _restore(self, checkpoint: Checkpoint) -> None:
        """Puts the trainer, the clock and the scores where the checkpoint was.

        Raises:
            ResumeError: its state or tensors are not those of this trainer.
        """
        state, where = checkpoint.state, f"{self.run.path}: checkpoint {checkpoint.images_seen}"
        advice = "; remove that checkpoint, or choose another --run."
        check_shape(_State, state, where, ResumeError, advice)
        for name, fresh in self.trainer.state().items():
            if name in state and not _is_alike(fresh, state[name]):
                raise ResumeError(f"{where}: '{name}' is damaged{advice}")
        try:
            self.trainer.restore(checkpoint.tensors, state)
        except ResumeError as error:
            raise ResumeError(f"{where}: {str(error).removesuffix('.')}{advice}") from None
        except (KeyError, TypeError) as error:  # a name that is missing, or one too many
            raise ResumeError(f"{where}: its state lacks or exceeds {error}{advice}") from None
        if self.trainer.images_seen != checkpoint.images_seen:
            raise ResumeError(f"{where}: its state is of {self.trainer.images_seen}{advice}")
        self.clock.before_s, self.scores = state["elapsed_s"], state["scores"]

    def _stopped(self) -> tuple[str, str]:
        self.checkpoint()
        reason = f"Stopped at {self.trainer.images_seen:,} {self.unit}; everything is saved."
        self.run.update_status(self.stop.status, reason=reason, **self._facts())
        return self.stop.status, reason

    def _finished(self) -> tuple[str, str]:
        self._finish()
        self._tell_stops()
        reason = (
            f"Done: {self._why_done} after {self.trainer.images_seen:,} {self.unit} "
            f"in {duration(self.clock.elapsed_s)}.{self._afterthought()}"
        )
        self.run.update_status("done", reason=reason, **self._facts())
        return "done", reason

    def _diverged(self, error: DivergedError) -> str:
        return f"Diverged at {self.trainer.images_seen:,} {self.unit}: {error} {self._kept()}"

    def _kept(self) -> str:
        checkpoint = load_checkpoint(self.run.path)
        kept = checkpoint.images_seen if checkpoint else 0
        return f"The checkpoint at {kept:,} {self.unit} is kept in {self.run.path}."

    def _facts(self) -> dict[str, Any]:
        return {
            "images_seen": self.trainer.images_seen,
            "seconds": self.clock.elapsed_s,
            "scores": self.scores,
        }

    def _keep_scores(self, scores: dict[str, float]) -> None:
        self.scores = scores
        self._log({"event": "score", **scores})

    @property
    @abstractmethod
    def _summary(self) -> str:
        """What was trained, a sentence."""

    def _card(self, scores: dict[str, Any]) -> dict[str, Any]:
        """What the README of the bundle tells."""
        budgets = self.run.budgets
        facts = {
            "title": self.run.path.name,
            "summary": self._summary,
            "command": "\n".join(filter(None, (each["command"] for each in budgets))),
            "seed": self.trainer.config.seed,
            f"{self.unit} seen": self.trainer.images_seen,
            "seconds": round(self.clock.elapsed_s, 1),
            "threads": self.run.provenance.get("threads"),
            "scores": scores,
        }
        return facts | ({"budgets": course(budgets, self.unit)} if len(budgets) > 1 else {})

    def _show(self, measured: dict[str, float]) -> None:
        """Moves the bar; time left and speed are those since this sitting or attempt began."""
        seen = self.trainer.images_seen
        left_s, speed = self.clock.pace(seen)
        pace = f"{duration(left_s)} left  {seen:,} {self.unit}  {speed:,.0f}/s"
        self.display.advance(min(self.clock.progress(seen), 1.0), pace, self._bar_words(measured))


def _is_alike(fresh: object, kept: object) -> bool:
    """Whether a value of a checkpoint has the type of a fresh trainer's; whole numbers are counts.

    A trainer has no state that is None.
    """
    if isinstance(fresh, dict) and isinstance(kept, dict):
        return all(_is_alike(fresh[name], kept[name]) for name in fresh.keys() & kept.keys())
    if isinstance(fresh, list) and isinstance(kept, list):  # of numbers, of any length
        return all(type(each) is float or (type(each) is int and each >= 0) for each in kept)
    if type(kept) is int and kept < 0:
        return False
    is_whole = type(fresh) is float and type(kept) is int  # both are numbers to JSON
    return is_whole or type(fresh) is type(kept)
