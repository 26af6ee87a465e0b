"""Results on stdout: one JSON document, or a table (rich on a terminal, plain elsewhere)."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from orthogan.terminal import printable, printable_lines


def say(sentence: str) -> None:
    """Writes a line of progress or advice to stderr."""
    if sys.stderr is not None:  # where there is none, print() would take stdout
        print(printable_lines(sentence), file=sys.stderr, flush=True)  # noqa: T201 - prints


def show(text: str) -> None:
    """Writes a result to stdout; what would steer a terminal is shown as its code."""
    print(printable_lines(text))  # noqa: T201 - this is the place that prints


def show_json(value: Any) -> None:
    """Writes the one JSON document of a `--json` command; what is not finite becomes null."""
    show(json.dumps(_finite(value), indent=2, allow_nan=False, default=str))


def show_yaml(tree: Mapping[str, Any]) -> None:
    """Writes a configuration as YAML, in order of declaration; `--config` reads it back."""
    import yaml

    show(yaml.safe_dump(dict(tree), sort_keys=False).rstrip())


def show_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Writes a table; columns are aligned by spaces when stdout is not a terminal."""
    headers = [printable(header) for header in headers]
    rows = [[printable(cell) for cell in row] for row in rows]
    if sys.stdout is not None and sys.stdout.isatty():
        _show_rich(headers, rows)
        return
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    for row in (headers, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        show("  ".join(cells).rstrip())


def number(value: float | int | None) -> str:  # noqa: PYI041 - the test-time check is strict
    """A number with four significant digits, or `-`.

    >>> number(1.23456), number(10000), number(None)
    ('1.235', '10000', '-')
    """
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _show_rich(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for header in headers:
        table.add_column(Text(header))  # Text: `fd[digits]` is no markup
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
