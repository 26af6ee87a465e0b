"""One sitting of a training run: from where it stands to the end of its budget, or a stop."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from orthogan.bundle import save_bundle
from orthogan.errors import DivergedError
from orthogan.evaluation import LiveScore
from orthogan.files import write_atomic
from orthogan.grid import grid, png
from orthogan.networks.sampling import sample_pixels
from orthogan.training.checkpoint import load_checkpoint, save_checkpoint
from orthogan.training.config import BudgetConfig
from orthogan.training.progress import ProgressDisplay, duration
from orthogan.training.run_folder import RunFolder
from orthogan.training.stop_signals import StopSignals
from orthogan.training.trainer import StepRecord, Trainer

GRID_SEEDS = range(64)
METRICS_EVERY_S = 1.0
SHOW_EVERY_S = 0.25
# A score costs about half a second: 20 of them are a few per cent of a short run.
SCORES_A_RUN = 20
MIN_SCORE_EVERY_S = 10.0
# A pair that saturates within so many steps has learnt nothing that starting again would lose.
START_STEPS = 1000


@dataclass
class Clock:
    """When things are due; `elapsed_s` counts all sittings of the run."""

    budget: BudgetConfig
    before_s: float = 0.0
    started: float = field(default_factory=time.perf_counter)
    due: dict[str, float] = field(default_factory=dict)
    _mark: tuple[float, float, int] = (0.0, 0.0, 0)

    @property
    def elapsed_s(self) -> float:
        """Seconds spent on the run so far."""
        return self.before_s + time.perf_counter() - self.started

    def progress(self, images_seen: int) -> float:
        """Share of the budget that is used up; 1 or more means done."""
        if self.budget.images is not None:
            return images_seen / self.budget.images
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

    def is_due(self, name: str, every_s: float) -> bool:
        """True once every `every_s` seconds; the first time after that long."""
        now = time.perf_counter()
        if now < self.due.setdefault(name, self.started + every_s):
            return False
        self.due[name] = now + every_s
        return True


class Session:
    """Drives a trainer: checkpoints, scores, sample grids, the watch, and why it stopped.

    Args:
        trainer: What is trained.
        run: Where it is written down.
        display: What a person sees.
        score: Live score; None if the images are too few for one.
    """

    def __init__(
        self, trainer: Trainer, run: RunFolder, display: ProgressDisplay, score: LiveScore | None
    ) -> None:
        self.trainer, self.run, self.display, self.score = trainer, run, display, score
        self.config = trainer.config
        self.clock = Clock(self.config.budget)
        self.scores: dict[str, float] = {}
        self._measured_at = -1  # image count
        self.stop = StopSignals()

    def train(self) -> tuple[str, str]:
        """Train until the budget ends or somebody stops it; returns (status, reason).

        Raises:
            DivergedError: a step was not finite, or every start saturated; the last healthy
                checkpoint is kept and named.
            StorageError: the disk is full; the earlier checkpoints are intact.
        """
        try:
            with self.stop.noted():
                self._resume()
                with self.display:
                    self._loop()
                return self._stopped() if self.stop.received else self._finish()
        except DivergedError as error:
            reason = self._diverged(error)
            self.run.update_status("diverged", reason=reason, **self._facts())
            raise DivergedError(reason) from None

    def _resume(self) -> None:
        checkpoint = load_checkpoint(self.run.path)
        if checkpoint is None:
            self.run.update_status("running", **self._facts())
            self.checkpoint()
            return
        self.trainer.restore(checkpoint.tensors, checkpoint.state)
        self.clock.before_s = checkpoint.state["elapsed_s"]
        self.scores = checkpoint.state["scores"]
        if checkpoint.note:
            self.display.note(checkpoint.note)
        self.display.note(f"Resuming from {checkpoint.images_seen:,} images.")
        self._log({"event": "resume"})
        self.run.update_status("running", **self._facts())

    def _loop(self) -> None:
        config, trainer, clock = self.config, self.trainer, self.clock
        score_every = config.score_every_s or max(
            MIN_SCORE_EVERY_S, (config.budget.seconds or 0.0) / SCORES_A_RUN
        )
        clock.mark(trainer.images_seen)
        while (progress := clock.progress(trainer.images_seen)) < 1 and not self.stop.received:
            record = trainer.step(progress)
            if trainer.watch.is_saturated:
                self._escape()
                continue
            if clock.is_due("metrics", METRICS_EVERY_S):
                self._log({"event": "step", **record.numbers()})
            if clock.is_due("show", SHOW_EVERY_S):
                self._show(record)
            if clock.is_due("score", score_every):
                self.measure()
            if clock.is_due("checkpoint", config.checkpoint_every_s):
                self.checkpoint()

    def _escape(self) -> None:
        trainer, why = self.trainer, self.trainer.watch.verdict
        found = why[:1].upper() + why[1:]
        if trainer.watch.steps > START_STEPS:
            raise DivergedError(
                f"{found}, long after the start; "
                "lower the learning rates or raise penalty.gamma_end."
            )
        if trainer.attempt >= self.config.escape_attempts:
            raise DivergedError(
                f"{found} at the start, in each of {trainer.attempt + 1} attempts; "
                "lower the learning rates or raise penalty.gamma_start."
            )
        seen = trainer.images_seen
        trainer.escape()
        self._log({"event": "escape", "abandoned_at": seen, "reason": why})
        self.display.note(
            f"Dead start at {seen:,} images: {why}. Starting again "
            f"(attempt {trainer.attempt + 1}) with half the step size and twice the penalty."
        )
        self.checkpoint()
        self.clock.mark(trainer.images_seen)

    def measure(self) -> None:
        """Score the averaged generator and write a sample grid."""
        seen = self._measured_at = self.trainer.images_seen
        picture = png(grid(sample_pixels(self.trainer.average, GRID_SEEDS)))
        write_atomic(self.run.sample_path(seen), picture)
        if self.score is None:
            return
        fakes = sample_pixels(self.trainer.average, range(self.score.num_fakes))
        reading = self.score.read(fakes)
        self.scores = {self.score.name: reading.distance, "floor": self.score.floor}
        if len(reading.class_shares) <= 10:
            self.scores |= {
                "least class share": min(reading.class_shares),
                "largest class share": max(reading.class_shares),
            }
        self._log({"event": "score", **self.scores})
        self.display.note(
            f"{duration(self.clock.elapsed_s):>12}  {seen:>9,} images  "
            f"{self.score.name} {reading.distance:.3g} (real images: {self.score.floor:.2g})"
        )

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
        save_checkpoint(self.run.path, trainer.images_seen, tensors, state)
        self.run.update_status("running", **self._facts())

    def _stopped(self) -> tuple[str, str]:
        self.checkpoint()
        name = self.stop.status
        reason = f"Stopped at {self.trainer.images_seen:,} images; everything is saved."
        self.run.update_status(name, reason=reason, **self._facts())
        return name, reason

    def _finish(self) -> tuple[str, str]:
        if self._measured_at != self.trainer.images_seen:
            self.measure()
        self.checkpoint()
        config, images = self.config, self.trainer.images
        save_bundle(
            self.run.bundle_path,
            generator_config=config.generator.to_dict(),
            tensors=self.trainer.average.state_dict(),
            data={
                "source": config.data.source,
                "size": images.size,
                "colours": images.colours,
                "class_names": list(images.class_names),
                "fingerprint": self.run.provenance["data_fingerprint"],
            },
            card={
                "title": self.run.path.name,
                "summary": f"A generator trained by orthogan on {images.name}.",
                "command": self.run.provenance["command"],
                "seed": config.seed,
                "images seen": self.trainer.images_seen,
                "seconds": round(self.clock.elapsed_s, 1),
                "threads": self.run.provenance["threads"],
                "scores": self._card_scores(),
            },
        )
        reason = (
            f"Done: the budget is used up after {self.trainer.images_seen:,} images "
            f"in {duration(self.clock.elapsed_s)}."
        )
        self.run.update_status("done", reason=reason, **self._facts())
        return "done", reason

    def _card_scores(self) -> dict[str, dict[str, float]]:
        """The live score, for the card; `orthogan evaluate` adds the others and intervals."""
        score = self.score
        if score is None or score.name not in self.scores:
            return {}
        row = {"value": self.scores[score.name], "floor": score.floor, "n": score.num_fakes}
        return {score.name: row}

    def _diverged(self, error: DivergedError) -> str:
        checkpoint = load_checkpoint(self.run.path)
        kept = checkpoint.images_seen if checkpoint else 0
        return (
            f"Diverged at {self.trainer.images_seen:,} images: {error} "
            f"The checkpoint at {kept:,} images is kept in {self.run.path}."
        )

    def _facts(self) -> dict[str, Any]:
        return {
            "images_seen": self.trainer.images_seen,
            "seconds": self.clock.elapsed_s,
            "scores": self.scores,
        }

    def _log(self, record: dict[str, Any]) -> None:
        trainer = self.trainer
        place = {"images_seen": trainer.images_seen, "attempt": trainer.attempt}
        self.run.append_metrics(place | {"elapsed_s": self.clock.elapsed_s} | record)

    def _show(self, record: StepRecord) -> None:
        seen = self.trainer.images_seen
        left_s, speed = self.clock.pace(seen)
        pace = f"{duration(left_s)} left  {seen:,} images  {speed:,.0f}/s"
        self.display.advance(min(self.clock.progress(seen), 1.0), pace, self._numbers(record))

    def _numbers(self, record: StepRecord) -> str:
        now, score = record.numbers(), self.score
        losses = f"loss D {now['discriminator_loss']:.3f} G {now['generator_loss']:.3f}"
        facts = [losses, f"penalty {now['penalty']:.2g}"]
        if score is not None and score.name in self.scores:
            facts.append(f"fd {self.scores[score.name]:.3g} (real images: {score.floor:.2g})")
        return "  ".join(facts)
