"""`orthogan organize`: copies, balance, correlation and outliers of a set of images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from orthogan.cli.amounts import LARGEST_SEED
from orthogan.cli.command_line import Context, command_line
from orthogan.cli.options import AsJson
from orthogan.cli.output import say, show, show_json
from orthogan.errors import ConfigError

SUFFIXES = (".html", ".htm", ".json")


def organize(
    *,
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="A data set, folder or file, as for train.")
    ],
    size: Annotated[
        int | None, typer.Option(metavar="PX", help="Side of the images. [default: their own]")
    ] = None,
    batch_size: Annotated[
        int, typer.Option(metavar="N", help="Images of the batches that are compared.")
    ] = 32,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, metavar="N", help="Seed of every draw.")
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write a page with pictures (.html), or every finding with the places of all "
            "images (.json).",
        ),
    ] = None,
    as_json: AsJson = False,
    context: Context,
) -> None:
    """Say what is in a set of images before anything learns from it.

    Copies (also moved by up to two pixels, mirrored, brightened), how evenly classes and groups
    are met, what is correlated with what, and which images are like no other. `train` leaves
    copies out with --set data.copies=drop, and arranges batches with --set data.batches=balanced
    or decorrelated.
    """
    if out is not None and out.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"--out is an .html or .json file, got '{out}'.")
    if out is not None and out.is_dir():
        raise ConfigError(f"{out} is a folder; name a file in it, such as set.html.")
    from orthogan.data.api import load_data
    from orthogan.evaluation.waiting import telling
    from orthogan.files import write_file
    from orthogan.organizing.api import organize as organize_set

    images = load_data(data, size=size)
    found = organize_set(images, batch_size=batch_size, seed=seed, report=telling(say))
    if out is not None and out.suffix.lower() == ".json":
        write_file(out, (json.dumps(found.to_dict(), indent=2) + "\n").encode())
    elif out is not None:
        from orthogan.report.organization_page import write_organization_page

        write_organization_page(found, images, out, command=command_line(context))
    if as_json:
        show_json(found.to_dict())
        return
    show("\n".join(found.sentences()))
    if out is not None:
        show(str(out))
