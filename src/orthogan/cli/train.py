"""`orthogan train`: learns from images, and goes on where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orthogan.cli import INTERRUPTED, PREEMPTED
from orthogan.cli.amounts import LARGEST_SEED, parse_count, parse_minutes
from orthogan.cli.output import say, show, show_json, show_table, show_yaml
from orthogan.errors import ConfigError, UnknownNameError

DEVICES = ("auto", "cpu", "cuda", "mps")
EXIT_CODES = {"diverged": 4, "preempted": PREEMPTED, "interrupted": INTERRUPTED}


def train(
    *,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="mnist, stacked-mnist, a folder, .zip, .npz, .npy, an IDX file, or hf:NAME. "
            "[default: mnist]",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="NAME", help="Recipe; see 'orthogan recipes'.")
    ] = "attention-gan",
    duration: Annotated[
        str | None,
        typer.Option("--for", metavar="TIME", help="Train for 5m, 90s, 1h30m. [default: 5m]"),
    ] = None,
    images: Annotated[
        str | None, typer.Option(metavar="COUNT", help="Train on 500k, 2M, ... images instead.")
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
    size: Annotated[
        int | None, typer.Option(min=1, metavar="PX", help="Side of the images in pixels.")
    ] = None,
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
    """Train a GAN; the same command resumes it."""
    if device not in DEVICES:
        raise UnknownNameError("device", device, DEVICES)
    if duration is not None and images is not None:
        raise ConfigError("--for and --images exclude one another; give one of them.")
    asked: dict[str, Any] = {
        "model": model,
        "minutes": None if duration is None else parse_minutes(duration),
        "images": None if images is None else parse_count(images),
        "seed": seed,
        "settings": settings or [],
        "config": config,
        "size": size,
    }
    from orthogan import api

    if dry_run:
        (show_json if as_json else show_yaml)(
            api.resolve(data, **_without(asked, "run", "device", "threads")).to_dict()
        )
        return 0
    result = api.train(data, run=run, device=device, threads=threads, **asked)
    if as_json:
        show_json(result.to_dict())
    else:
        _show(result)
    say(" ".join(filter(None, [result.reason, f"Next: {result.next_command}"])))
    return EXIT_CODES.get(result.status, 0)


def _show(result: Any) -> None:
    show(str(result.path))
    rows = [["status", result.status], ["images", f"{result.images_seen:,}"]]
    rows += [["seconds", f"{result.seconds:.0f}"]]
    rows += [[name, f"{value:.4g}"] for name, value in result.scores.items()]
    show_table(["result", "value"], rows)


def _without(asked: dict[str, Any], *names: str) -> dict[str, Any]:
    """What decides the settings: where and with how many threads to train does not."""
    return {name: value for name, value in asked.items() if name not in names}
