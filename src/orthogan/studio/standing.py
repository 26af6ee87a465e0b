"""How a run is doing right now, in words and numbers, and why it is not doing any more."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orthogan.report.run_facts import RunFacts, number
from orthogan.report.timeline_sections import STATUSES
from orthogan.report.wording import count
from orthogan.terminal import printable
from orthogan.training import budgets
from orthogan.training.duration import duration
from orthogan.training.stop_request import is_asked_to_stop

SILENT_S = 60.0  # a step takes milliseconds, a score or verdict seconds to a minute
RATED_LINES = 20  # one a second: the pace of the last moments, not of the start


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a run is doing.

    Attributes:
        status: One word; `starting` while its process has not opened the folder yet.
        sentence: The verdict, or why it stands where it does.
        notice: What has gone wrong, and what is known of it; often empty.
        progress: Fraction of the budget, 0 to 1; None if the run does not say its budget.
        left_s: Seconds to the end of the budget; None where nothing tells.
        rate: Images (or tokens) a second; None where nothing tells.
        is_running: Whether a process trains it.
    """

    status: str
    sentence: str
    notice: str
    progress: float | None
    left_s: float | None
    rate: float | None
    is_running: bool


def standing(run: RunFacts, *, is_starting: bool = False, failure: str = "") -> Standing:
    """How a run is doing.

    Args:
        run: What its folder holds.
        is_starting: A process for it is at work that has not opened the folder yet.
        failure: Why the last process that the studio started for it ended.
    """
    is_running = run.status == "running"
    budget = run.record["config"].get("budget")
    done = budgets.Standing(num_seen=run.num_seen, seconds=run.seconds)
    has_budget = isinstance(budget, Mapping) and any(map(number, budget.values()))
    progress = min(done.progress(budget), 1.0) if has_budget and budget else None
    rate = _rate(run) if is_running else None
    status = "starting" if is_starting and not is_running else run.status
    if is_running and is_asked_to_stop(run.path):
        status = "stopping"
    return Standing(
        status=status,
        sentence=_sentence(run, status),
        notice=_notice(run, failure, is_starting=is_starting),
        progress=progress,
        left_s=_left(run, budget, rate) if is_running and has_budget else None,
        rate=rate,
        is_running=is_running,
    )


def _rate(run: RunFacts) -> float | None:
    lines = [each for each in run.lines if each.get("event") == "step"][-RATED_LINES:]
    if len(lines) < 2:
        return None
    first, last = number(lines[0].get("elapsed_s")), number(lines[-1].get("elapsed_s"))
    if first is None or last is None or last <= first:
        return None
    return float(lines[-1]["images_seen"] - lines[0]["images_seen"]) / (last - first)


def _left(run: RunFacts, budget: Mapping[str, Any], rate: float | None) -> float | None:
    seconds = number(budget.get("seconds"))
    if seconds is not None:
        return max(seconds - run.seconds, 0.0)
    amount = number(budget.get(run.unit))
    if amount is None or not rate:
        return None
    return max(amount - run.num_seen, 0.0) / rate


def _sentence(run: RunFacts, status: str) -> str:
    if status == "starting":
        return "Its process is starting: it loads PyTorch and the data."
    if status == "stopping":
        return "It was asked to stop: it saves everything first."
    if run.verdict and run.status != "running":
        return printable(run.verdict)
    if _is_dead(run):
        return (
            f"Its process ended without a word after {count(run.num_seen)} {run.unit}: it was "
            "killed, as happens when memory runs out, or the machine was switched off. "
            f"{_remains(run)}"
        )
    if run.status == "running":
        return "It is training."
    reason = printable(str(run.record["reason"]))
    return reason or STATUSES.get(run.status, f"Its status is '{printable(run.status)}'.")


def _is_dead(run: RunFacts) -> bool:
    """Whether its process ended without writing down that it did."""
    return bool(run.status == "interrupted" and run.record["status"] == "running")


def _remains(run: RunFacts) -> str:
    kept = max(run.checkpoints, default=0)
    if not kept:
        return "It has no checkpoint yet; going on starts again."
    return f"Its checkpoint at {count(kept)} {run.unit} is there; going on starts from it."


def _notice(run: RunFacts, failure: str, *, is_starting: bool) -> str:
    if run.status != "running":
        return "" if is_starting else failure
    silent_s = _silent_s(run)
    if silent_s < SILENT_S:
        return ""
    return (
        f"It has written nothing for {duration(silent_s)}: it is scoring its images, suspended, or "
        "stuck."
    )


def _silent_s(run: RunFacts) -> float:
    newest = 0.0
    for name in ("metrics.jsonl", "run.json"):
        try:
            newest = max(newest, (run.path / name).stat().st_mtime)
        except OSError:
            continue
    return max(time.time() - newest, 0.0)
