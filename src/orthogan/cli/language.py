"""`orthogan language`: learns from a text which token comes next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orthogan.cli.amounts import LARGEST_SEED, parse_count, parse_minutes
from orthogan.cli.output import number, say, show, show_json, show_table, show_yaml
from orthogan.cli.train import DEVICES, EXIT_CODES
from orthogan.errors import ConfigError, UnknownNameError


def language(
    *,
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="TEXT", help="A text file, a folder of .txt files, or austen. [default: austen]"
        ),
    ] = None,
    duration: Annotated[
        str | None,
        typer.Option("--for", metavar="TIME", help="Train for 5m, 90s, 1h30m. [default: 5m]"),
    ] = None,
    tokens: Annotated[
        str | None, typer.Option(metavar="COUNT", help="Train on 500k, 2M, ... tokens instead.")
    ] = None,
    tokeniser: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="characters, bytes or words. [default: characters]"),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Run folder; an unfinished one is resumed. [default: runs/...]"
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=LARGEST_SEED, metavar="N", help="Seed of every draw. [default: 0]"),
    ] = None,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or mps.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, metavar="N", help="CPU threads.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change one setting; repeatable."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Settings from a .toml, .yaml or .json file."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the settings and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Show the result as JSON.")] = False,
) -> int:
    """Train a small language Transformer on a text."""
    if device not in DEVICES:
        raise UnknownNameError("device", device, DEVICES)
    if duration is not None and tokens is not None:
        raise ConfigError("--for and --tokens exclude one another; give one of them.")
    asked: dict[str, Any] = {
        "minutes": None if duration is None else parse_minutes(duration),
        "tokens": None if tokens is None else parse_count(tokens),
        "seed": seed,
        "settings": settings or [],
        "config": config,
        "tokeniser": tokeniser,
    }
    from orthogan import language_models

    if dry_run:
        settled = language_models.resolve_language(text, **asked)
        (show_json if as_json else show_yaml)(settled.to_dict())
        return 0
    result = language_models.train_language(text, run=run, device=device, threads=threads, **asked)
    if as_json:
        show_json(result.to_dict())
    else:
        _show(result)
    say(f"{result.reason} Next: {result.next_command}")
    return EXIT_CODES.get(result.status, 0)


def _show(result: Any) -> None:
    show(str(result.path))
    rows = [["status", result.status], ["tokens", f"{result.tokens_seen:,}"]]
    rows += [["seconds", f"{result.seconds:.0f}"]]
    if not result.score:
        rows += [[name, number(value)] for name, value in result.scores.items()]
    show_table(["result", "value"], rows)
    if result.score:
        show_table(
            ["score", "value", "95 % interval", "frequencies alone", "tokens"],
            [
                [
                    name,
                    number(score["value"]),
                    f"{number(score['low'])} to {number(score['high'])}",
                    number(score["floor"]),
                    f"{score['n']:,}",
                ]
                for name, score in result.score["scores"].items()
            ],
        )
