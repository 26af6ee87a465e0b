"""`orthogan fork`: a new run from a checkpoint of another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orthogan.cli.options import (
    AsJson,
    Device,
    Images,
    Seed,
    Settings,
    Threads,
    check_device,
    parse_budget,
)
from orthogan.cli.output import show_json
from orthogan.cli.training import say_why, show_run


def fork(
    *,
    source: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the run to leave.")],
    run: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the new run.")],
    at: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="COUNT",
            help="Image count of one of its checkpoints. [default: the newest]",
        ),
    ] = None,
    duration: Annotated[
        str | None,
        typer.Option(
            "--for", metavar="TIME", help="What both train in all. [default: that of RUN]"
        ),
    ] = None,
    images: Images = None,
    seed: Seed = None,
    device: Device = "auto",
    threads: Threads = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> int:
    """Train a new run from a checkpoint of another, with other settings.

    It keeps networks, condition and data; what is not given is as in the run it leaves, which
    stays as it is. Images and time go on from those of the checkpoint. Once begun, orthogan train
    --run goes on with it as with any run.
    """
    check_device(device)
    budget = parse_budget(duration, images=images)
    from orthogan.training.forking import Fork, fork_run
    from orthogan.training.request import Request
    from orthogan.training.task import Launch

    result = fork_run(
        Fork(source=source, images_seen=at),
        Request(
            minutes=budget["minutes"], count=budget["images"], seed=seed, settings=settings or ()
        ),
        Launch(path=run, device=device, threads=threads),
    )
    if as_json:
        show_json(result.to_dict())
    else:
        show_run(result, result.unit)
    return say_why(result)
