"""Budgets of a run: in words, whether one is used up, and the history in `run.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orthogan.errors import ResumeError
from orthogan.training.duration import duration

BUDGET = "budget"  # the part of the settings, and the only one that a run may change
HISTORY = "budgets"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How far a run has come.

    Attributes:
        num_seen: Images shown; of a language model, tokens.
        seconds: Of training.
    """

    num_seen: int
    seconds: float

    def progress(self, budget: Mapping[str, Any]) -> float:
        """Fraction of a budget that is used up; 1 or more: all of it.

        >>> Standing(num_seen=320, seconds=2.0).progress({"seconds": None, "images": 640})
        0.5
        """
        unit, amount = _limit(budget)
        return (self.seconds if unit == "seconds" else self.num_seen) / float(amount)


def in_words(budget: Mapping[str, Any]) -> str:
    """A budget for people.

    >>> in_words({"seconds": 300.0, "images": None}), in_words({"seconds": None, "tokens": 6400})
    ('5 min 0 s', '6,400 tokens')
    """
    unit, amount = _limit(budget)
    return duration(amount) if unit == "seconds" else f"{amount:,} {unit}"


def entry(budget: Mapping[str, Any], standing: Standing, when: str, command: str) -> dict[str, Any]:
    """A row of the history: the budget that holds from here on, since when, and what asked for it.

    Args:
        budget: As in the settings.
        standing: Where the run stood.
        when: Time in UTC, ISO 8601.
        command: As it was typed; empty for one from Python.
    """
    return {
        "when": when,
        "budget": dict(budget),
        "images_seen": standing.num_seen,
        "seconds": standing.seconds,
        "command": command,
    }


def course(history: Sequence[Mapping[str, Any]], unit: str) -> str:
    """The budgets of a run for its card.

    >>> start, on = Standing(num_seen=0, seconds=0.0), Standing(num_seen=320, seconds=2.0)
    >>> course([entry({"images": 320}, start, "", ""), entry({"images": 640}, on, "", "")],
    ...     "images")
    '320 images; from 320 images on 640 images'
    """
    first, *later = history
    rows = [f"from {row['images_seen']:,} {unit} on {in_words(row['budget'])}" for row in later]
    return "; ".join([in_words(first["budget"]), *rows])


def refuse_used_up(path: Path, budget: Mapping[str, Any], standing: Standing) -> None:
    """Checks that a new budget of a run leaves something to do.

    Raises:
        ResumeError: the run has used as much already.
    """
    if standing.progress(budget) < 1:
        return
    unit, amount = _limit(budget)
    counted = unit != "seconds"
    done = f"{standing.num_seen:,} {unit}" if counted else f"{standing.seconds:.1f} s"
    asked = f"{amount:,} {unit}" if counted else f"{amount:.10g} s"
    raise ResumeError(
        f"{path} has trained for {done} already, so a budget of {asked} is used up; give a longer "
        "one, leave it out to keep the run's own, or choose another --run."
    )


def replanned(
    path: Path, before: Mapping[str, Any], after: Mapping[str, Any], standing: Standing
) -> str:
    """What a new budget means for a run, a sentence."""
    counted = next(
        (name for budget in (after, before) for name in budget if name != "seconds"), "images"
    )
    return (
        f"The budget of {path} was {in_words(before)} and is now {in_words(after)}: schedules are "
        f"planned anew for it, from the {standing.num_seen:,} {counted} and "
        f"{duration(standing.seconds)} that are done ({standing.progress(after):.0%})."
    )


def _limit(budget: Mapping[str, Any]) -> tuple[str, Any]:
    found = [(name, amount) for name, amount in budget.items() if amount is not None]
    return found[0] if found else ("seconds", 0.0)
