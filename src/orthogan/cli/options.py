"""Options that several commands share, each spelled out once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from orthogan.cli.amounts import LARGEST_SEED, parse_count, parse_minutes
from orthogan.errors import ConfigError, UnknownNameError

DEVICES = ("auto", "cpu", "cuda", "mps")

Run: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Run folder; a run there goes on, with its own settings. [default: runs/...]",
    ),
]
Seed: TypeAlias = Annotated[
    int | None,
    typer.Option(min=0, max=LARGEST_SEED, metavar="N", help="Seed of every draw. [default: 0]"),
]
Device: TypeAlias = Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or mps.")]
Threads: TypeAlias = Annotated[int | None, typer.Option(min=1, metavar="N", help="CPU threads.")]


def _duration(default: str) -> Any:
    return typer.Option(
        "--for", metavar="TIME", help=f"Train for {default}, 90s, 1h30m. [default: {default}]"
    )


Duration: TypeAlias = Annotated[str | None, _duration("5m")]
LongDuration: TypeAlias = Annotated[str | None, _duration("10m")]
Images: TypeAlias = Annotated[
    str | None, typer.Option(metavar="COUNT", help="Train on 500k, 2M, ... images instead.")
]
Size: TypeAlias = Annotated[
    int | None, typer.Option(min=1, metavar="PX", help="Side of the images in pixels.")
]
Labels: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="auto|prefix",
        help="prefix: classes are what file names begin with, as in cat_001.png. [default: auto]",
    ),
]
ColourPlanes: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--colour",
        metavar="auto|grey|rgb|rgba",
        help="Colours; rgba keeps transparency as a fourth channel, auto lays transparent images "
        "over a ground that is said. [default: auto]",
    ),
]
Fit: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="crop|pad",
        help="Make images square: crop to the middle, or pad the shorter sides. [default: crop]",
    ),
]
Settings: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Change one setting; repeatable. 'orthogan recipes NAME' explains them.",
    ),
]
ConfigFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Settings from a .toml, .yaml or .json file."),
]
DryRun: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="Show the settings and stop.")]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Show the result as JSON.")]


def check_device(name: str) -> None:
    """Refuses what is no kind of device, before anything heavy is loaded.

    Raises:
        UnknownNameError: it is none.
    """
    if name not in DEVICES:
        raise UnknownNameError("device", name, DEVICES)


def as_settings(given: Mapping[str, str | None]) -> list[str]:
    """Options that are settings under another name, as `--set` takes them; None is not given.

    >>> as_settings({"compile": "on", "data.labels": None})
    ['compile=on']
    """
    return [f"{name}={value}" for name, value in given.items() if value is not None]


def parse_budget(duration: str | None, **counts: str | None) -> dict[str, Any]:
    """What `--for` and the options that count say, as the Python functions take it.

    Args:
        duration: What `--for` says.
        counts: What the others say, by their names.

    Raises:
        ConfigError: two are given, or one is no such amount.

    >>> parse_budget(None, images="500k")
    {'minutes': None, 'images': 500000}
    """
    given = [name for name, count in {"for": duration, **counts}.items() if count is not None]
    if len(given) > 1:
        raise ConfigError(f"--{given[0]} and --{given[1]} exclude one another; give one of them.")
    numbers = {name: None if text is None else parse_count(text) for name, text in counts.items()}
    return {"minutes": None if duration is None else parse_minutes(duration), **numbers}
