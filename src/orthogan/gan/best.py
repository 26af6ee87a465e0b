"""The best model that a run has seen, where that is not the last one."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

from orthogan.errors import ResumeError
from orthogan.evaluation import LiveScore, Reading
from orthogan.gan.course import Course
from orthogan.networks import Generator
from orthogan.networks.sampling import sample_pixels
from orthogan.training.checkpoint import load_checkpoint
from orthogan.training.state_tensors import restore

# The least of many readings is low by luck as well. So both models are read again, on images that
# no reading has looked at, and the earlier one has to be better by more than such readings differ.
FIRST_SEED = 20_000_000
LEAST_BETTER = 0.05


@dataclass(frozen=True, kw_only=True)
class Best:
    """An earlier model that is better than the last one.

    Attributes:
        generator: It, averaged.
        images: How many it had seen.
        reading: Its score on the images of all live scores.
        sentence: That it is kept, and why.
    """

    generator: Generator
    images: int
    reading: Reading
    sentence: str

    def scores(self, score: LiveScore) -> dict[str, float]:
        """Its live scores, as those of the last model would stand in `run.json`."""
        found = {score.name: self.reading.distance, "floor": score.floor}
        unseen = self.reading.unseen
        return found if unseen is None else found | {"held-out distance": unseen}


def better(run: Path, score: LiveScore, course: Course, last: Generator) -> Best | None:
    """The model of the best reading, if it is better than the last on fresh images; else None.

    Args:
        run: Run folder, which has a checkpoint at the best reading.
        score: Reads both.
        course: All readings.
        last: The averaged generator at the end.
    """
    found = course.best
    if found is None or found.distance >= course.readings[-1].distance * (1 - LEAST_BETTER):
        return None
    try:
        checkpoint = load_checkpoint(run, until=found.images)
    except ResumeError:  # damaged: the last one is at hand
        return None
    if checkpoint is None or checkpoint.images_seen != found.images:
        return None
    generator = copy.deepcopy(last)
    restore(checkpoint.tensors, {"average": generator}, {})
    fresh = range(FIRST_SEED, FIRST_SEED + score.num_fakes)
    earlier, later = (
        _decisive(score.read(sample_pixels(each, fresh))) for each in (generator, last)
    )
    if earlier >= later * (1 - LEAST_BETTER):
        return None
    to = "held-out images" if score.has_unseen else "real ones"
    return Best(
        generator=generator,
        images=found.images,
        reading=score.read(sample_pixels(generator, range(score.num_fakes))),
        sentence=f"The model kept is that of {found.images:,} images and not the last: on fresh "
        f"images its distance to {to} is {earlier:.3g}, and {later:.3g} at the end.",
    )


def _decisive(reading: Reading) -> float:
    return reading.distance if reading.unseen is None else reading.unseen
