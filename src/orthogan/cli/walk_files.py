"""Ways through the latent space as files: a grid, an animation, or a folder of frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from orthogan.cli.sample_files import MOST_PIXELS, write_pictures
from orthogan.errors import ConfigError, UnknownNameError
from orthogan.files import write_file
from orthogan.images import animation
from orthogan.images.encoding import encoded
from orthogan.images.sheet import fitting_scale, sheet

GRID_STEPS, FRAME_STEPS = 8, 24
GRIDS = (".png", ".jpg", ".jpeg")
FORMATS = ("png", "jpg", "webp")


def check(target: Path, picture_format: str | None) -> None:
    """Nothing, if ways can be written at `target`.

    Raises:
        ConfigError: they cannot.
        UnknownNameError: no such format of frames.
    """
    suffix = _suffix(target)
    if suffix not in {"", *GRIDS, *animation.SUFFIXES}:
        raise ConfigError(
            f"A way goes into a .png or .jpg grid, a .gif or .webp animation, or a folder of "
            f"frames, got '{target}'."
        )
    if picture_format is not None and picture_format not in FORMATS:
        raise UnknownNameError("format", picture_format, FORMATS)
    if picture_format is not None and suffix:
        raise ConfigError(f"--format is for the frames of a folder, and --out is '{target}'.")


def is_grid(target: Path) -> bool:
    """Whether one picture is to show all steps side by side."""
    return _suffix(target) in GRIDS


def write(
    images: np.ndarray,
    target: Path,
    steps: int,
    is_chain: bool,
    form: tuple[int | None, str | None],
) -> None:
    """Writes ways.

    Args:
        images: Bytes: image x row x column x colour, the steps of each way one after another.
        target: Where to.
        steps: Of each way.
        is_chain: Whether each way begins where the one before it ends, so that an animation shows
            one image that walks them all; else all ways move at once.
        form: How often each pixel is repeated, and the format of frames; None: the usual.

    Raises:
        ConfigError: the picture or the animation would be too large.
        StorageError: the place cannot be written.
    """
    scale, picture_format = form
    suffix = _suffix(target)
    if suffix in GRIDS:
        write_file(target, encoded(_sheet(images, steps, scale), suffix))
        return
    frames = _chained(images, steps) if is_chain else _together(images, steps)
    if suffix:
        whole = scale or fitting_scale(_side(len(frames[0]), images.shape[2]))
        pictures = [_sheet(frame, None, whole) for frame in frames]
        there_and_back = [*pictures, *pictures[-2:0:-1]]
        write_file(target, animation.animation(there_and_back, suffix))
        return
    flat = np.concatenate(frames)
    write_pictures(flat, range(len(flat)), target, f".{picture_format or 'png'}", scale or 1)


def _suffix(target: Path) -> str:
    return "" if target.is_dir() else target.suffix.lower()


def _sheet(images: np.ndarray, columns: int | None, scale: int | None) -> Image.Image:
    width = (columns or len(images)) * images.shape[2] * (scale or 1)
    height = len(images) // (columns or len(images)) * images.shape[1] * (scale or 1)
    if width * height > MOST_PIXELS:
        raise ConfigError(
            f"A grid has at most {MOST_PIXELS:,} pixels; ask for fewer seeds or --steps."
        )
    return sheet(images, columns=columns, scale=scale)


def _chained(images: np.ndarray, steps: int) -> list[np.ndarray]:
    """One image a frame; where two ways meet, the place they share stands once."""
    keep = [at for at in range(len(images)) if at == 0 or at % steps]
    return [images[at : at + 1] for at in keep]


def _together(images: np.ndarray, steps: int) -> list[np.ndarray]:
    """All ways at the same step in each frame."""
    return [images[step::steps] for step in range(steps)]


def _side(num_images: int, width: int) -> int:
    columns = int(np.ceil(np.sqrt(num_images)))
    return columns * width
