"""`orthogan evaluate`: scores with their intervals and floors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orthogan.cli.amounts import LARGEST_SEED
from orthogan.cli.options import AsJson
from orthogan.cli.output import number, say, show, show_json, show_table

Metrics = Annotated[
    str | None,
    typer.Option(metavar="NAMES", help="Names, separated by commas. [default: all that fit]"),
]
NumImages = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Images to generate. [default: 5000, of digits 10000, of stacked ones 26000]",
    ),
]
Extractors = Annotated[
    str,
    typer.Option(
        metavar="NAME[,NAME]",
        help="What describes images (`orthogan parts extractor`), and a second judge for the "
        "verdict; auto: one that knows them, and one of another architecture; own: one that is "
        "trained on the real images, in half a minute.",
    ),
]
Neighbours = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write a picture of images beside the training images nearest to them, the most "
        "copy-like first (.png, .webp, .jpg).",
    ),
]


def evaluate(
    *,
    source: Annotated[
        str,
        typer.Argument(metavar="SOURCE", help="Run folder, bundle, or a folder or .npz of images."),
    ],
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="Real images to compare with. [default: the training data; of images: mnist]",
        ),
    ] = None,
    metrics: Metrics = None,
    num_images: NumImages = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, metavar="N", help="Seed of every draw.")
    ] = 0,
    extractor: Extractors = "auto,auto",
    neighbours: Neighbours = None,
    as_json: AsJson = False,
) -> None:
    """Measure how close generated images are to real ones."""
    from orthogan.cli.sample_files import check_picture_name, write_picture
    from orthogan.evaluation.waiting import telling
    from orthogan.gan import api

    if neighbours is not None:
        check_picture_name(neighbours)  # before anything takes time
    first, _, second = (part.strip() for part in extractor.partition(","))
    names = None if metrics is None else [name.strip() for name in metrics.split(",")]
    result = api.evaluate(
        source,
        data,
        metrics=names,
        num_images=num_images,
        seed=seed,
        extractor=first,
        second_judge=second or None,
        report=telling(say),
    )
    if neighbours is not None:
        write_picture(api.neighbours(source, data, seed=seed), neighbours)
    tree = result.to_dict()
    if as_json:
        show_json(tree)
        return
    rows = _rows(tree["scores"])
    if "second" in tree:
        rows += _rows(tree["second"]["scores"], f"[{tree['second']['extractor']}]")
    show_table(
        ["score", "value", "95 % interval", "floor", "images"],
        rows,
    )
    if tree.get("compared"):
        show(tree["compared"]["sentence"])
    show(tree["verdict"])
    for note in tree.get("notes", []):
        say(note)


def _rows(scores: dict[str, Any], judge: str = "") -> list[list[str]]:
    """A row a score; those of a second judge bear its name."""
    return [_row(name if "[" in name else f"{name}{judge}", scores[name]) for name in scores]


def _row(name: str, score: dict[str, Any]) -> list[str]:
    low, high = score.get("low"), score.get("high")
    interval = "-" if low is None or high is None else f"{number(low)} to {number(high)}"
    value, floor, num_images = (number(score.get(key)) for key in ("value", "floor", "n"))
    return [name, value, interval, floor, num_images]
