"""The alarm: a sign that stays beyond its threshold becomes a finding, which is told once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orthogan.gan.watch.detectors import Detector


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What has just been confirmed.

    Attributes:
        detector: Whose threshold was passed.
        value: Of the sign, at the look that confirmed it.
    """

    detector: Detector
    value: float

    @property
    def sentence(self) -> str:
        """What it is, in plain words and without a full stop."""
        return f"{self.detector.name}: {self.detector.sentence.format(self.value)}"


class Alarm:
    """Counts, sign by sign, how many looks in a row were beyond the threshold.

    Args:
        detectors: What is looked for.
        looks: The counts so far, by the names of the signs.
    """

    def __init__(
        self, detectors: Sequence[Detector], looks: Mapping[str, int] | None = None
    ) -> None:
        self._detectors = detectors
        self.looks = {each.key: 0 for each in detectors} | dict(looks or {})

    def update(self, signs: Mapping[str, float], steps: int) -> list[Finding]:
        """Take one look into account; a finding for each sign that has just been confirmed.

        A finding is told again only after a look that did not show it. Signs that a look does not
        have, for want of tokens or of classes, leave their count as it is.

        Args:
            signs: Of the look, by their names.
            steps: That the run has made.
        """
        found = []
        for detector in self._detectors:
            value = signs.get(detector.sign)
            if value is None or steps <= detector.since:
                continue
            beyond = detector.is_beyond(value)
            self.looks[detector.key] = self.looks[detector.key] + 1 if beyond else 0
            if self.looks[detector.key] == detector.patience:
                found.append(Finding(detector=detector, value=value))
        return found

    @property
    def is_suspicious(self) -> bool:
        """Whether a latest look showed something that asks for action, confirmed or not."""
        return any(self.looks[each.key] for each in self._detectors if each.is_collapse)

    @property
    def lasting(self) -> list[Detector]:
        """What has been confirmed and not been seen to end."""
        return [each for each in self._detectors if self.looks[each.key] >= each.patience]

    def state(self) -> dict[str, Any]:
        """The counts, which make the same alarm again."""
        return {"looks": dict(self.looks)}
