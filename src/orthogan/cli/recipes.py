"""`orthogan recipes`: what `--model` can be."""

from __future__ import annotations

import inspect
from typing import Annotated

import typer

from orthogan.cli.options import AsJson
from orthogan.cli.output import show_json, show_table, show_yaml


def recipes(
    *,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Show every setting of this one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the recipes, or show the settings of one."""
    from orthogan.gan.recipes import RECIPES

    if name is not None:
        (show_json if as_json else show_yaml)(RECIPES[name]().to_dict())
        return
    lines = {known: (inspect.getdoc(RECIPES[known]) or "").partition("\n")[0] for known in RECIPES}
    if as_json:
        show_json(lines)
    else:
        show_table(["recipe", "what it is"], list(lines.items()))
