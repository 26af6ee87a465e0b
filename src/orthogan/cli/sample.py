"""`orthogan sample`: images from a trained model, one a seed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

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
MOST_STEPS = 500
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
    interpolate: Annotated[
        bool,
        typer.Option(
            "--interpolate",
            help="Draw the ways from each seed to the next, or from class to class of one seed.",
        ),
    ] = False,
    direction: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Move the image of each seed along the N-th principal direction; 1 changes most.",
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=MOST_STEPS,
            metavar="N",
            help="Images of a way, ends included. [default: 8; 24 in an animation or folder]",
        ),
    ] = None,
    truncation: Annotated[
        float,
        typer.Option(
            metavar="X",
            help="Above 0, at most 1: less gives more ordinary, more uniform images.",
        ),
    ] = 1.0,
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

    --interpolate and --direction write a grid (.png, .jpg), one way a row, an animation (.gif,
    .webp) or a folder of frames. Ways follow great circles among the latents.
    """
    if interpolate or direction is not None:
        _walk(
            source,
            seeds,
            classes,
            out,
            Way(interpolate, direction, steps, truncation),
            (scale, picture_format),
            as_json,
        )
        return
    if steps is not None:
        raise ConfigError("--steps goes with --interpolate or --direction.")
    numbers = parse_numbers(seeds)
    labels = None if classes is None else class_list(classes)
    target = out or Path(f"samples-{name_of(source)}.png")
    suffix = _checked_suffix(target, scale, picture_format)
    if suffix in GRIDS and len(numbers) > MOST_IN_A_GRID:
        raise ConfigError(
            f"A grid holds at most {MOST_IN_A_GRID} images, got {len(numbers)}; "
            "give --out a folder or a .npz."
        )
    images = _drawn(source, numbers, labels, truncation)
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


class Way(NamedTuple):
    """What is walked, and how."""

    interpolate: bool
    direction: int | None
    steps: int | None
    truncation: float


def _walk(
    source: str,
    seeds: str,
    classes: str | None,
    out: Path | None,
    way: Way,
    form: tuple[int | None, str | None],
    as_json: bool,
) -> None:
    """Draws the ways between seeds, or along a direction, and writes them.

    Raises:
        ConfigError: options exclude each other, or the target cannot hold ways.
    """
    from orthogan.cli import walk_files

    if way.interpolate and way.direction is not None:
        raise ConfigError("--interpolate and --direction are two kinds of ways; give one of them.")
    if Path(source).suffix.lower() == ".onnx":
        raise ConfigError(f"{source}: an exported file has no latent space to walk; use the run.")
    target = out or Path(f"walk-{name_of(source)}.png")
    walk_files.check(target, form[1])
    steps = way.steps or (walk_files.GRID_STEPS if walk_files.is_grid(target) else
                          walk_files.FRAME_STEPS)  # fmt: skip
    labels = None if classes is None else class_list(classes)
    numbers = parse_numbers(seeds)
    collect_never()
    keep_pages()
    from orthogan.models import generator as models

    model = models.load(source)
    if model.note:
        say(model.note)
    if way.direction is None:
        pixels = model.interpolate(numbers, labels, steps=steps, truncation=way.truncation)
    else:
        pixels = model.move(numbers, labels, direction=way.direction, steps=steps,
                            truncation=way.truncation)  # fmt: skip
    images = pixels.permute(0, 2, 3, 1).contiguous().numpy()
    walk_files.write(images, target, steps, way.direction is None, form)
    if as_json:
        facts = {"num_images": len(images), "steps": steps, "seeds": seeds}
        show_json({"out": str(target), **facts})
    else:
        show(str(target))


def _drawn(
    source: str, seeds: list[int], classes: list[int | str] | None, truncation: float
) -> np.ndarray:
    """Bytes: image x row x column x colour; an exported generator needs no PyTorch."""
    if Path(source).suffix.lower() == ".onnx":
        if truncation != 1:
            raise ConfigError(f"{source}: an exported file takes no --truncation; use the run.")
        from orthogan.export.onnx_file import load_exported

        return load_exported(source).sample(seeds, classes)
    collect_never()
    keep_pages()
    from orthogan.models import generator as models

    model = models.load(source)
    if model.note:
        say(model.note)
    pixels = model.sample(seeds, classes, **({} if truncation == 1 else {"truncation": truncation}))
    return pixels.permute(0, 2, 3, 1).contiguous().numpy()
