"""`orthogan export`: a trained generator for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orthogan.cli.options import AsJson
from orthogan.cli.output import show, show_json
from orthogan.cli.sources import name_of
from orthogan.errors import UnknownNameError

FORMATS = ("onnx",)


def export(
    *,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Run folder, bundle, or mnist-demo.")
    ],
    to: Annotated[str, typer.Option(metavar="FORMAT", help="onnx.")] = "onnx",
    out: Annotated[
        Path | None, typer.Option(metavar="PATH", help="The file. [default: NAME.onnx]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a trained model as an ONNX file, checked against PyTorch."""
    if to not in FORMATS:
        raise UnknownNameError("export format", to, FORMATS)
    target = out or Path(f"{name_of(source)}.onnx")
    from orthogan.export.onnx import export_onnx

    made = export_onnx(source, target)
    size = target.stat().st_size
    if as_json:
        facts = {"out": str(target), "bytes": size, "classes": made.generator.classes}
        facts |= {"class_names": list(made.generator.class_names)}
        show_json(facts | {"largest_difference": made.largest_difference})
    else:
        show(
            f"{target}: {size / 1e6:.1f} MB, its pixels at most {made.largest_difference:.1e} "
            "from PyTorch's in [-1, 1]."
        )
