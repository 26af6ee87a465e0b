"""`load`: any source of images as one `ImageSet`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

# Importing a module files its sources and readers.
from orthogan.data import archive, arrays, folder, idx, mnist  # noqa: F401
from orthogan.data.catalogue import MIN_IMAGES, READERS, SOURCES, Colour, Wanted
from orthogan.data.hub import PREFIX, load_hub
from orthogan.data.image_set import ImageSet
from orthogan.data.oddities import oddities
from orthogan.data.pictures import SUFFIXES
from orthogan.errors import DataError, OrthoganError, did_you_mean


def load(
    source: str | Path,
    *,
    size: int | None = None,
    colour: Colour = "auto",
    split: str = "train",
) -> ImageSet:
    """The images of a source, as equal squares in memory.

    Args:
        source: The name of a data set ("mnist", "stacked-mnist", "hf:NAME"), or the path of a
            folder or .zip of pictures, an .npz or .npy file, or an IDX file (raw, .gz, .xz).
        size: Side of the squares in pixels, a multiple of 4 from 16 to 64. By default the
            images' own size if they share one, else 32; the notes of the set say what was done.
        colour: "grey", "rgb", or "auto": grey if every image is.
        split: "train" or "test".

    Raises:
        ConfigError: `size`, `colour` or `split` is impossible.
        DataError: the source is missing, damaged, or has fewer than 16 usable images.
        MissingExtraError: a hub data set was asked for without the extra `hf`.

    >>> load("mnist", split="test").images.shape
    torch.Size([10000, 1, 28, 28])
    """
    wanted = Wanted(size, colour, split)
    try:
        images = _read(source, wanted)
    except OrthoganError:
        raise
    except OSError as error:
        raise DataError(f"{source}: cannot be read: {error.strerror or error}.") from None
    except MemoryError:
        raise DataError(f"{source}: does not fit into the memory of this machine.") from None
    # A held-out part is scored on: few images make that coarse, not impossible.
    if len(images) < (MIN_IMAGES if split == "train" else 1):
        raise DataError(
            f"{source}: training needs at least {MIN_IMAGES} usable images, got {len(images)}. "
            f"{' '.join(images.notes)}".rstrip()
        )
    return images


def settled(source: str) -> str:
    """The source under a name that holds in every folder: the path of existing data is absolute.

    Names of data sets stay as they are, and so does what cannot be found.

    >>> settled("mnist"), settled("hf:fashion_mnist"), settled("no/such/file.npz")
    ('mnist', 'hf:fashion_mnist', 'no/such/file.npz')
    """
    path = _path(source)
    if source in SOURCES or source.startswith(PREFIX) or not source or not _exists(path):
        return source
    return str(path.absolute())


def _read(source: str | Path, wanted: Wanted) -> ImageSet:
    if isinstance(source, str):
        if source in SOURCES:
            return _read_named(source, wanted)
        if source.startswith(PREFIX):
            return load_hub(source.removeprefix(PREFIX), wanted)
    path = _path(source)
    if not str(source) or not _exists(path):
        raise DataError(
            f"'{source}' is neither an existing file or folder nor a known data set."
            f"{did_you_mean(str(source), [*SOURCES, PREFIX + 'NAME'])}"
        )
    images = READERS[_format_of(path)](path, wanted)
    return replace(images, notes=(*images.notes, *oddities(images.images)))


def _read_named(name: str, wanted: Wanted) -> ImageSet:
    images = SOURCES[name](wanted)
    if not _exists(Path(name)):
        return images
    note = f"'{name}' is the data set of that name; for the path, write './{name}'."
    return replace(images, notes=(*images.notes, note))


def _format_of(path: Path) -> str:
    if path.is_dir():
        if folder.is_run(path):
            raise DataError(
                f"{path}: is a folder of a training run, which holds grids of samples, not images; "
                "name the images that it learned from, or leave out --data; for images of its "
                "generator, draw some into another folder: orthogan sample RUN --out FOLDER."
            )
        return "folder"
    if not path.is_file():
        raise DataError(f"{path}: is neither a regular file nor a folder.")
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        raise DataError(f"{path}: is a single picture; name the folder it lies in.")
    return suffix[1:] if suffix in (".npz", ".npy", ".zip") else "idx"


def _path(source: str | Path) -> Path:
    return Path(os.path.expanduser(source))  # noqa: PTH111 - Path.expanduser raises on '~nobody'


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long or with a zero byte
        return False
