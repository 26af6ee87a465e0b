"""`orthogan compare`: whether a setting matters, over seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orthogan.cli import PREEMPTED
from orthogan.cli.amounts import parse_numbers
from orthogan.cli.options import AsJson, ConfigFile, Size, Threads, check_device, parse_budget
from orthogan.cli.output import say, show, show_json, show_table
from orthogan.cli.training import EXIT_CODES

UNUSABLE = 3


def compare(
    *,
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN]...", help="Runs that exist, or folders of them."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What runs train: gan, classify or language. [default: gan, or as RUN]",
        ),
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=A,B", help="A setting and its values, or model; repeatable."),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(metavar="N|LIST", help="How many, or which: 10-14 or 3,7. [default: 5]"),
    ] = None,
    duration: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="TIME",
            help="Budget of each run: 5m, 90s. [default: 5m; classify: 10m]",
        ),
    ] = None,
    images: Annotated[
        str | None, typer.Option(metavar="COUNT", help="Budget of each run in images instead.")
    ] = None,
    tokens: Annotated[
        str | None, typer.Option(metavar="COUNT", help="The same in tokens, for language.")
    ] = None,
    parameters: Annotated[
        str | None,
        typer.Option(metavar="equal", help="Give all variants as many parameters; needs --match."),
    ] = None,
    match: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="Width to move for that; repeatable, one a network."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="The images or the text, as in the command of the task. [default: mnist, austen]",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Recipe of a GAN. [default: attention-gan]"),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change all variants; repeatable."),
    ] = None,
    config: ConfigFile = None,
    size: Size = None,
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help="auto, cpu, cuda or mps. [default: auto]")
    ] = None,
    threads: Threads = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Scores; the first decides the verdicts. [default: fd of GANs, else their own]",
        ),
    ] = None,
    num_images: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Images that each GAN is measured on. [default: 10000]"
        ),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Train nothing; show one command for each run.")
    ] = False,
    join: Annotated[
        bool,
        typer.Option(
            "--join",
            help="Share the runs with every other process that runs the same command, on this "
            "machine or another with the same folder.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Folder of runs and results. [default: comparisons/...]"
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Compare settings over seeds, or existing runs; the same command goes on."""
    if device is not None:
        check_device(device)
    numbers = None if seeds is None else _seeds(seeds)
    budget = parse_budget(duration, images=images, tokens=tokens)
    from orthogan import experiments as comparison
    from orthogan.experiments.variants import parse_vary

    result = comparison.compare(
        *(runs or []),
        task=task,
        vary=parse_vary(vary or []) or None,
        seeds=numbers,
        source=data,
        model=model,
        **budget,
        parameters=parameters,
        match=match or (),
        settings=settings or (),
        config=config,
        size=size,
        device=device,
        threads=threads,
        metrics=None if metrics is None else [name.strip() for name in metrics.split(",")],
        num_images=num_images,
        plan=plan,
        join=join,
        out=out,
    )
    if as_json:
        show_json(result.to_dict())
    else:
        _show(result)
    say(" ".join([result.reason, *_next(result)]))
    codes = EXIT_CODES | {"waiting": PREEMPTED, "failed": UNUSABLE}
    return codes.get(result.status, 0)


def _show(result: Any) -> None:
    for line in result.commands:
        show(line)
    if result.variants:
        show_table(*result.table)
        for sentence in result.verdicts:
            show(sentence)
        for note in result.notes:
            say(note)


def _next(result: Any) -> list[str]:
    if result.status == "planned":
        return ["Next: run the commands anywhere, then this one again without --plan."]
    if result.variants:
        return [] if result.out is None else [f"Next: look at {result.out / 'comparison.png'}"]
    return ["Next: repeat the same command to go on."]


def _seeds(text: str) -> int | list[int]:
    """`5` is a number of seeds, `0-4` and `3,7` say which."""
    numbers = parse_numbers(text)
    return numbers[0] if text.strip().isdigit() else numbers
