"""The result as rows of text."""

from __future__ import annotations

from collections.abc import Sequence

from orthogan.experiments.results import Difference, VariantResult
from orthogan.experiments.task import ComparedTask
from orthogan.statistics.paired import Mean

NONE = "-"


def table(rows: Sequence[VariantResult], task: ComparedTask) -> tuple[list[str], list[list[str]]]:
    """Headers and one row per variant.

    For each metric: the mean over seeds with its 95 % interval, the difference from the first
    variant with what the tests leave possible, and the p values of the t test and of the
    sign-flip test, all corrected for the number of variants.
    """
    metrics = list(rows[0].scores)
    headers = ["variant", "seeds"]
    for metric in metrics:
        headers += [metric, "difference", "p: t, sign-flip"]
    headers += _costs(rows[0], task)
    return headers, [_row(row, metrics, task) for row in rows]


def verdicts(rows: Sequence[VariantResult]) -> list[str]:
    """One sentence per variant, where there is something to say."""
    return [f"{row.label}: {row.verdict}" for row in rows if row.verdict]


def number(value: float | None, digits: int = 3) -> str:
    """A number with so many significant digits, or a dash.

    >>> number(0.012345), number(1234.5), number(None)
    ('0.0123', '1,234', '-')
    """
    if value is None:
        return NONE
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"


def _row(row: VariantResult, metrics: Sequence[str], task: ComparedTask) -> list[str]:
    broken = f" ({len(row.diverged)} diverged)" if row.diverged else ""
    cells = [row.label, f"{len(row.seeds)}{broken}"]
    for metric in metrics:
        cells += [_mean(row.scores[metric], task.digits), *_difference(row.differences[metric])]
    return [*cells, *_costs(row, task).values()]


def _mean(mean: Mean | None, digits: int = 3) -> str:
    if mean is None:
        return NONE
    value = number(mean.value, digits)
    if mean.low is None or mean.high is None:
        return value
    return f"{value} ({number(mean.low, digits)} to {number(mean.high, digits)})"


def _difference(difference: Difference | None) -> list[str]:
    if difference is None:
        return [NONE, NONE]
    return [
        _mean(difference.mean),
        f"{_probability(difference.t)}, {_probability(difference.sign_flip)}",
    ]


def _probability(value: float | None) -> str:
    if value is None:
        return NONE
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _costs(row: VariantResult, task: ComparedTask) -> dict[str, str]:
    """The columns of what a variant costs; the operations stand behind the first count."""
    counts = [
        (name, " + ".join(f"{value:,}" for value in values) if any(values) else NONE)
        for name, values in row.costs.counts().items()
    ]
    return {
        **dict(counts[:1]),
        "GFLOP/step": number(row.costs.flops_per_step / 1e9),
        **dict(counts[1:]),
        "ms/step": number(None if row.step_seconds is None else 1000 * row.step_seconds),
        "s/run": number(row.seconds),
        task.unit: number(row.images),
    }
