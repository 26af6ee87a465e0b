"""Parts of several runs beside each other; of one run, the part itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orthogan.report.markup import Html, element
from orthogan.report.run_facts import RunFacts
from orthogan.terminal import printable

ROLES = ("codes", "tokens", "lost", "repaired", "control")  # colours, one per run


def titles(runs: Sequence[RunFacts]) -> list[str]:
    """What each run is called: the name of its folder, with a letter where there are several."""
    if len(runs) == 1:
        return [run_name(runs[0].path)]
    return [f"{letter(index)}: {run_name(run.path)}" for index, run in enumerate(runs)]


def letter(index: int) -> str:
    """A, B, ..., Z, then A2.

    >>> letter(0), letter(25), letter(26)
    ('A', 'Z', 'A2')
    """
    round_, place = divmod(index, 26)
    return f"{chr(ord('A') + place)}{round_ + 1 if round_ else ''}"


def run_name(path: Path) -> str:
    """The name of a run folder, safe to show."""
    return printable(path.resolve().name)


def role_of(index: int) -> str:
    """The colour of a run in figures."""
    return ROLES[index % len(ROLES)]


def side_by_side(runs: Sequence[RunFacts], parts: Sequence[Sequence[Html | None]]) -> list[Html]:
    """What belongs to each run under its name; of one run without it.

    Args:
        runs: In order.
        parts: Of each run; a run without any is left out.
    """
    kept = [[each for each in part if each is not None] for part in parts]
    if len(runs) == 1:
        return kept[0]
    blocks = [
        element("div", element("h3", title), *part)
        for title, part in zip(titles(runs), kept, strict=True)
        if part
    ]
    return [element("div", *blocks, class_="grids")] if blocks else []
