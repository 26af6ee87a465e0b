"""`orthogan sample`: images from a trained model, one a seed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orthogan.class_names import class_list
from orthogan.cli.amounts import parse_numbers
from orthogan.cli.options import AsJson
from orthogan.cli.output import show, show_json
from orthogan.cli.process import collect_never, keep_pages
from orthogan.cli.sources import name_of
from orthogan.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

MOST_IN_A_GRID = 10_000  # 100 x 100; a larger picture cannot be looked at


def sample(
    *,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Run folder, bundle, .onnx file, or mnist-demo.")
    ],
    seeds: Annotated[
        str, typer.Option(metavar="LIST", help="Seeds such as 0-63 or 3,7,10-12.")
    ] = "0-63",
    classes: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="Classes such as cats,dogs or 0-9, repeated in turn."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="A .png grid, a .npz, or a folder. [default: samples-NAME.png]"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw images from a trained model; a seed gives the same image each time.

    Classes are asked for by name: --classes cats,dogs. Where a name exists it wins; a number
    that is no name is an index, counted from 0 in the order that 'orthogan runs' and the README
    of the model show. 0-9 is a range, unless a class is called so. A name that holds a comma, a
    quote or outer spaces stands in double quotes, a quote in it doubled:
    --classes '"salt, pepper",cats'.
    """
    numbers = parse_numbers(seeds)
    labels = None if classes is None else class_list(classes)
    target = out or Path(f"samples-{name_of(source)}.png")
    suffix = "" if target.is_dir() else target.suffix.lower()
    if suffix not in {"", ".png", ".npz"}:
        raise ConfigError(f"--out is a .png, a .npz or a folder, got '{target}'.")
    if suffix == ".png" and len(numbers) > MOST_IN_A_GRID:
        raise ConfigError(
            f"A grid holds at most {MOST_IN_A_GRID} images, got {len(numbers)}; "
            "give --out a folder or a .npz."
        )
    from orthogan.cli.sample_files import write_samples

    images = _drawn(source, numbers, labels)
    write_samples(images, numbers, target, suffix)
    if as_json:
        shape = {"size": images.shape[1], "colours": images.shape[3]}
        show_json({"out": str(target), "num_images": len(numbers), "seeds": seeds, **shape})
    else:
        show(str(target))


def _drawn(source: str, seeds: list[int], classes: list[int | str] | None) -> np.ndarray:
    """Bytes: image x row x column x colour; an exported generator needs no PyTorch."""
    if Path(source).suffix.lower() == ".onnx":
        from orthogan.export.onnx_file import load_exported

        return load_exported(source).sample(seeds, classes)
    collect_never()
    keep_pages()
    from orthogan.models import generator as models

    pixels = models.sample(source, seeds=seeds, classes=classes)
    return pixels.permute(0, 2, 3, 1).contiguous().numpy()
