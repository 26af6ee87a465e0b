"""The commands, gathered."""

from __future__ import annotations

from typing import Annotated

import typer

from orthogan.cli.classify import classify
from orthogan.cli.compare import compare
from orthogan.cli.doctor import doctor
from orthogan.cli.evaluate import evaluate
from orthogan.cli.export import export
from orthogan.cli.fork import fork
from orthogan.cli.generate import generate
from orthogan.cli.geometry import geometry
from orthogan.cli.judge import judge
from orthogan.cli.language import language
from orthogan.cli.look import look
from orthogan.cli.organize import organize
from orthogan.cli.output import show
from orthogan.cli.pack import pack
from orthogan.cli.parts import parts
from orthogan.cli.project import project
from orthogan.cli.recipes import recipes
from orthogan.cli.report import report
from orthogan.cli.runs import runs
from orthogan.cli.sample import sample
from orthogan.cli.studio import studio
from orthogan.cli.train import train
from orthogan.version import __version__

app = typer.Typer(
    name="orthogan",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich costs 0.1 s before the first line of help
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> bool:
    if wanted:
        show(__version__)
        raise typer.Exit
    return wanted


@app.callback()
def _options(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback when something is a bug.")
    ] = False,
) -> None:
    """Train attention GANs that do not collapse, on the machine you have."""


for command in (
    organize, pack, train, fork, sample, project, evaluate, look, report, studio, judge, compare,
    classify, language, generate, geometry, export, recipes, parts, runs, doctor,
):  # fmt: skip
    app.command()(command)
