"""`orthogan export`: a trained generator for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orthogan.cli.options import AsJson
from orthogan.cli.output import say, show, show_json
from orthogan.cli.sources import name_of


def export(
    *,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="Run folder, bundle, mnist-demo, or FILE.onnx to html."
        ),
    ],
    to: Annotated[
        str, typer.Option(metavar="FORMAT", help="A format of `orthogan parts exporter`.")
    ] = "onnx",
    out: Annotated[
        Path | None, typer.Option(metavar="PATH", help="The file. [default: NAME.FORMAT]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a trained model as a file for other programs, checked against PyTorch."""
    from orthogan.export import EXPORTERS

    exporter = EXPORTERS[to]
    made = exporter.write(source, out or Path(f"{name_of(source)}{exporter.suffix}"))
    if made.note:
        say(made.note)
    if as_json:
        show_json(made.facts)
    else:
        show(made.summary)
