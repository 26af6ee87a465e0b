"""`orthogan organize`: what is in a set of images, or in a text, before anything learns from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

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
        str,
        typer.Argument(
            metavar="DATA",
            help="A data set, folder or file, as for train; or a text, as for language.",
        ),
    ],
    size: Annotated[
        int | None, typer.Option(metavar="PX", help="Side of the images. [default: their own]")
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(metavar="N", help="Images of the batches that are compared. [default: 32]"),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, metavar="N", help="Seed of every draw.")
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write a page with pictures (.html, of images), or every finding with the places "
            "of all images (.json).",
        ),
    ] = None,
    as_json: AsJson = False,
    context: Context,
) -> None:
    """Say what is in a set of images, or in a text, before anything learns from it.

    Copies (also moved by up to two pixels, mirrored, brightened), how evenly classes and groups
    are met, what is correlated with what, and which images are like no other. `train` leaves
    copies out with --set data.copies=drop, and arranges batches with --set data.batches=balanced
    or decorrelated.

    Of a text: whether word and position are independent, beside chance, and what cropping and
    re-ordering do to that.
    """
    if out is not None and out.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"--out is an .html or .json file, got '{out}'.")
    if out is not None and out.is_dir():
        raise ConfigError(f"{out} is a folder; name a file in it, such as set.html.")
    from orthogan.language.organizing import is_text

    if is_text(data):
        named = {"--size": size, "--batch-size": batch_size}
        idle = [name for name, value in named.items() if value is not None]
        _organize_text(data, seed, out, idle, as_json)
        return
    from orthogan.data.api import load_data
    from orthogan.evaluation.waiting import telling
    from orthogan.organizing.api import BATCH_SIZE
    from orthogan.organizing.api import organize as organize_set

    images = load_data(data, size=size)
    batch = BATCH_SIZE if batch_size is None else batch_size
    found = organize_set(images, batch_size=batch, seed=seed, report=telling(say))
    if out is not None and out.suffix.lower() == ".json":
        _write(out, found.to_dict())
    elif out is not None:
        from orthogan.report.organization_page import write_organization_page

        write_organization_page(found, images, out, command=command_line(context))
    _show(found, out, as_json)


def _organize_text(data: str, seed: int, out: Path | None, named: list[str], as_json: bool) -> None:
    if named:
        raise ConfigError(f"{data} is a text, and {named[0]} is of images; leave it out.")
    if out is not None and out.suffix.lower() != ".json":
        raise ConfigError(f"What is found in a text is written as .json, got '{out}'.")
    from orthogan.language.organizing import organize_text

    found = organize_text(data, seed=seed)
    if out is not None:
        _write(out, found.to_dict())
    _show(found, out, as_json)


def _write(out: Path, found: dict[str, Any]) -> None:
    from orthogan.files import write_file

    write_file(out, (json.dumps(found, indent=2) + "\n").encode())


def _show(found: Any, out: Path | None, as_json: bool) -> None:
    if as_json:
        show_json(found.to_dict())
        return
    show("\n".join(found.sentences()))
    if out is not None:
        show(str(out))
