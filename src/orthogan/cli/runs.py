"""`orthogan runs`: the runs in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orthogan.class_names import class_order
from orthogan.cli.options import AsJson
from orthogan.cli.output import number, say, show_json, show_table

DEFAULT = Path("runs")
MOST_CLASSES = 12  # the last column of a table; --json has them all


def runs(
    *,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of run folders.")] = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List the runs, the latest first, with their classes in the order that indices count."""
    from orthogan.training.run_folder import list_runs

    found = [] if folder == DEFAULT and not folder.exists() else list_runs(folder, say)
    rows = [
        {
            "run": str(run.path),
            "status": run.status,
            "images_seen": run.images_seen,
            "seconds": run.facts.get("seconds"),
            "scores": run.facts.get("scores") or {},
            "updated": run.updated,
            "reason": run.reason,
            "classes": list(run.class_names),
        }
        for run in found
    ]
    if as_json:
        show_json(rows)
    elif rows:
        show_table(
            ["run", "status", "images", "seconds", "score", "updated", "classes"],
            list(map(_row, rows)),
        )
    else:
        say(f"There are no runs in {folder}; 'orthogan train' makes one.")


def _row(run: dict[str, Any]) -> list[str]:
    seconds = "-" if run["seconds"] is None else f"{run['seconds']:.0f}"
    score = next((f"{name} {number(value)}" for name, value in run["scores"].items()), "-")
    updated = run["updated"][:16].replace("T", " ")
    classes = class_order(run["classes"], MOST_CLASSES) or "-"
    images = f"{run['images_seen']:,}"
    return [run["run"], run["status"], images, seconds, score, updated, classes]
