"""The curves of a run as plain numbers, which the page draws and goes on drawing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orthogan.report.curve_sections import CHARTS, SCORED, thinned
from orthogan.report.run_facts import Points, RunFacts, number
from orthogan.report.side_by_side import role_of

DISTANCE = (
    "How far the generated images as a whole lie from the real ones. Lower is better; the dashed "
    "line is what real images score."
)
HELD_OUT = "Measured while training, on what the run does not learn from."


def curves(run: RunFacts) -> list[dict[str, Any]]:
    """Every chart of a run that has a curve of two points: its words and its numbers.

    The first row of `data` is what training has shown; the others are one curve each, null where
    a curve has no point.
    """
    found = [_distance(run)]
    for name, (label, _) in SCORED.items():
        found.append(_chart(f"score-{name}", label, HELD_OUT, [(label, run.points("score", name))]))
    for chart in CHARTS:
        words = chart.words or (chart.label,)
        lines = [
            (word, run.points("step", curve.key))
            for word, curve in zip(words, chart.curves, strict=True)
        ]
        is_log = chart.curves[0].kind == "log"
        found.append(_chart(chart.key, chart.title, chart.caption, lines, is_log=is_log))
    return [{**each, "unit": run.unit} for each in found if each is not None]


def _distance(run: RunFacts) -> dict[str, Any] | None:
    points = run.points("score", run.distance_name)
    lines = [("generated images", points)]
    floor = number(run.latest("score").get("floor"))
    if floor is not None and floor > 0 and points[0]:
        lines.append(("real images", (list(points[0]), [floor] * len(points[0]))))
    return _chart("distance", "Distance to real images", DISTANCE, lines, is_log=True)


def _chart(
    key: str, title: str, caption: str, lines: Sequence[tuple[str, Points]], *, is_log: bool = False
) -> dict[str, Any] | None:
    kept = [(word, _positive(points) if is_log else points) for word, points in lines]
    rows = [(word, dict(zip(*thinned(points), strict=True))) for word, points in kept]
    if not any(len(row) > 1 for _, row in rows):
        return None
    seen = sorted({at for _, row in rows for at in row})
    return {
        "key": key,
        "title": title,
        "caption": caption,
        "log": is_log,
        "names": [word for word, _ in rows],
        "roles": [role_of(index) for index in range(len(rows))],
        "data": [seen, *([row.get(at) for at in seen] for _, row in rows)],
    }


def _positive(points: Points) -> Points:
    pairs = [(at, value) for at, value in zip(*points, strict=True) if value > 0]
    return [at for at, _ in pairs], [value for _, value in pairs]
