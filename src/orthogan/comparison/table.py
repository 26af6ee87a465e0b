"""The answer as rows of text."""

from __future__ import annotations

from collections.abc import Sequence

from orthogan.comparison.answer import Difference, VariantAnswer
from orthogan.comparison.statistics import Mean

SCORE_HEADERS = ("variant", "seeds")
COST_HEADERS = ("parameters G + D", "GFLOP/step", "KV bytes G + D", "ms/step", "s/run", "images")
NONE = "-"


def table(rows: Sequence[VariantAnswer]) -> tuple[list[str], list[list[str]]]:
    """Headers and one row a variant.

    For each metric: the mean over seeds with its 95 % interval, the difference from the first
    variant with its own, and the corrected p values of the t test and of the sign-flip test.
    """
    metrics = list(rows[0].scores)
    headers = list(SCORE_HEADERS)
    for metric in metrics:
        headers += [metric, "difference", "p: t, sign-flip"]
    return [*headers, *COST_HEADERS], [_row(row, metrics) for row in rows]


def verdicts(rows: Sequence[VariantAnswer]) -> list[str]:
    """One sentence a variant, where there is something to say."""
    return [f"{row.label}: {row.verdict}" for row in rows if row.verdict]


def number(value: float | None) -> str:
    """A number with three significant digits, or a dash.

    >>> number(0.012345), number(1234.5), number(None)
    ('0.0123', '1,234', '-')
    """
    if value is None:
        return NONE
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _row(row: VariantAnswer, metrics: Sequence[str]) -> list[str]:
    broken = f" ({len(row.diverged)} diverged)" if row.diverged else ""
    cells = [row.label, f"{len(row.seeds)}{broken}"]
    for metric in metrics:
        cells += [_mean(row.scores[metric]), *_difference(row.differences[metric])]
    return cells + _costs(row)


def _mean(mean: Mean | None) -> str:
    if mean is None:
        return NONE
    if mean.low is None or mean.high is None:
        return number(mean.value)
    return f"{number(mean.value)} ({number(mean.low)} to {number(mean.high)})"


def _difference(difference: Difference | None) -> list[str]:
    if difference is None:
        return [NONE, NONE]
    return [
        _mean(difference.test.mean),
        f"{_probability(difference.t)}, {_probability(difference.sign_flip)}",
    ]


def _probability(value: float | None) -> str:
    if value is None:
        return NONE
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _costs(row: VariantAnswer) -> list[str]:
    costs = row.costs
    kept = (costs.generator_key_value_bytes, costs.discriminator_key_value_bytes)
    return [
        f"{costs.generator_parameters:,} + {costs.discriminator_parameters:,}",
        number(costs.flops_per_step / 1e9),
        f"{kept[0]:,} + {kept[1]:,}" if any(kept) else NONE,
        number(None if row.step_seconds is None else 1000 * row.step_seconds),
        number(row.seconds),
        number(row.images),
    ]
