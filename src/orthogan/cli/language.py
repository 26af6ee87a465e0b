"""`orthogan language`: learns from a text which token comes next."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from orthogan.cli.options import (
    AsJson,
    ConfigFile,
    Device,
    DryRun,
    Duration,
    Run,
    Seed,
    Settings,
    Threads,
    check_device,
    parse_budget,
)
from orthogan.cli.output import number, show_json, show_table
from orthogan.cli.training import say_why, show_run, show_settings


def language(
    *,
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="TEXT", help="A text file, a folder of .txt files, or austen. [default: austen]"
        ),
    ] = None,
    duration: Duration = None,
    tokens: Annotated[
        str | None, typer.Option(metavar="COUNT", help="Train on 500k, 2M, ... tokens instead.")
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="characters, bytes or words. [default: characters]"),
    ] = None,
    run: Run = None,
    seed: Seed = None,
    device: Device = "auto",
    threads: Threads = None,
    settings: Settings = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> int:
    """Train a small language Transformer on a text."""
    check_device(device)
    requested: dict[str, Any] = {
        **parse_budget(duration, tokens=tokens),
        "seed": seed,
        "settings": settings or [],
        "config": config,
        "tokenizer": tokenizer,
    }
    from orthogan.language import api as language_models

    if dry_run:
        return show_settings(language_models.resolve_language(text, run=run, **requested), as_json)
    place: dict[str, Any] = {"run": run, "device": device, "threads": threads}
    result = language_models.train_language(text, **place, **requested)
    if as_json:
        show_json(result.to_dict())
    else:
        _show(result)
    return say_why(result)


def _show(result: Any) -> None:
    show_run(result, "tokens")
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
