"""One session of a training run: from where it stands to the end of its budget, or a stop."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

from orthogan.data import to_floats
from orthogan.errors import DivergedError
from orthogan.evaluation import LiveScore, Reading
from orthogan.evaluation.waiting import telling
from orthogan.files import write_atomic
from orthogan.gan.best import Best, better
from orthogan.gan.judgement import judged
from orthogan.gan.outcome import Outcome, next_words, outcome
from orthogan.gan.rollback import SickError
from orthogan.gan.trainer import Trainer
from orthogan.gan.watch.saturation import SUSPICIOUS_SPREAD, UNFOLDED_STEPS, spread
from orthogan.gan.watched_session import WatchedSession
from orthogan.images.encoding import png
from orthogan.images.grid import grid
from orthogan.models.bundle import save_bundle
from orthogan.networks import Generator
from orthogan.networks.sampling import sample_pixels
from orthogan.terminal import pasteable
from orthogan.training.checkpoint import (
    Checkpoint,
    load_checkpoint,
    newest_checkpoint,
    resume_from,
    taken_back,
)
from orthogan.training.duration import duration
from orthogan.training.health import CollapseError
from orthogan.training.progress import ProgressDisplay
from orthogan.training.run import resuming
from orthogan.training.run_folder import RunFolder, read_metrics
from orthogan.training.state_tensors import restore

GRID_SEEDS = range(64)
NUM_REAL = 256  # images that say how much real ones vary
# A score of stacked digits takes several seconds, so it waits until training has had its time.
MAX_SCORE_SHARE = 0.05
# Scores of one generator differ by less than a tenth from one set of images to the next.
PAST_ITS_BEST = 1.2
# Times as far from the training images as those from each other: planted, a set of one class only,
# and healthy sets (benchmarks/sick_runs.py).
FOREIGN = 5.0
FLAT_LOOKS = 2  # looks in a row at images that are all alike, before that is said of a done run


class GanSession(WatchedSession):
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
        super().__init__(trainer, run, display)
        self.score = score
        self.reading: Reading | None = None  # the latest
        self._measured_at = -1  # image count
        self._measure_s = 0.0  # what the latest score took
        self._variation = 1.0  # of the latest samples, as a fraction of that of real images
        self._verdict = ""  # on the images of the finished run
        self._chosen = ""  # which model was kept, where it is not the last

    def _add_to_course(self) -> None:
        if self.score is None or self.reading is None:
            return
        unseen = self.reading.unseen
        distance = self.reading.distance if unseen is None else unseen
        self.trainer.course.add(self.trainer.images_seen, distance)

    @property
    def _score_every_s(self) -> float:
        if self.config.budget.images is not None and self.config.score_every_s is None:
            return math.inf  # at milestones
        patient = max(super()._score_every_s, self._measure_s / MAX_SCORE_SHARE)
        return self.config.score_every_s or patient

    def _resume(self) -> None:
        super()._resume()
        gap = 1.0 if self.score is None else self.score.unseen_gap
        if gap > FOREIGN and not self.trainer.images_seen:
            found = (
                f"other held-out images: they lie {gap:.0f} times as far from the training images "
                "as those from each other, so what is learned cannot be what is held out"
            )
            self._log({"event": "finding", "reasons": [found]})
            self.display.note(f"{found[:1].upper()}{found[1:]} (docs/reliability.md).")

    def measure(self) -> None:
        """Score the averaged generator and write a sample grid."""
        started_s = self.clock.elapsed_s
        self._measured_at = self.trainer.images_seen
        pixels = sample_pixels(self.trainer.average, GRID_SEEDS)
        write_atomic(self.run.sample_path(self._measured_at), png(grid(pixels)))
        real = float(spread(self.trainer.real_images(NUM_REAL)))
        self._variation = float(spread(to_floats(pixels))) / real if real > 0 else 1.0
        if self.score is not None:
            self._read_score(self.score)
        self._measure_s = self.clock.elapsed_s - started_s

    def _read_score(self, score: LiveScore) -> None:
        reading = score.read(sample_pixels(self.trainer.average, range(score.num_fakes)))
        self.reading = reading
        distance = {score.name: reading.distance, "floor": score.floor}
        if reading.unseen is not None:
            distance["held-out distance"] = reading.unseen
        self._keep_scores(distance | _class_scores(reading, score.real))
        self.display.note(
            f"{duration(self.clock.elapsed_s):>12}  {self.trainer.images_seen:>9,} images  "
            f"{score.name} {reading.distance:.3g} (real images: {score.floor:.2g})"
            f"{_mode_words(self.scores)}"
        )

    def _finish(self) -> None:
        with self.stop.at_once():
            if self._measured_at != self.trainer.images_seen:
                self.measure()
        self._add_to_course()
        self.checkpoint()
        self._refuse_collapse()
        with self.stop.at_once():
            best = self._better_than_the_last()
            generator = self.trainer.average if best is None else best.generator
            self._judge(generator)
        card = self._card(self._card_scores())
        if best is not None:
            self._log({"event": "best", "reason": best.sentence, "kept": best.images})
            self._chosen = f" {best.sentence}"
            self.scores = best.scores(self.score) if self.score else self.scores
            card |= {f"{self.unit} seen": best.images, "scores": self._card_scores()}
        self._save_bundle(generator, card)

    def _better_than_the_last(self) -> Best | None:
        """The best model seen, if it is better than the last one; None: the last one is kept."""
        if self.score is None:
            return None
        return better(self.run.path, self.score, self.trainer.course, self.trainer.average)

    def _judge(self, generator: Generator) -> None:
        if self.trainer.watch.steps < UNFOLDED_STEPS:
            return
        found = judged(generator, self.trainer.images, telling(self.display.note))
        if found is not None:
            self._log({"event": "verdict", **found.to_dict()})
            self._verdict = found.verdict

    @property
    def outcome(self) -> Outcome | None:
        """What the course of the run says; None where nothing was scored."""
        if self.score is None or self.trainer.watch.steps < UNFOLDED_STEPS:
            return None
        return outcome(self.trainer.course, self.score.has_unseen)

    @property
    def next_words(self) -> list[str | Path] | None:
        """The command that follows from the verdict on a finished run."""
        found = self.outcome
        if found is None:
            return None
        return next_words(self.run.path, self.config, found, self._verdict)

    def _refuse_collapse(self) -> None:
        if self.trainer.watch.steps < UNFOLDED_STEPS or self._variation >= SUSPICIOUS_SPREAD:
            return
        raise CollapseError(
            "At the end of the budget the images are nearly all the same: they vary by "
            f"{self._variation:.1%} of what real ones do; lower the learning rates, raise "
            "penalty.gamma_start and penalty.gamma_end, or train longer."
        )

    def _diverged(self, error: DivergedError) -> str:
        """After a collapse the run goes back to where it was healthy, and can be sampled there."""
        has_collapsed = isinstance(error, CollapseError | SickError)
        if not has_collapsed and not self._is_suspicious:
            self._bundle_newest()
            return super()._diverged(error)
        healthy = self._go_back()
        if not has_collapsed and not healthy:
            return super()._diverged(error)
        seen, place = self.trainer.images_seen, pasteable([self.run.path])
        self._log({"event": "collapse", "healthy_checkpoint": healthy or None})
        verdict = f"{'Collapsed' if has_collapsed else 'Diverged'} at {seen:,} images: {error}"
        if not healthy:
            return (
                f"{verdict} No checkpoint was made before the first sign of it, so there is no "
                f"healthy one to sample or to go on from; those in {place} show it too."
            )
        return (
            f"{verdict} The checkpoint at {healthy:,} images, from before the first sign of it, is "
            f"kept: `orthogan sample {place}` draws from it, and "
            f"`{resuming(self.run.path, self.config)}` goes on from it."
        )

    def _go_back(self) -> int:
        """Makes the newest healthy checkpoint the run's latest and its bundle; 0 without one."""
        healthy = self._healthy or taken_back(self.run.path)
        if not healthy:
            return 0
        resume_from(self.run.path, healthy)
        checkpoint = newest_checkpoint(self.run.path)
        if checkpoint.images_seen > healthy:  # that one is damaged, and all before it
            return 0
        self._bundle_of(checkpoint)
        return checkpoint.images_seen

    def _bundle_newest(self) -> None:
        """Where numbers are not finite from one step to the next, the newest is healthy."""
        checkpoint = load_checkpoint(self.run.path)
        if checkpoint is not None and checkpoint.images_seen:
            self._bundle_of(checkpoint)

    def _bundle_of(self, checkpoint: Checkpoint) -> None:
        average = copy.deepcopy(self.trainer.average)
        restore(checkpoint.tensors, {"average": average}, {})
        course = {
            f"{self.unit} seen": checkpoint.images_seen,
            "seconds": round(checkpoint.state["elapsed_s"], 1),
        }
        self._save_bundle(average, self._card({}) | course)

    @property
    def _summary(self) -> str:
        return f"A generator trained by orthogan on {self.trainer.images.name}."

    def _save_bundle(self, generator: Generator, card: dict[str, Any]) -> None:
        described = self._description()
        save_bundle(self.run.bundle_path, tensors=generator.state_dict(), card=card, **described)

    def _description(self) -> dict[str, Any]:
        config, images = self.config, self.trainer.images
        data = {
            "source": config.data.source,
            "size": images.size,
            "colours": images.colours,
            "class_names": list(images.class_names),
            "condition": config.condition,
            "fingerprint": self.run.provenance["data_fingerprint"],
            **config.data.facts(),
        }
        return {"role": "generator", "network_config": config.generator.to_dict(), "data": data}

    def _afterthought(self) -> str:
        images_say = f" {self._verdict}" if self._verdict else ""
        course_says = f" {self.outcome.sentence}" if self.outcome else ""
        kept = self._chosen or self._past_its_best()
        return images_say + self._suspicion() + kept + course_says

    def _suspicion(self) -> str:
        """What speaks against the images where nothing has been decided."""
        alarm, watch = self.trainer.alarm, self.trainer.watch
        if self._variation < SUSPICIOUS_SPREAD:  # too early for a verdict
            return " Its images are still nearly all the same; a longer budget may end better."
        lasting = [each.sign for each in alarm.lasting]
        if not lasting and watch.flat_looks < FLAT_LOOKS:
            return ""
        signs = ", ".join(sign.replace("_", " ") for sign in lasting) or "one image only"
        healthy = self._healthy
        kept = f"the one at {healthy:,} images is" if healthy else "none is"
        return (
            f" Its latest looks show a collapse ({signs}); of its checkpoints {kept} from before."
        )

    def _past_its_best(self) -> str:
        """Whether the distance was clearly lower before the end, when, and where to look."""
        name = "" if self.score is None else self.score.name
        course = [
            (line[name], line["images_seen"])
            for line in read_metrics(self.run.metrics_path, self.display.note)
            if line.get("event") == "score" and _is_number(line.get(name))
        ]
        if not course or min(course)[0] * PAST_ITS_BEST > self.scores[name]:
            return ""
        best, seen = min(course)
        return (
            f" Its distance was lower before: {best:.3g} after {seen:,} images "
            f"({self.run.sample_path(seen)}), {self.scores[name]:.3g} now; "
            "a shorter budget may end better."
        )

    def _card_scores(self) -> dict[str, dict[str, float]]:
        """The live score, for the card; `orthogan evaluate` adds the others and intervals."""
        score = self.score
        if score is None or score.name not in self.scores:
            return {}
        row = {"value": self.scores[score.name], "floor": score.floor, "n": score.num_fakes}
        return {score.name: row}

    def _bar_words(self, measured: dict[str, float]) -> str:
        score = self.score
        losses = f"loss D {measured['discriminator_loss']:.3f} G {measured['generator_loss']:.3f}"
        facts = [losses, f"penalty {measured['penalty']:.2g}"]
        if score is not None and score.name in self.scores:
            facts.append(f"fd {self.scores[score.name]:.3g} (real images: {score.floor:.2g})")
        return "  ".join(facts)


def _is_number(value: object) -> bool:
    # What was not finite stands as null, and anybody may have added a line.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value)


def _class_scores(reading: Reading, real: Reading) -> dict[str, float]:
    """How the classes are met; of stacked digits also by as many real images."""
    if reading.modes is not None and reading.mode_kl is not None:
        return {
            "modes": reading.modes,
            "modes of real images": real.modes or 0.0,
            "mode-kl": reading.mode_kl,
            "mode-kl of real images": real.mode_kl or 0.0,
        }
    if not 0 < len(reading.class_shares) <= 10:
        return {}
    return {
        "least class share": min(reading.class_shares),
        "largest class share": max(reading.class_shares),
    }


def _mode_words(scores: dict[str, float]) -> str:
    if "modes" not in scores:
        return ""
    return (
        f"  modes {scores['modes']:.0f} ({scores['modes of real images']:.0f})"
        f"  KL {scores['mode-kl']:.3g} ({scores['mode-kl of real images']:.2g})"
    )
