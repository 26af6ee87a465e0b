"""A session that heeds the watch: looks, findings, milestones, going back, starting again."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from orthogan.errors import DivergedError
from orthogan.gan.config import TrainingConfig
from orthogan.gan.rollback import SickError, go_back
from orthogan.gan.signals import Signals
from orthogan.gan.step_record import StepRecord
from orthogan.gan.trainer import Trainer
from orthogan.gan.watch.alarm import Finding
from orthogan.gan.watch.geometry_signs import geometry_signs
from orthogan.gan.watch.saturation import UNFOLDED_STEPS
from orthogan.training.checkpoint import Checkpoint, set_aside
from orthogan.training.health import CollapseError
from orthogan.training.progress import ProgressDisplay
from orthogan.training.run_folder import RunFolder
from orthogan.training.session import Session

# A pair that saturates within so many steps has learnt nothing that starting again would lose.
START_STEPS = 1000
# A run of so many images is measured, and can be gone back to, at image counts and not by the
# clock: every twentieth of its budget, but not so often that a score of a second or two is felt.
MILESTONES_A_RUN = 20
# A run that ends when it has converged may end early: readings are closer there.
MILESTONES_UNTIL_CONVERGED = 100
LEAST_MILESTONE = 8192


class WatchedSession(Session[Trainer]):
    """Drives a trainer, and leaves a course on which it falls ill.

    Args:
        trainer: What is trained.
        run: Where it is written down.
        display: What a person sees.
    """

    def __init__(self, trainer: Trainer, run: RunFolder, display: ProgressDisplay) -> None:
        super().__init__(trainer, trainer.config.budget, run, display)
        self.config: TrainingConfig = trainer.config
        self._signals = (
            None
            if self.config.signals_every is None
            else Signals(self.config, trainer.images, trainer.precision)
        )
        self._before = 0  # images seen before the latest step
        self._is_at_milestone = False  # which has not been measured to the end

    def _place(self) -> dict[str, Any]:
        return super()._place() | {"attempt": self.trainer.attempt}

    def _turn(self, progress: float) -> None:
        try:
            super()._turn(progress)
        except DivergedError as error:
            self._go_back_or_give_up(error)

    def _step(self, progress: float) -> StepRecord | None:
        before = self._before = self.trainer.images_seen
        parts = self.trainer.backend.parts
        with self.ranks.step(self.trainer, progress):
            record = self.trainer.step(progress)
        if self.trainer.backend.parts > parts:
            self._tell_parts()
        if self.trainer.watch.is_saturated:
            self._restart_or_stop()
            return None
        self._heed(self.trainer.eyes.take_findings(), "finding")
        self._measure_geometry_if_due(before)
        return record

    def _tell_parts(self) -> None:
        reason = (
            f"Out of memory at {self.trainer.images_seen:,} images: from here on each step is "
            f"computed in {self.trainer.backend.parts} parts, with the same numbers to rounding."
        )
        self._log({"event": "memory", "reason": reason})
        self.display.note(reason)

    def _heed(self, found: list[Finding], event: str) -> None:
        """Tells what the watch has confirmed, and leaves the course where that is called for.

        Raises:
            SickError: one of them is to be acted upon.
        """
        if not found:
            return
        self._log({"event": event, "reasons": [each.sentence for each in found]})
        for each in found:
            told = each.sentence[:1].upper() + each.sentence[1:]
            page = "geometry" if event == "alarm" else "reliability"
            seen = self.trainer.images_seen
            self.display.note(f"{told}, at {seen:,} images (docs/{page}.md).")
        grave = [each for each in found if each.detector.remedy is not None]
        is_early = self.trainer.watch.steps <= UNFOLDED_STEPS  # all images are alike at first
        if grave and self.config.rollbacks and not is_early:
            raise SickError(grave[0])

    def _go_back_or_give_up(self, error: DivergedError) -> None:
        """On from the last healthy checkpoint with one thing changed, or not at all.

        Raises:
            DivergedError: the one given; as many rollbacks were made as may be.
        """
        trainer, healthy = self.trainer, self._milestone
        may_start_again = trainer.attempt < self.config.escape_attempts
        if not healthy and self.config.rollbacks and may_start_again:
            self._start_again(str(error).rstrip("."))
            return
        done = go_back(self.run.path, trainer, error, healthy) if healthy else None
        if done is None:
            raise error
        self._log(
            {
                "event": "rollback",
                "left_at": done.left_at,
                "reason": done.reason,
                "change": done.change,
                "number": done.number,
                "most": done.most,
            }
        )
        self.display.note(done.sentence)
        self.checkpoint()
        self.clock.mark(trainer.images_seen)

    @property
    def _milestone(self) -> int:
        """Where a run goes back to; 0: nowhere but to its start.

        Where the budget is images, that must not depend on the clock, by which most checkpoints
        are made: a run that was killed and went on would end with other weights.
        """
        trainer = self.trainer
        if self.config.budget.images is None:
            return self._healthy
        suspicious = trainer.alarm.is_suspicious
        return trainer.health.milestone(geometry_is_suspicious=suspicious)

    @property
    def _milestones_a_run(self) -> int:
        ends_early = self.config.until == "converged"
        return MILESTONES_UNTIL_CONVERGED if ends_early else MILESTONES_A_RUN

    @property
    def _scores_a_run(self) -> int:
        return self._milestones_a_run

    @property
    def _why_done(self) -> str:
        has_converged = self.trainer.ending.has_begun(self._limit)
        return "it has converged" if has_converged else super()._why_done

    @property
    def _progress(self) -> float:
        return self.trainer.ending.progress(super()._progress, self._limit)

    @property
    def _limit(self) -> float:
        """The budget, in images or seconds."""
        return float(self.config.budget.images or self.config.budget.seconds or 1.0)

    def _end_if_settled(self) -> None:
        """Brings the schedules to their end where more training would bring next to nothing."""
        trainer = self.trainer
        if self.config.until != "converged" or trainer.ending.has_begun(self._limit):
            return
        if trainer.course.is_settled:
            trainer.ending.begin(self.clock.progress(trainer.images_seen), self._limit)
            reason = (
                f"Converged at {trainer.images_seen:,} images: more of them would no longer lower "
                "the distance to held-out images. The schedules are brought to their end."
            )
            self._log({"event": "ending", "reason": reason})
            self.display.note(reason)

    def _measure_by_count(self) -> None:
        budget, seen = self.config.budget.images, self.trainer.images_seen
        every = max((budget or 0) // self._milestones_a_run, LEAST_MILESTONE)
        if budget is None or self._before // every == seen // every or seen >= budget:
            return
        self._reach_milestone()

    def _measure_by_the_clock(self) -> None:
        if self.config.budget.images is None:
            self._reach_milestone()
        else:  # asked for beside the milestones, and no part of what decides
            super()._measure_by_the_clock()

    def _reach_milestone(self) -> None:
        """A score that decides, and a checkpoint to go back to."""
        self._is_at_milestone = True
        with self.stop.at_once():
            self.measure()
        self._add_to_course()
        self._end_if_settled()
        self.trainer.health.keep_milestone(self.trainer.images_seen)
        self._is_at_milestone = False
        self.checkpoint()

    def _loop(self) -> None:
        if self._is_at_milestone:  # the session before was stopped in the middle of it
            self._reach_milestone()
        super()._loop()

    def _stopped(self) -> tuple[str, str]:
        try:
            return super()._stopped()
        except DivergedError as error:  # it fell ill in the very step after which it was stopped
            self._go_back_or_give_up(error)
            return super()._stopped()

    def _extra_state(self) -> dict[str, Any]:
        return {"at_milestone": True} if self._is_at_milestone else {}

    def _restore(self, checkpoint: Checkpoint) -> None:
        super()._restore(checkpoint)
        self._is_at_milestone = checkpoint.state.get("at_milestone") is True

    @abstractmethod
    def _add_to_course(self) -> None:
        """Takes the latest score into the course, by which the run is judged."""

    def _restart_or_stop(self) -> None:
        trainer, why = self.trainer, self.trainer.watch.verdict
        found = why[:1].upper() + why[1:]
        if trainer.watch.steps > START_STEPS:
            raise CollapseError(
                f"{found}, long after the start; "
                "lower the learning rates or raise penalty.gamma_end."
            )
        if trainer.attempt >= self.config.escape_attempts:
            raise CollapseError(
                f"{found} at the start, in each of {trainer.attempt + 1} attempts; "
                "lower the learning rates or raise penalty.gamma_start."
            )
        self._start_again(why)

    def _start_again(self, why: str) -> None:
        trainer = self.trainer
        seen = trainer.images_seen
        set_aside(self.run.path, self._healthy)
        trainer.restart()
        self._log({"event": "escape", "abandoned_at": seen, "reason": why})
        self.display.note(
            f"Failed start at {seen:,} images: {why}. Starting again "
            f"(attempt {trainer.attempt + 1}) with half the step size and twice the penalty."
        )
        self.checkpoint()
        self.clock.mark(trainer.images_seen)

    def _measure_geometry_if_due(self, before: int) -> None:
        """A look at the geometry where the step has passed a multiple of `signals_every`.

        By images and not by the clock, so that a resumed run looks where the whole one did.
        """
        trainer, every = self.trainer, self.config.signals_every or 1
        if self._signals is None or before // every == trainer.images_seen // every:
            return
        look = self._signals.measure(trainer.generator, trainer.discriminator)
        self._log({"event": "geometry", "geometry": look})
        found = trainer.alarm.update(geometry_signs(look), trainer.watch.steps)
        if "unreadable" not in look and not trainer.alarm.is_suspicious:
            trainer.health.geometry = trainer.images_seen
        self._heed(found, "alarm")

    @property
    def _is_suspicious(self) -> bool:
        return self.trainer.is_suspicious or self.trainer.alarm.is_suspicious

    @property
    def _healthy(self) -> int:
        """The image count of the newest checkpoint that is surely healthy; 0 without one."""
        trainer = self.trainer
        return trainer.health.checkpoint(
            self.run.path, geometry_is_suspicious=trainer.alarm.is_suspicious
        )

    def _healthy_before(self) -> int | None:
        is_early = self.trainer.watch.steps < UNFOLDED_STEPS  # all images are alike at first
        return self._healthy if self._is_suspicious and not is_early else None

    def _spared(self) -> tuple[int, ...]:
        best = self.trainer.course.best
        return (*self.trainer.health.marks(), *([best.images] if best else []))
