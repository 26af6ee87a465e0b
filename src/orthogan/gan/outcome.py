"""What a finished training is told: is it done, what speaks for that, and what to type next."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orthogan.gan.config import TrainingConfig
from orthogan.gan.course import LEAST_GAIN, MORE_IMAGES, Course, Trend

AGAIN = 2.0  # times the images: the budget once more


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The verdict on a training.

    Attributes:
        kind: `still improving`, `converged`, `unsettled` or `too short to say`.
        sentence: The same with its evidence, a sentence.
    """

    kind: str
    sentence: str

    @property
    def may_improve(self) -> bool:
        """Whether more training is worth its time, as far as is known."""
        return self.kind != "converged"


def outcome(course: Course, unseen: bool) -> Outcome:
    """What the course of the distance says.

    Args:
        course: All readings.
        unseen: Whether they are distances to images that were held out.
    """
    to = "held-out images" if unseen else "the training images (none are held out)"
    trend = course.trend()
    if trend is None:
        count = len(course.readings)
        readings = "1 reading" if count == 1 else f"{count} readings"
        return Outcome(
            kind="too short to say",
            sentence=f"Whether more training would help, {readings} of the distance to {to} "
            "cannot say.",
        )
    if trend.is_flat:
        half = _gain(trend, MORE_IMAGES)
        return Outcome(
            kind="converged",
            sentence=f"Converged: by {trend.readings} readings of the distance to {to}, "
            f"{MORE_IMAGES - 1:.0%} more images would lower it by {half}.",
        )
    twice = _gain(trend, AGAIN)
    if trend.is_falling:
        return Outcome(
            kind="still improving",
            sentence=f"Still improving: by {trend.readings} readings of the distance to {to}, as "
            f"many images again would lower it by about {twice}.",
        )
    return Outcome(
        kind="unsettled",
        sentence=f"Unsettled: by {trend.readings} readings of the distance to {to}, as many images "
        f"again would lower it by {twice}; less than {LEAST_GAIN:.0%} would mean converged.",
    )


def next_words(
    path: Path, config: TrainingConfig, found: Outcome, images_say: str
) -> list[str | Path]:
    """The command that follows from a verdict, word by word.

    Args:
        path: The run.
        config: Its settings.
        found: What its course says.
        images_say: The verdict on its images; empty where there is none.
    """
    source = config.data.source
    is_repeatable = not source.startswith("memory")
    if images_say.startswith("Memorising") and is_repeatable:
        if config.augmentation.policy == "none":
            other = path.with_name(f"{path.name}-augmented")
            augmented = ["--set", "augmentation.policy=auto"]
            return ["orthogan", "train", source, "--run", other, *augmented]
        return ["orthogan", "evaluate", path]
    if images_say.startswith("Collapsed") and is_repeatable:
        rates = [
            f"{player}_optimizer.learning_rate={rate / 2:.4g}"
            for player, rate in (
                ("generator", config.generator_optimizer.learning_rate),
                ("discriminator", config.discriminator_optimizer.learning_rate),
            )
        ]
        gentler = [word for rate in rates for word in ("--set", rate)]
        other = path.with_name(f"{path.name}-gentler")
        return ["orthogan", "train", source, "--run", other, *gentler]
    is_usable = images_say.startswith("Usable")
    if found.kind == "still improving" or (images_say and not is_usable and found.may_improve):
        return ["orthogan", "train", "--run", path, *_twice(config)]
    if images_say and not is_usable:
        return ["orthogan", "evaluate", path]
    return ["orthogan", "sample", path]


def _gain(trend: Trend, more: float) -> str:
    low, mean, high = trend.gain(more)
    return f"{mean:.0%} (95%: {low:.0%} to {high:.0%})"


def _twice(config: TrainingConfig) -> list[str]:
    budget = config.budget
    if budget.images is not None:
        return ["--images", str(int(AGAIN * budget.images))]
    return ["--for", f"{AGAIN * (budget.seconds or 0.0):.0f}s"]
