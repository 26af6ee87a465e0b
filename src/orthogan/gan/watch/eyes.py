"""The watch over the steps: its looks, its alarm, and what they have found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from orthogan.gan.objectives import Batch, DiscriminatorStep
from orthogan.gan.watch.alarm import Alarm, Finding
from orthogan.gan.watch.detectors import STEPS
from orthogan.gan.watch.judge_signs import STEPS_BETWEEN_QUESTIONS, JudgeSigns
from orthogan.gan.watch.signs import StepSigns
from orthogan.shapes import FakeImages, Images, Scalar, UnseenImages


class Eyes:
    """Looks at every eighth step, asks the discriminator every 64th.

    Args:
        signs: What the looks remember, as `StepSigns` takes it.
        answers: What the questions remember, as `JudgeSigns` takes it.
        alarm: The counts of the alarm, as `Alarm` takes them.
    """

    def __init__(
        self,
        signs: Mapping[str, Any] | None = None,
        answers: Mapping[str, Any] | None = None,
        alarm: Mapping[str, Any] | None = None,
    ) -> None:
        self._signs = StepSigns(**(signs or {}))
        self._answers = JudgeSigns(**(answers or {}))
        self.alarm = Alarm(STEPS, **(alarm or {}))
        self.latest: dict[str, float] = {}
        self._found: list[Finding] = []

    def look(
        self,
        steps: int,
        shown: Batch,
        judged: DiscriminatorStep,
        gradients: Mapping[str, Scalar],
        networks: Mapping[str, nn.Module],
    ) -> None:
        """Takes the signs of a step, and notes what they confirm."""
        self.latest = self._signs.look(shown.real, shown.fake, judged, gradients, networks)
        self._heed(steps, self.latest)

    def ask(
        self,
        steps: int,
        discriminator: nn.Module,
        real: Images,
        unseen: UnseenImages,
        fake: FakeImages,
    ) -> None:
        """Takes the answers of the discriminator; to be called without gradients."""
        answers = self._answers.look(discriminator, real, unseen, fake)
        self.latest |= answers
        self._heed(steps, answers)

    def _heed(self, steps: int, signs: Mapping[str, float]) -> None:
        self._found += self.alarm.update(signs, steps)

    def take_findings(self) -> list[Finding]:
        """What has been confirmed since this was last asked."""
        found, self._found = self._found, []
        return found

    @staticmethod
    def is_to_ask(steps: int) -> bool:
        """Whether the discriminator is due to be asked."""
        return steps % STEPS_BETWEEN_QUESTIONS == 0

    def state(self) -> dict[str, Any]:
        """The arguments that make the same again."""
        return {
            "signs": self._signs.state(),
            "answers": self._answers.state(),
            "alarm": self.alarm.state(),
        }
