"""What is odd about the labels of a table: said once, whatever source they come from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from orthogan.embeddings.result import Tables

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def noted(tables: Tables) -> Tables:
    """The tables with a note on labels that stand twice or hold control characters."""
    found = odd_labels(tables.labels or ())
    return replace(tables, notes=(*tables.notes, *found)) if found else tables


def odd_labels(labels: Sequence[str]) -> tuple[str, ...]:
    r"""A sentence on labels that stand for several rows, and one on control characters.

    >>> odd_labels(["a", "b", "a"])
    ("1 label stands for several rows, the first 'a' for rows 0 and 2.",)
    """
    return (*_repeated(labels), *_with_controls(labels))


def _repeated(labels: Sequence[str]) -> list[str]:
    if len(set(labels)) == len(labels):
        return []
    repeated = [label for label, count in Counter(labels).items() if count > 1]
    first = labels.index(repeated[0])
    second = labels.index(repeated[0], first + 1)
    verb = "label stands" if len(repeated) == 1 else "labels stand"
    where = f"rows {first:,} and {second:,}"
    return [f"{len(repeated):,} {verb} for several rows, the first {repeated[0]!a} for {where}."]


def _with_controls(labels: Sequence[str]) -> list[str]:
    if CONTROL.search("".join(labels)) is None:
        return []
    rows = [row for row, label in enumerate(labels) if CONTROL.search(label)]
    verb = "label holds" if len(rows) == 1 else "labels hold"
    first = f"{labels[rows[0]]!a} (row {rows[0]:,})"
    return [f"{len(rows):,} {verb} control characters, the first {first}."]
