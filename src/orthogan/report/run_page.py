"""The report of one run, or of several beside each other: their questions, on one page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from orthogan.report.attention_sections import attention_sections
from orthogan.report.curve_sections import curves
from orthogan.report.difference_sections import differences
from orthogan.report.evidence import Evidence
from orthogan.report.neighbour_sections import neighbours
from orthogan.report.page import Section, page
from orthogan.report.run_facts import RunFacts
from orthogan.report.sample_sections import samples
from orthogan.report.score_sections import groups, interval, scores, written
from orthogan.report.score_words import beside, said_of
from orthogan.report.settings_sections import provenance, settings
from orthogan.report.side_by_side import run_name, titles
from orthogan.report.task_sections import answers, text
from orthogan.report.timeline_sections import STATUSES, timeline
from orthogan.report.token_sections import tokens
from orthogan.report.wording import count
from orthogan.terminal import printable
from orthogan.training.duration import duration

NAMES = {"gan": "GAN", "classify": "classifier", "language": "language model"}
TILED = ("fd", "precision", "recall", "memorised", "accuracy", "bits_per_character",
         "bits_per_byte", "perplexity")  # fmt: skip
MOST_TILES = 5  # a row of a wide page


def run_page(runs: Sequence[RunFacts], evidence: Sequence[Evidence], command: str) -> str:
    """The whole page.

    Args:
        runs: At least one.
        evidence: Of each run.
        command: What writes the page again.
    """
    sections = [
        differences(runs),
        scores(runs),
        samples(runs),
        neighbours(runs, evidence),
        groups(runs, evidence),
        answers(runs),
        text(runs),
        curves(runs),
        tokens(runs, heads=all(each.look is None for each in evidence)),
        *attention(evidence),
        timeline(runs),
        settings(runs),
        provenance(runs),
    ]
    kept = [section for section in sections if section is not None]
    has_player = any(len(run.grids) > 1 for run in runs)
    return page(
        title=_title(runs),
        summary=_summary(runs),
        tiles=_tiles(runs[0]) if len(runs) == 1 else [],
        sections=kept,
        remade_by=printable(command),
        numbers=_finite({"runs": [_numbers(run) for run in runs]}),
        kicker=_kicker(runs),
        script=player() if has_player else "",
    )


@cache
def player() -> str:
    """The script that moves the sliders."""
    return resources.files("orthogan.report").joinpath("player.js").read_text("utf-8")


def attention(evidence: Sequence[Evidence]) -> list[Section]:
    """What the heads attend to; a sentence where no network of a run has any."""
    looks = [each.look for each in evidence if each.look is not None]
    if looks:
        return attention_sections(looks)
    unseen = [each.unseen for each in evidence if each.unseen]
    if not unseen:
        return []
    why = f"No map can be drawn: {printable(unseen[0])}"
    return [Section("attention", "What does it attend to?", why, [], "Attention")]


def _kicker(runs: Sequence[RunFacts]) -> str:
    names = {NAMES.get(run.task, "run") for run in runs}
    kind = names.pop() if len(names) == 1 else "runs"
    return f"orthogan report: {kind}"


def _title(runs: Sequence[RunFacts]) -> str:
    if len(runs) <= 3:
        return " beside ".join(run_name(run.path) for run in runs)
    return f"{count(len(runs))} runs side by side"


def _summary(runs: Sequence[RunFacts]) -> str:
    if len(runs) == 1:
        return _in_words(runs[0])
    return f"{'; '.join(titles(runs))}. Each colour and letter is one run throughout the page."


def _in_words(run: RunFacts) -> str:
    """The verdict; without one, how the run ended."""
    if run.verdict:
        return printable(run.verdict)
    reason = printable(str(run.record["reason"]))
    return reason or STATUSES.get(run.status, f"Its status is '{printable(run.status)}'.")


def _tiles(run: RunFacts) -> list[tuple[str, str]]:
    tiles = [
        (printable(run.status), "status"),
        (count(run.num_seen), f"{run.unit} shown in {duration(run.seconds)}"),
    ]
    for score in run.scores:
        if score.name.partition("[")[0] in TILED and len(tiles) < MOST_TILES:
            floor = (
                ""
                if score.floor is None
                else f" ({beside(run.task)}: {written(score, score.floor)})"
            )
            title = said_of(score.name)[0].partition(" (")[0]
            tiles.append((written(score, score.value), f"{title}{floor}"))
    return tiles


def _numbers(run: RunFacts) -> dict[str, Any]:
    """What the page says of a run, for programs."""
    return {
        "run": run.path.resolve().name,
        "task": run.task,
        "status": run.status,
        "reason": run.record["reason"],
        f"{run.unit}_seen": run.num_seen,
        "seconds": run.seconds,
        "verdict": run.verdict,
        "scores": {score.name: _score(score) for score in run.scores},
        "course": [line for line in run.lines if line.get("event") == "score"],
        "settings": run.settings,
        "recipe": run.record.get("recipe", ""),
        "why": run.record.get("why", []),
        "provenance": run.record["provenance"],
    }


def _score(score: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(score).items() if name != "name"} | {
        "interval": interval(score)
    }


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
