"""`orthogan language`: learns from a text which token comes next."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from orthogan.cli.options import (
    AsJson,
    ConfigFile,
    Device,
    DryRun,
    Run,
    Seed,
    Settings,
    Threads,
    check_device,
    parse_budget,
)
from orthogan.cli.output import number, say, show, show_json, show_table, show_yaml
from orthogan.cli.train import EXIT_CODES


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
    asked: dict[str, Any] = {
        **parse_budget(duration, tokens=tokens),
        "seed": seed,
        "settings": settings or [],
        "config": config,
        "tokenizer": tokenizer,
    }
    from orthogan.language import api as language_models

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
