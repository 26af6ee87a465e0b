"""`orthogan sample`: images from a trained model, one a seed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orthogan.class_names import class_list
from orthogan.cli.amounts import parse_numbers
from orthogan.cli.options import AsJson
from orthogan.cli.output import say, show, show_json
from orthogan.cli.process import collect_never, keep_pages
from orthogan.cli.sources import name_of
from orthogan.errors import ConfigError, UnknownNameError

if TYPE_CHECKING:
    import numpy as np

MOST_IN_A_GRID = 10_000  # 100 x 100; a larger picture cannot be looked at
LARGEST_SCALE = 64  # an image of 16 px fills a screen
GRIDS = (".png", ".jpg", ".jpeg", ".webp")
FORMATS = ("png", "jpg", "webp")


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
            metavar="PATH",
            help="A .png, .jpg or .webp grid, a .npz, or a folder. [default: samples-NAME.png]",
        ),
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=LARGEST_SCALE,
            metavar="N",
            help="Draw each pixel as N x N. [default: a grid until it is 512 px wide, "
            "a picture as it is]",
        ),
    ] = None,
    picture_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="Pictures of a folder: png, webp (both without loss) or jpg (quality 95). "
            "[default: png]",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw images from a trained model; a seed gives the same image each time.

    Transparent images keep their transparency in PNG and WebP pictures and .npz; a grid lays
    them over a checkerboard.

    Classes are asked for by name: --classes cats,dogs. Where a name exists it wins; a number
    that is no name is an index, counted from 0 in the order that 'orthogan runs' and the README
    of the model show. 0-9 is a range, unless a class is called so. A name that holds a comma, a
    quote or outer spaces stands in double quotes, a quote in it doubled:
    --classes '"salt, pepper",cats'.
    """
    numbers = parse_numbers(seeds)
    labels = None if classes is None else class_list(classes)
    target = out or Path(f"samples-{name_of(source)}.png")
    suffix = _checked_suffix(target, scale, picture_format)
    if suffix in GRIDS and len(numbers) > MOST_IN_A_GRID:
        raise ConfigError(
            f"A grid holds at most {MOST_IN_A_GRID} images, got {len(numbers)}; "
            "give --out a folder or a .npz."
        )
    images = _drawn(source, numbers, labels)
    _write(images, numbers, target, suffix, scale, picture_format)
    if as_json:
        shape = {"size": images.shape[1], "colours": images.shape[3]}
        show_json({"out": str(target), "num_images": len(numbers), "seeds": seeds, **shape})
    else:
        show(str(target))


def _checked_suffix(target: Path, scale: int | None, picture_format: str | None) -> str:
    """The suffix of the file to write; empty for a folder.

    Raises:
        ConfigError: it cannot be written, or an option does not go with it.
        UnknownNameError: no such format.
    """
    suffix = "" if target.is_dir() else target.suffix.lower()
    if suffix not in {"", ".npz", *GRIDS}:
        raise ConfigError(f"--out is a .png, .jpg, .webp or .npz file or a folder, got '{target}'.")
    if picture_format is not None:
        if picture_format not in FORMATS:
            raise UnknownNameError("format", picture_format, FORMATS)
        if suffix:
            raise ConfigError(
                f"--format is for the pictures of a folder, and --out is '{target}'; "
                "a grid has the format of its suffix."
            )
    if suffix == ".npz" and scale is not None:
        raise ConfigError("--scale enlarges pictures, and a .npz keeps the images as they are.")
    return suffix


def _write(
    images: np.ndarray,
    seeds: list[int],
    target: Path,
    suffix: str,
    scale: int | None,
    picture_format: str | None,
) -> None:
    from orthogan.cli import sample_files

    if suffix in GRIDS:
        sample_files.write_grid(images, target, suffix, scale)
    elif suffix == ".npz":
        sample_files.write_arrays(images, seeds, target)
    else:
        end = f".{picture_format or 'png'}"
        sample_files.write_pictures(images, seeds, target, end, scale or 1)


def _drawn(source: str, seeds: list[int], classes: list[int | str] | None) -> np.ndarray:
    """Bytes: image x row x column x colour; an exported generator needs no PyTorch."""
    if Path(source).suffix.lower() == ".onnx":
        from orthogan.export.onnx_file import load_exported

        return load_exported(source).sample(seeds, classes)
    collect_never()
    keep_pages()
    from orthogan.models import generator as models

    model = models.load(source)
    if model.note:
        say(model.note)
    pixels = model.sample(seeds, classes)
    return pixels.permute(0, 2, 3, 1).contiguous().numpy()
