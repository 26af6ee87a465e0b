"""The settings of a recipe as a form asks for them, and a filled-in form as a command."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orthogan.config import Setting, described
from orthogan.errors import ConfigError, UnknownNameError
from orthogan.gan.config import TrainingConfig
from orthogan.gan.recipes import RECIPES
from orthogan.report.settings_sections import OF_DATA

# Asked for on their own, or not at all: a path is no client's business.
APART = re.compile(r"data\.source|seed|budget\..*")
MOST_CHARACTERS = 200
LARGEST_SEED = 2**63 - 1
MOST_THREADS = 1024
UNITS = {"minutes": 60.0, "hours": 3600.0}
_NAME = re.compile(r"[^\W_](?:[\w .-]*[\w-])?")
_AMOUNT = re.compile(r"\d{1,15}(?:\.\d{1,6})?")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A run that somebody asks for, as the form has it: texts, checked by `words`.

    Of a fork, `fork` is the id of the run that it leaves, and `begin` the image count of the
    checkpoint that it begins from; empty where it begins anew.
    """

    name: str
    recipe: str
    source: str
    amount: str
    unit: str
    seed: str = "0"
    threads: str = ""
    fork: str = ""
    begin: str = ""
    settings: Mapping[str, str]


def recipe_config(name: str) -> TrainingConfig:
    """The settings of a recipe.

    Raises:
        UnknownNameError: there is none of this name.
    """
    if name not in RECIPES:
        raise UnknownNameError("recipe", name, list(RECIPES))
    return RECIPES[name]()


def asked_for(recipe: str) -> list[Setting]:
    """The settings of a recipe that a form asks for, in order."""
    found = described(recipe_config(recipe))
    return [each for each in found if not APART.fullmatch(each.name)
            and not OF_DATA.fullmatch(each.name)]  # fmt: skip


def as_text(value: Any) -> str:
    """A value as a form shows it and `--set` takes it.

    >>> as_text(None), as_text(True), as_text(0.5)
    ('null', 'true', '0.5')
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def assignments(asked: Asked, before: Mapping[str, str] | None = None) -> list[str]:
    """What differs from the recipe, as `--set` takes it.

    Args:
        asked: The form.
        before: Settings that differed from the recipe before the form was filled in, in the place
            of those of the recipe.

    Raises:
        UnknownNameError: no such recipe.
        ConfigError: a value is too long or no line of text, or does not fit.
    """
    changed = []
    for setting in asked_for(asked.recipe):
        usual = (before or {}).get(setting.name, as_text(setting.value))
        text = asked.settings.get(setting.name, usual).strip()
        if text == usual:
            continue
        if len(text) > MOST_CHARACTERS or not text.isprintable():
            raise ConfigError(
                f"Setting '{setting.name}': a value is one line of at most {MOST_CHARACTERS} "
                "characters."
            )
        changed.append(f"{setting.name}={text}")
    recipe_config(asked.recipe).evolve(*changed)
    return changed


def words(asked: Asked, folder: str) -> list[str]:
    """The command that starts the run, after `orthogan`.

    Args:
        asked: What is asked for; its source as `orthogan train` takes it.
        folder: The run folder, as a command takes it.

    Raises:
        UnknownNameError: no such recipe.
        ConfigError: something does not fit; the sentence says what.
    """
    changed = assignments(asked)
    seed = _whole("The seed", asked.seed, 0, LARGEST_SEED)
    options = [f"--model={asked.recipe}", f"--run={folder}", f"--seed={seed}"]
    options += budget(asked.amount, asked.unit)
    if asked.threads.strip():
        options.append(f"--threads={_whole('Threads', asked.threads, 1, MOST_THREADS)}")
    options += [f"--set={each}" for each in changed]
    is_plain = not asked.source.startswith("-")
    return ["train", *([asked.source, *options] if is_plain else [*options, "--", asked.source])]


def fork_words(asked: Asked, before: Asked, run: str, folder: str) -> list[str]:
    """The command that starts a run from a checkpoint of another, after `orthogan`.

    Args:
        asked: What is asked for.
        before: The form of that run as it was at first.
        run: Its folder.
        folder: The new run folder.

    Raises:
        UnknownNameError: no such recipe.
        ConfigError: something does not fit, or the recipe or the data are not those of the run.
    """
    if (asked.recipe, asked.source) != (before.recipe, before.source):
        raise ConfigError(
            "From a checkpoint a run goes on with the recipe and the data that it was trained "
            "with; leave them as they are, or let it begin anew."
        )
    changed = assignments(asked, before.settings)
    options = [f"--run={folder}", f"--at={_whole('A checkpoint', asked.begin, 0, LARGEST_SEED)}"]
    options += budget(asked.amount, asked.unit)
    seed = _whole("The seed", asked.seed, 0, LARGEST_SEED)
    options += [f"--seed={seed}"] if str(seed) != before.seed else []
    if asked.threads.strip():
        options.append(f"--threads={_whole('Threads', asked.threads, 1, MOST_THREADS)}")
    return ["fork", *options, *(f"--set={each}" for each in changed), "--", run]


def budget(amount: str, unit: str) -> list[str]:
    """A budget as an option of the command.

    Raises:
        ConfigError: it is none.

    >>> budget("1.5", "minutes"), budget("5000", "images")
    (['--for=90s'], ['--images=5000'])
    """
    text = amount.strip().replace(",", "")
    if unit not in {*UNITS, "images"}:
        raise ConfigError(f"A budget is in {', '.join(UNITS)} or images.")
    if not _AMOUNT.fullmatch(text) or not float(text):
        raise ConfigError(f"A budget is a number above zero, got '{amount[:MOST_CHARACTERS]}'.")
    if unit == "images":
        if "." in text:
            raise ConfigError(f"A budget in images is a whole number, got '{amount}'.")
        return [f"--images={text}"]
    seconds = f"{float(text) * UNITS[unit]:.3f}".rstrip("0").rstrip(".")
    if not float(seconds):
        raise ConfigError(f"A budget is a number above zero, got '{amount}'.")
    return [f"--for={seconds}s"]


def checked_name(name: str) -> str:
    """The name of a new run folder.

    Raises:
        ConfigError: it is no plain name of a folder.

    >>> checked_name(" digits-2 ")
    'digits-2'
    """
    name = name.strip()
    if not _NAME.fullmatch(name) or len(name.encode()) > 100:
        raise ConfigError(
            "The name of a run has letters, digits, spaces, '-', '_' and '.', begins with a letter "
            "or digit, and has at most 100 bytes."
        )
    return name


def free_name(wanted: str, taken: Sequence[str]) -> str:
    """A name that no run has: the wanted one, or with a number behind it.

    >>> free_name("digits", ["digits", "digits-2"])
    'digits-3'
    """
    number, name = 2, wanted
    while name in taken:
        name, number = f"{wanted}-{number}", number + 1
    return name


def _whole(what: str, text: str, low: int, high: int) -> int:
    text = text.strip()
    if not re.fullmatch(r"[0-9]{1,19}", text) or not low <= int(text) <= high:
        raise ConfigError(f"{what} is a whole number from {low} to {high}.")
    return int(text)
