"""`orthogan recipes`: whole configurations by name, and what each of their settings means."""

from __future__ import annotations

import shutil
from typing import Annotated, Any

import typer

from orthogan.cli.options import AsJson
from orthogan.cli.output import show, show_json, show_table
from orthogan.errors import UnknownNameError


def recipes(
    *,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Show every setting of this one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the recipes, or show the settings of one: meaning, range, and what differs.

    What is shown for NAME is a file of settings, which --config reads.
    """
    from orthogan.cli.settings_page import comment, facts_of, settings_page

    found = _recipes()
    if name is None:
        if as_json:
            show_json({known: recipe["about"] for known, recipe in found.items()})
        else:
            rows = [[known, each["command"], each["about"]] for known, each in found.items()]
            show_table(["recipe", "command", "what it is"], rows)
        return
    if name not in found:
        raise UnknownNameError("recipe", name, found)
    recipe = found[name]
    config, default = recipe["config"], found[recipe["default"]]["config"]
    settings = facts_of(config, default)
    if as_json:
        facts = {key: recipe[key] for key in ("about", "command", "default")}
        show_json({"recipe": name, **facts, "settings": settings, "config": config.to_dict()})
        return
    count = sum(setting["differs"] for setting in settings)
    told = (
        f"{count} settings differ from {recipe['default']}, whose values stand in round brackets."
        if name != recipe["default"]
        else f"The default of 'orthogan {recipe['command'].split()[1]}'."
    )
    width = shutil.get_terminal_size().columns
    for text in (f"{name}: {recipe['about']}", recipe["command"], told):
        show("\n".join(comment(text, width)))
    show("")
    show(settings_page(config, default, recipe["default"], width))


def _recipes() -> dict[str, dict[str, Any]]:
    """Each recipe by name: what it is, its command, its settings, and its task's default."""
    from orthogan.classification.recipes import RECIPES as CLASSIFIERS
    from orthogan.gan.recipes import RECIPES as GANS
    from orthogan.language.recipes import RECIPES as LANGUAGES

    found: dict[str, dict[str, Any]] = {}
    for registry, default in (
        (GANS, "attention-gan"), (CLASSIFIERS, "attention-classifier"), (LANGUAGES, "transformer"),
    ):  # fmt: skip
        for name in sorted(registry, key=lambda each, default=default: each != default):
            config = registry[name]()
            command = f"orthogan {config.COMMAND}" + (
                f" --model {name}" if registry is GANS and name != default else ""
            )
            about = registry.describe(name)
            found[name] = {"about": about, "command": command, "default": default, "config": config}
    return found
