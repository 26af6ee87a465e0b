"""`orthogan train`: learns from images, and goes on where it stopped."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from orthogan.cli.command_line import Context, typed_words
from orthogan.cli.options import (
    AsJson,
    ColourPlanes,
    ConfigFile,
    Device,
    DryRun,
    Duration,
    Fit,
    Images,
    Labels,
    Run,
    Seed,
    Settings,
    Size,
    Threads,
    as_settings,
    check_device,
    parse_budget,
)
from orthogan.cli.output import show_json
from orthogan.cli.processes import Processes, follows, is_launched, launched
from orthogan.cli.training import exit_code, say_why, show_run, show_settings, told


def train(
    context: Context,
    *,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="mnist, stacked-mnist, a folder, .zip, .npz, .npy, IDX or CIFAR file, or hf:NAME. "
            "[default: mnist]",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Recipe; see 'orthogan recipes'. [default: attention-gan]"
        ),
    ] = None,
    duration: Duration = None,
    images: Images = None,
    run: Run = None,
    seed: Seed = None,
    device: Device = "auto",
    threads: Threads = None,
    processes: Processes = None,
    compile_steps: Annotated[
        str | None,
        typer.Option(
            "--compile", metavar="WHEN", help="auto, on or off: compiled steps. [default: auto]"
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="budget|converged",
            help="converged: end before the budget once images no longer get better. "
            "[default: budget]",
        ),
    ] = None,
    no_rollback: Annotated[
        bool,
        typer.Option(
            "--no-rollback", help="Only tell what the watch finds; do not go back to a checkpoint."
        ),
    ] = False,
    size: Size = None,
    colour: ColourPlanes = None,
    fit: Fit = None,
    labels: Labels = None,
    settings: Settings = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> int:
    """Train a GAN, or go on with a run.

    The same command resumes a run that was stopped, and so does --run alone: what is not given is
    taken from the run. A longer --for or --images extends it, also once it is done.
    """
    check_device(device)
    if processes is not None and not dry_run and not is_launched(processes):
        return launched(typed_words(context)[1:], processes)
    given = {
        "compile": compile_steps,
        "data.labels": labels,
        "data.colour": colour,
        "data.fit": fit,
        "until": until,
        "rollbacks": "0" if no_rollback else None,
    }
    requested: dict[str, Any] = {
        "model": model,
        **parse_budget(duration, images=images),
        "seed": seed,
        "settings": [*(settings or []), *as_settings(given)],
        "config": config,
        "size": size,
    }
    from orthogan.data.inspection import inspections
    from orthogan.gan import api

    with inspections() as found:
        if dry_run:
            return show_settings(api.resolve(data, run=run, **requested), as_json, found)
        result = api.train(data, run=run, device=device, threads=threads, **requested)
    if follows():
        return exit_code(result)
    if as_json:
        show_json(result.to_dict() | told(found))
    else:
        show_run(result)
    return say_why(result)
