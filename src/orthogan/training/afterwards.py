"""What follows a run that has ended: its report, written once nothing of the run depends on it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from orthogan.errors import DivergedError
from orthogan.training.run_folder import RunFolder

# What writes reports; it lies above this package, and is imported when the first run has ended.
_WRITER = "orthogan.report.run_report"
# A report takes some seconds: after a shorter run it would be what one waits for.
LEAST_S = 20.0


@contextmanager
def reporting(folder: RunFolder, data: Any, say: Callable[[str], object]) -> Iterator[None]:
    """Writes the report of the run that the block trains, if it ends there or breaks down.

    A run that was stopped goes on later, and `orthogan report` has a report of it meanwhile.

    Args:
        folder: Of the run.
        data: What it was trained on.
        say: Is told where the report is, or why there is none.
    """
    try:
        yield
    except DivergedError:
        _write(folder, data, say)
        raise
    if folder.status == "done":
        _write(folder, data, say)


def _write(folder: RunFolder, data: Any, say: Callable[[str], object]) -> None:
    if float(folder.facts.get("seconds", 0.0)) < LEAST_S:
        return
    try:
        path = importlib.import_module(_WRITER).report_of_run(folder.path, data)
    # The run is over and whole: whatever goes wrong from here on is no failure of it.
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001
        why = str(error) or type(error).__name__
        say(f"No report was written: {why} `orthogan report` tries again.")
        return
    say(f"Wrote {path}; open it in a browser.")
