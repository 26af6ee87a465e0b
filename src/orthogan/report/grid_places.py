"""Positions of an image as the grid that they are: their names, and a number at each place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orthogan.analysis.result import Analysis
from orthogan.report.markup import Html
from orthogan.report.tables import heat_grid
from orthogan.report.wording import count

Written = Callable[[float], str]


def place_name(analysis: Analysis, position: int) -> str:
    """A position as the page writes it: its number, or its row and column."""
    grid, codes = analysis.tables.grid, analysis.codes
    if grid is None or codes is None:
        return count(position)
    at = position - (len(codes) - grid[0] * grid[1])
    return (
        f"row {at // grid[1]}, column {at % grid[1]}" if at >= 0 else f"before the grid: {position}"
    )


def grid_of(
    analysis: Analysis, caption: str, values: Sequence[float], written: Written
) -> Html | None:
    """A number at every place of the grid, darker where it is larger; None without a grid."""
    grid = analysis.tables.grid
    if grid is None:
        return None
    rows, columns = grid
    shown = list(values)[-rows * columns :]
    low, high = min(0.0, *shown), max(shown)
    reach = (high - low) or 1.0
    lines = [
        (
            str(row),
            [
                ((value - low) / reach, written(value))
                for value in shown[row * columns : (row + 1) * columns]
            ],
        )
        for row in range(rows)
    ]
    return heat_grid(caption, "row, column", [str(column) for column in range(columns)], lines)
