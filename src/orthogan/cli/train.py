"""`orthogan train`: learns from images, and goes on where it stopped."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from orthogan.cli import INTERRUPTED, PREEMPTED
from orthogan.cli.options import (
    AsJson,
    ConfigFile,
    Device,
    DryRun,
    Images,
    Run,
    Seed,
    Settings,
    Size,
    Threads,
    check_device,
    parse_budget,
)
from orthogan.cli.output import say, show, show_json, show_table, show_yaml

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
    images: Images = None,
    run: Run = None,
    seed: Seed = None,
    device: Device = "auto",
    threads: Threads = None,
    compile_steps: Annotated[
        str | None,
        typer.Option(
            "--compile", metavar="WHEN", help="auto, on or off: compiled steps. [default: auto]"
        ),
    ] = None,
    size: Size = None,
    settings: Settings = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> int:
    """Train a GAN; the same command resumes it."""
    check_device(device)
    asked: dict[str, Any] = {
        "model": model,
        **parse_budget(duration, images=images),
        "seed": seed,
        "settings": [*(settings or []), *([f"compile={compile_steps}"] if compile_steps else [])],
        "config": config,
        "size": size,
    }
    from orthogan.gan import api

    if dry_run:
        (show_json if as_json else show_yaml)(api.resolve(data, **asked).to_dict())
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
