"""Going back: a sick run returns to its last healthy checkpoint, with one thing changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orthogan.errors import DivergedError
from orthogan.gan.trainer import Trainer
from orthogan.gan.watch.alarm import Finding
from orthogan.gan.watch.detectors import Remedy
from orthogan.gan.watch.remedies import in_words
from orthogan.training.checkpoint import load_checkpoint
from orthogan.training.health import CollapseError


class SickError(DivergedError):
    """The watch has confirmed a finding that calls for another course."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(f"{finding.sentence[:1].upper()}{finding.sentence[1:]}.")
        self.finding = finding


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """What one rollback did.

    Attributes:
        left_at: Where the run fell ill, an image count.
        back_to: The healthy checkpoint that it goes on from.
        reason: What was found, a sentence.
        change: What is different from here on.
        number: Which rollback of the run this is, from 1.
        most: How many it may make.
    """

    left_at: int
    back_to: int
    reason: str
    change: str
    number: int
    most: int

    @property
    def sentence(self) -> str:
        """What happened and what is done, for people."""
        return (
            f"{self.reason} At {self.left_at:,} images the run goes back to the checkpoint at "
            f"{self.back_to:,} images and on with {self.change} (rollback {self.number} of at most "
            f"{self.most})."
        )


def go_back(run: Path, trainer: Trainer, error: DivergedError, back_to: int) -> Rollback | None:
    """Puts a trainer to a healthy checkpoint with one thing changed.

    None where no more may be made, or that checkpoint is gone.

    Args:
        run: Run folder.
        trainer: Is at the step that failed.
        error: What was found.
        back_to: The image count of a checkpoint that is healthy.
    """
    earlier, most = trainer.remedies, trainer.config.rollbacks
    if earlier.rollbacks >= most:
        return None
    checkpoint = load_checkpoint(run, until=back_to)
    if checkpoint is None or checkpoint.images_seen != back_to:
        return None
    left_at, remedy = trainer.images_seen, _remedy(trainer, error)
    trainer.restore(checkpoint.tensors, checkpoint.state)
    # Those of the run, and not of the checkpoint: a second try from one place has to be another.
    trainer.remedies = earlier.with_another(remedy)
    if remedy == "generator" or remedy == "discriminator":
        trainer.renew(remedy)
    return Rollback(
        left_at=left_at,
        back_to=back_to,
        reason=str(error),
        change=in_words(remedy),
        number=trainer.remedies.rollbacks,
        most=most,
    )


def _remedy(trainer: Trainer, error: DivergedError) -> Remedy:
    wanted: Remedy | None = "penalty" if isinstance(error, CollapseError) else None
    if isinstance(error, SickError):
        wanted = error.finding.detector.remedy
    if wanted == "penalty" and not trainer.config.penalty.gamma_end:
        return "rate"  # twice nothing is nothing
    return wanted or "rate"
