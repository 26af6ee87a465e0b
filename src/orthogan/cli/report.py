"""`orthogan report`: one page about a run, or about several side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orthogan.cli.command_line import Context, command_line
from orthogan.cli.options import AsJson
from orthogan.cli.output import show, show_json
from orthogan.report.target import check_target


def report(
    *,
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Run folders, in any state.")],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where the page goes. [default: report.html, in the folder of a single run]",
        ),
    ] = None,
    as_json: AsJson = False,
    context: Context,
) -> None:
    """Write an HTML page about a run: what it draws, how good it is, how it went, what made it.

    Several runs stand side by side, with the settings in which they differ and, where they share
    seeds, tests of whether that matters. The page is one file that needs nothing else. A run of
    20 seconds or more writes its own at its end.
    """
    if out is not None:
        check_target(out)
    from orthogan.report.run_report import report as written

    made = written(*runs, out=out, command=command_line(context))
    if as_json:
        show_json({"out": str(made.path), "verdicts": made.verdicts})
    else:
        show(str(made.path))
