"""`orthogan look`: attention maps of trained networks as pictures, and what heads do in words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orthogan.cli.amounts import parse_numbers
from orthogan.cli.command_line import Context, command_line
from orthogan.cli.options import AsJson
from orthogan.cli.output import say, show, show_json
from orthogan.cli.sources import name_of
from orthogan.errors import ConfigError

if TYPE_CHECKING:
    from orthogan.analysis.look_result import Look, Query

SUFFIXES = (".png", ".html", ".htm")
MOST_SEEDS = 10_000
_PLACE = re.compile(r"\s*(\d{1,6})\s*,\s*(\d{1,6})\s*")


def look(
    *,
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...", help="Run folder, bundle or mnist-demo; several are compared."
        ),
    ],
    network: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="generator or discriminator. [default: both]"),
    ] = None,
    query: Annotated[
        str | None,
        typer.Option(
            metavar="ROW,COLUMN",
            help="The patch that asks, counted from 0, or class for the class token. "
            "[default: a classifier's class token, else where images differ most]",
        ),
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Option(
            "--image",
            metavar="FILE",
            help="A picture, or a folder of them, that the discriminator or classifier reads; "
            "repeatable. [default: training images]",
        ),
    ] = None,
    generated: Annotated[
        bool,
        typer.Option("--generated", help="Let the discriminator read the generator's images."),
    ] = False,
    seeds: Annotated[
        str,
        typer.Option(
            metavar="LIST", help="Seeds of generated images; as many training images are read."
        ),
    ] = "0-255",
    shown: Annotated[
        int, typer.Option(min=1, max=64, metavar="N", help="How many images to draw one by one.")
    ] = 6,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A .png or .html file. [default: attention-NAME.png]"),
    ] = None,
    as_json: AsJson = False,
    context: Context,
) -> None:
    """Draw what the heads of a generator, discriminator or classifier attend to.

    The generator is seen while it makes the images of the seeds, a discriminator or classifier
    while it reads images. Below the single images stand means over all of them and, where the
    seed of the run is known, the same of the untrained network.

    Weights of a discriminator lie in the checkpoints of a run folder: of a bundle, such as
    mnist-demo, the generator is shown alone.
    """
    target = out or Path(f"attention-{name_of(sources[0])}.png")
    _check_target(target)
    numbers = parse_numbers(seeds)
    if len(numbers) > MOST_SEEDS:
        raise ConfigError(f"At most {MOST_SEEDS:,} seeds are looked at, got {len(numbers):,}.")
    if images and generated:
        raise ConfigError("--image and --generated exclude one another; give one of them.")
    asked = None if query is None else _query(query)
    from orthogan.analysis.look import look as look_at

    found = [
        look_at(
            source,
            network=network,
            seeds=numbers,
            on="generated" if generated else "real",
            images=list(images) if images else None,
            query=asked,
            shown=shown,
        )
        for source in sources
    ]
    _write(found, target, command_line(context))
    for note in dict.fromkeys(note for each in found for note in each.all_notes()):
        say(note)
    if as_json:
        show_json({"out": str(target), "looks": [each.to_dict() for each in found]})
        return
    for each in found:
        if len(found) > 1:
            show(f"{each.source}")
        show("\n".join(each.summary()))
    show(str(target))


def _check_target(target: Path) -> None:
    if target.is_dir():
        raise ConfigError(f"{target} is a folder; name a file in it, such as maps.png.")
    if target.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"--out is a .png or .html file, got '{target}'.")


def _query(text: str) -> Query:
    """A place, or the class token.

    Raises:
        ConfigError: it is neither.
    """
    if text.strip() == "class":
        return "class"
    match = _PLACE.fullmatch(text)
    if match is None:
        raise ConfigError(
            f"--query is row,column such as 3,4, counted from 0, or class, got '{text}'."
        )
    return int(match[1]), int(match[2])


def _write(found: list[Look], target: Path, command: str) -> None:
    if target.suffix.lower() != ".png":
        from orthogan.report.attention_page import write_attention_page

        write_attention_page(found, target, command=command)
        return
    from orthogan.analysis.attention_sheet import sheet_of
    from orthogan.files import write_file
    from orthogan.images.encoding import png

    write_file(target, png(sheet_of(found)))
