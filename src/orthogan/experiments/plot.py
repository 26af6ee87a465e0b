"""The result as a picture: scores along the training, and the final scores seed by seed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from orthogan.experiments.results import VariantResult
from orthogan.experiments.task import ComparedTask, is_live_score, task_of
from orthogan.experiments.trials import Group

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito 2008: distinct with any colour vision; repeated with another dash after eight.
COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933"),
)
DASHES = ("-", "--", ":", "-.")
WIDTH_IN, CURVES_IN, ROW_IN = 11.0, 4.2, 0.6
DOTS_PER_INCH = 130
LEGEND_CHARACTERS = 140  # of the legend's type across the picture
LOG_RATIO = 10.0  # scores that span more than this are drawn on a logarithmic axis
METADATA = {"Software": None}  # so that the same result gives the same bytes

# Counts of images or tokens, seconds, scores.
Curve = tuple[np.ndarray, np.ndarray, np.ndarray]


def picture(groups: Sequence[Group], rows: Sequence[VariantResult]) -> bytes:
    """A PNG: score against images or tokens and against seconds, and the final scores below.

    Curves are thin for each seed, with a cross where it diverged, and bold for the mean over the
    seeds that did not; final scores are dots with the mean and its 95 % interval.

    Args:
        groups: The variants with their runs.
        rows: What was found about them, in the same order.
    """
    from matplotlib.figure import Figure  # late: it takes half a second to import

    task = task_of(groups[0].runs[0].resolved())
    height = CURVES_IN + 1.4 + ROW_IN * len(rows)
    figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
    layout = figure.add_gridspec(2, 2, height_ratios=[CURVES_IN, 1.0 + ROW_IN * len(rows)])
    left = figure.add_subplot(layout[0, 0])
    right = figure.add_subplot(layout[0, 1], sharey=left)
    _draw_curves(left, right, groups, task)
    _draw_finals(figure.add_subplot(layout[1, :]), rows, task)
    handles, labels = left.get_legend_handles_labels()
    columns = max(1, LEGEND_CHARACTERS // (8 + max(map(len, labels))))
    figure.legend(
        handles, labels, loc="outside upper center", ncols=columns, fontsize=9, frameon=False
    )
    return _png(figure)


def curve_of(records: Sequence[dict[str, Any]]) -> Curve:
    """The scores taken during a run: counts, seconds, and scores in order of time."""
    points = sorted(
        (record["elapsed_s"], record["images_seen"], record[name])
        for record in records
        if record.get("event") == "score"
        and (name := score_name(record)) is not None
        and record[name] is not None
    )
    seconds, images, scores = np.array(points, dtype=float).reshape(-1, 3).T
    return images, seconds, scores


def score_name(record: dict[str, Any]) -> str | None:
    """The name of the score in a line of `metrics.jsonl`."""
    return next(filter(is_live_score, record), None)


def mean_curve(curves: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """The mean over seeds where all of them have been measured, straight between measurements.

    >>> line = np.array([0.0, 2.0])
    >>> x, y = mean_curve([(line, line), (np.array([1.0, 2.0]), np.array([3.0, 6.0]))])
    >>> x.tolist(), y.tolist()
    ([1.0, 2.0], [2.0, 4.0])
    """
    filled = [(x, y) for x, y in curves if len(x)]
    if not filled:
        return np.array([]), np.array([])
    first, last = max(x[0] for x, _ in filled), min(x[-1] for x, _ in filled)
    every = np.unique(np.concatenate([x for x, _ in filled]))
    shared = every[(every >= first) & (every <= last)]
    return shared, np.mean([np.interp(shared, x, y) for x, y in filled], axis=0)


def _draw_curves(left: Axes, right: Axes, groups: Sequence[Group], task: ComparedTask) -> None:
    every: list[float] = []
    for index, group in enumerate(groups):
        curves = [curve_of(run.records) for run in group.runs]
        is_done = [run.status == "done" for run in group.runs]
        for axes, place in ((left, 0), (right, 1)):
            colour, dash = _style(index)
            pairs = [_ascending(curve[place], curve[2]) for curve in curves]
            for (x, y), done in zip(pairs, is_done, strict=True):
                axes.plot(x, y, color=colour, linestyle=dash, linewidth=0.7, alpha=0.45)
                axes.plot(x[-1:], y[-1:], "" if done else "x", color=colour, markersize=9)
            x, y = mean_curve([pair for pair, done in zip(pairs, is_done, strict=True) if done])
            mark = "o" if len(x) == 1 else ""
            axes.plot(x, y, dash, color=colour, linewidth=2.4, marker=mark, label=group.label)
        every += [float(score) for curve in curves for score in curve[2]]
    floor = _floor(groups)
    for axes, label in ((left, f"{task.unit} shown"), (right, "seconds of training")):
        axes.set_xlabel(label)
        axes.grid(alpha=0.25)
        if floor is not None:
            axes.axhline(floor, color="0.5", linestyle=(0, (1, 2)), label="real images")
        if not every:
            text = "no score was taken during training"
            axes.text(0.5, 0.5, text, ha="center", transform=axes.transAxes)
        elif task.better != "higher" and 0 < LOG_RATIO * min(every) < max(every):
            axes.set_yscale("log")
    left.set_ylabel(_live_name(groups) + _direction(task))
    right.tick_params(labelleft=False)


def _draw_finals(axes: Axes, rows: Sequence[VariantResult], task: ComparedTask) -> None:
    metric = next(iter(rows[0].scores), "score")
    for index, row in enumerate(rows):
        colour, _ = _style(index)
        height = -index
        place = axes.get_yaxis_transform()  # across in shares of the axes, up in rows
        axes.text(0.01, height + 0.3, _caption(row), transform=place, color=colour, fontsize=9)
        values = list(row.values.get(metric, {}).values())
        axes.plot(values, [height] * len(values), "o", color=colour, alpha=0.5, markersize=6)
        mean = row.scores.get(metric)
        if mean is None:
            continue
        axes.plot([mean.value], [height], "|", color=colour, markersize=18, markeredgewidth=2.5)
        if mean.low is not None and mean.high is not None:
            axes.plot([mean.low, mean.high], [height, height], color=colour, linewidth=2.0)
    ends = _ends(rows, metric)
    if task.better != "higher" and ends and 0 < LOG_RATIO * min(ends) < max(ends):
        axes.set_xscale("log")
    axes.set_yticks([])
    axes.set_ylim(-len(rows) + 0.6, 0.7)
    said = f"{metric} after training: each seed, mean, 95 % interval of the mean"
    axes.set_xlabel(said + _direction(task))
    axes.grid(axis="x", alpha=0.25)


def _ends(rows: Sequence[VariantResult], metric: str) -> list[float]:
    """Every final score and every end of an interval."""
    means = [mean for row in rows if (mean := row.scores.get(metric)) is not None]
    ends = [end for mean in means for end in (mean.value, mean.low, mean.high) if end is not None]
    return [*ends, *(value for row in rows for value in row.values.get(metric, {}).values())]


def _caption(row: VariantResult) -> str:
    return f"{row.label} ({len(row.diverged)} diverged)" if row.diverged else row.label


def _ascending(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A start that was given up leaves scores at image counts that are reached again."""
    order = np.argsort(x, kind="stable")
    return x[order], y[order]


def _floor(groups: Sequence[Group]) -> float | None:
    floors = [
        float(record["floor"])
        for group in groups
        for run in group.runs
        for record in run.records
        if record.get("event") == "score" and record.get("floor") is not None
    ]
    return floors[0] if floors else None


def _live_name(groups: Sequence[Group]) -> str:
    names = (score_name(record) for group in groups for run in group.runs for record in run.records)
    return next((f"{name} during training" for name in names if name), "score during training")


def _direction(task: ComparedTask) -> str:
    return f" ({task.better} is better)" if task.better else ""


def _style(index: int) -> tuple[str, str]:
    return COLOURS[index % len(COLOURS)], DASHES[index // len(COLOURS) % len(DASHES)]


def _png(figure: Figure) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DOTS_PER_INCH, metadata=METADATA)
    return content.getvalue()
