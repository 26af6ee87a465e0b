"""What the commands that train have in common: the settings shown, and how a run ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orthogan.cli import INTERRUPTED, PREEMPTED
from orthogan.cli.output import number, say, show, show_json, show_table, show_yaml

EXIT_CODES = {"diverged": 4, "preempted": PREEMPTED, "interrupted": INTERRUPTED}


def show_settings(config: Any, as_json: bool, found: Sequence[Any] = ()) -> int:
    """Writes the settings of a `--dry-run`, and what the data are; the exit code.

    Args:
        config: The settings.
        as_json: Whether the one document on stdout is JSON, which then holds all.
        found: The inspections of the data; for people they go to stderr.
    """
    tree = config.to_dict()
    if as_json:
        show_json(tree | told(found))
        return 0
    for inspection in found:
        for line in inspection.lines():
            say(line)
    show_yaml(tree)
    return 0


def told(found: Sequence[Any]) -> dict[str, Any]:
    """What JSON says of the data: one entry for each part that was loaded; nothing without any."""
    return {"inspection": [each.to_dict() for each in found]} if found else {}


def show_run(result: Any, unit: str = "images") -> None:
    """Writes where a stopped run stands; its live scores only if it has no final one.

    Args:
        result: A `Run`.
        unit: What it counts.
    """
    show(str(result.path))
    rows = [["status", result.status], [unit, f"{getattr(result, f'{unit}_seen'):,}"]]
    rows += [["seconds", f"{result.seconds:.0f}"]]
    if not getattr(result, "score", None):
        rows += [[name, number(value)] for name, value in result.scores.items()]
    show_table(["result", "value"], rows)


def say_why(result: Any) -> int:
    """Says why a run stopped and what to type next; the exit code."""
    say(f"{result.reason} Next: {result.next_command}")
    return exit_code(result)


def exit_code(result: Any) -> int:
    """The exit code of a run that has stopped."""
    return EXIT_CODES.get(result.status, 0)
