"""`orthogan judge`: what a discriminator says of one's own images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orthogan.cli.command_line import Context, command_line
from orthogan.cli.options import AsJson
from orthogan.cli.output import say, show_json, show_table
from orthogan.errors import ConfigError
from orthogan.report.target import SUFFIXES, check_target


def judge(
    *,
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="Run folder of a GAN, which has the discriminator."),
    ],
    images: Annotated[
        Path, typer.Argument(metavar="IMAGES", help="A picture, or a folder of them.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the pictures there, the most real first: .png or .html."
        ),
    ] = None,
    as_json: AsJson = False,
    context: Context,
) -> None:
    """Ask a GAN's discriminator how real it finds your own images.

    The probability is the sigmoid of its logit. Under a relativistic loss, the default, only
    differences between logits have a meaning: compare the images with each other, and with the
    generated and training images that are judged beside them. It is no score of realism.
    """
    if out is not None:
        _check(out)
    from orthogan.analysis.judging import judge as judged

    found = judged(run, images)
    if out is not None:
        _write(found, out, command_line(context))
        say(f"Wrote {out}.")
    if as_json:
        show_json(found.to_dict())
        return
    rows = [
        [each.name, *map(_percent, (each.probability, each.beats_generated, each.beats_real))]
        for each in found.images
    ]
    show_table(["image", "probability", "beside generated", "beside real"], rows)
    for sentence in (found.beside, found.meaning, *found.notes):
        say(sentence)


def _check(out: Path) -> None:
    if out.suffix.lower() in SUFFIXES:
        check_target(out)
    elif out.suffix.lower() != ".png" or out.is_dir():
        raise ConfigError(f"--out is a .png or .html file, got '{out}'.")


def _write(found: Any, out: Path, command: str) -> None:
    if out.suffix.lower() in SUFFIXES:
        from orthogan.report.judged_page import write_judged_page

        write_judged_page(found, out, command)
        return
    from orthogan.analysis.judged_sheet import judged_sheet
    from orthogan.cli.sample_files import write_picture

    write_picture(judged_sheet(found.pixels, [each.probability for each in found.images]), out)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
