"""What the watch looks for: one row a failure, with the threshold that planted failures gave it.

The thresholds of steps are learned by `benchmarks/sick_runs.py learn`, whose result a test
compares with this table. Those of the geometry are on a scale from 0, as healthy as real images or
as chance, to 1, complete, which the run itself calibrates: by the variation of its real images, or
by the share that tokens without any structure would have. A planted collapse reads 1; recipes with
a penalty stay below 0.5 from the 16th step on (docs/geometry.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from orthogan.gan.watch.saturation import UNFOLDED_STEPS

# What is changed when a run goes back: half the step size, twice the penalty, or the weights of
# one player anew.
Player: TypeAlias = Literal["generator", "discriminator"]
Remedy: TypeAlias = Literal["rate", "penalty", "generator", "discriminator"]

# Nine tenths of the way: far from every healthy reading, and earlier than the watch over the
# start, which asks for 98 % of the variation to be gone.
GEOMETRY_THRESHOLD = 0.9
# One look may fall on a bad moment of a run that recovers.
GEOMETRY_PATIENCE = 2


@dataclass(frozen=True, kw_only=True)
class Detector:
    """One row: when a sign is a finding, what it is called, and what is done about it.

    Attributes:
        name: Of the failure, for people.
        sign: The number that is looked at.
        threshold: Beyond which it counts.
        patience: Looks in a row that make a finding.
        sentence: What the value means; the value stands in the braces.
        is_below: Whether lower values are the bad ones.
        remedy: What is changed when the run goes back; None: it is told, and the run goes on.
        since: Steps before which it does not count.
        is_collapse: Whether a first look beyond the threshold already makes the checkpoints since
            doubtful.
    """

    name: str
    sign: str
    threshold: float
    patience: int
    sentence: str
    is_below: bool = False
    remedy: Remedy | None = None
    since: int = UNFOLDED_STEPS  # all images are alike at first
    is_collapse: bool = True

    @property
    def key(self) -> str:
        """The sign, and its direction where that is downwards and the sign has two."""
        return f"{self.sign}_low" if self.is_below else self.sign

    def is_beyond(self, value: float) -> bool:
        """Whether a value is on the bad side; one that is no number is on none."""
        return value < self.threshold if self.is_below else value > self.threshold


GEOMETRY: tuple[Detector, ...] = (
    Detector(
        name="mode collapse",
        sign="mode_collapse",
        threshold=GEOMETRY_THRESHOLD,
        patience=GEOMETRY_PATIENCE,
        since=0,
        sentence="the generated images have lost {:.0%} of the variation of real ones",
        remedy="penalty",
    ),
    Detector(
        name="rank collapse",
        sign="generator_rank_collapse",
        threshold=GEOMETRY_THRESHOLD,
        patience=GEOMETRY_PATIENCE,
        since=0,
        sentence="the generator's tokens of an image are {:.0%} of the way to being all alike",
    ),
    Detector(
        name="rank collapse",
        sign="discriminator_rank_collapse",
        threshold=GEOMETRY_THRESHOLD,
        patience=GEOMETRY_PATIENCE,
        since=0,
        sentence="the discriminator's tokens of a real image are {:.0%} of the way to being all "
        "alike",
    ),
)

STEP_PATIENCE = 3  # looks in a row, of one in eight steps
QUESTION_PATIENCE = 2  # of one in 64 steps
# A weight that training reaches moves by more than this share of all, however small its rate.
STILL = 1e-12

STEPS: tuple[Detector, ...] = (
    Detector(
        name="divergence",
        sign="roughness",
        threshold=6.0,
        patience=STEP_PATIENCE,
        sentence="neighbouring pixels of generated images differ {:.1f} times as much as in real "
        "ones, as in noise",
        remedy="rate",
    ),
    Detector(
        name="divergence",
        sign="discriminator_gradient",
        threshold=1.3,
        patience=STEP_PATIENCE,
        sentence="the discriminator's gradient has a norm of 10^{:.1f}",
        remedy="rate",
    ),
    Detector(
        name="divergence",
        sign="generator_gradient",
        threshold=2.0,
        patience=STEP_PATIENCE,
        sentence="the generator's gradient has a norm of 10^{:.1f}",
        remedy="rate",
    ),
    Detector(
        name="dead generator",
        sign="generator_gradient",
        threshold=-4.0,
        is_below=True,
        patience=STEP_PATIENCE,
        sentence="no gradient reaches it, whose norm is 10^{:.1f}",
        remedy="generator",
    ),
    Detector(
        name="dead discriminator",
        sign="discriminator_gradient",
        threshold=-4.0,
        is_below=True,
        patience=STEP_PATIENCE,
        sentence="no gradient reaches it, whose norm is 10^{:.1f}",
        remedy="discriminator",
    ),
    Detector(
        name="frozen generator",
        sign="generator_moved",
        threshold=STILL,
        is_below=True,
        patience=STEP_PATIENCE,
        sentence="its weights have not changed from look to look",
        remedy="generator",
    ),
    Detector(
        name="frozen discriminator",
        sign="discriminator_moved",
        threshold=STILL,
        is_below=True,
        patience=STEP_PATIENCE,
        sentence="its weights have not changed from look to look",
        remedy="discriminator",
    ),
    Detector(
        name="fooled discriminator",
        sign="win",
        threshold=0.27,
        is_below=True,
        patience=STEP_PATIENCE,
        sentence="it takes fakes for more real than real images, and tells {:.0%} of the pairs",
        remedy="rate",
    ),
    Detector(
        name="the discriminator has won",
        sign="win",
        threshold=0.98,
        patience=STEP_PATIENCE,
        sentence="it tells {:.0%} of the pairs, which leaves the generator nothing to learn from",
        remedy="penalty",
    ),
    Detector(
        name="mode collapse",
        sign="spread",
        threshold=0.05,
        is_below=True,
        patience=STEP_PATIENCE,
        sentence="the images of a batch vary by {:.1%} of what real ones do",
        remedy="penalty",
    ),
    Detector(
        name="dimension collapse",
        sign="dimension",
        threshold=0.1,
        is_below=True,
        patience=STEP_PATIENCE,
        sentence="the images of a batch fill {:.0%} of the directions that real ones do",
        remedy="penalty",
    ),
    Detector(
        name="change of the data",
        sign="data_drift",
        threshold=4.0,
        patience=STEP_PATIENCE,
        sentence="the mean training image of a batch lies {:.0f} times as far from the earlier "
        "ones as they vary; the data may have changed under way",
        is_collapse=False,
    ),
    Detector(
        name="overfitting discriminator",
        sign="overfitting",
        threshold=0.45,
        patience=QUESTION_PATIENCE,
        sentence="it finds images that it was not trained on {:.0%} of the way from training "
        "images to fakes",
        is_collapse=False,
    ),
)
