"""`load`: any source of images as one `ImageSet`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from orthogan.data.catalogue import (
    DATA_SETS,
    FORMATS,
    HUBS,
    MIN_IMAGES,
    Colour,
    Fit,
    Format,
    LoadOptions,
)
from orthogan.data.formats.folder import is_run
from orthogan.data.image_set import ImageSet
from orthogan.data.in_memory import is_kept, load_kept
from orthogan.data.inspection import report
from orthogan.data.oddities import oddities
from orthogan.data.pickled import refuse_pickles
from orthogan.data.pictures import SUFFIXES
from orthogan.data.tar_shards import is_pattern, shards_of
from orthogan.errors import DataError, OrthoganError, did_you_mean

# As data sets are handed out; unpacked they are folders, which are read.
ARCHIVES = (".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tbz2", ".rar", ".7z")


def load(
    source: str | Path,
    *,
    size: int | None = None,
    colour: Colour = "auto",
    split: str = "train",
    labels: str = "auto",
    fit: Fit = "crop",
) -> ImageSet:
    """The images of a source, as equal squares in memory.

    Args:
        source: The name of a data set ("mnist", "stacked-mnist", "hf:NAME"), or the path of a
            folder or .zip of pictures, an .npz or .npy file, an IDX file (raw, .gz, .xz), a
            binary file of CIFAR, or a folder of such files.
        size: Side of the squares in pixels, a multiple of 4 from 16 to 128. By default the
            images' own size if they share one up to 64, else 32; the notes of the set say what
            was done.
        colour: "grey", "rgb", "rgba" (transparency is kept as a fourth channel), or "auto": grey
            if every image is, and transparent ones lie over a ground that the notes name.
        split: "train" or "test".
        labels: "auto": the classes that the source has; "prefix": of pictures in a folder or .zip,
            what stands before the number in a file name (`cat_001.png` is of the class `cat`).
        fit: What makes pictures square: "crop", to their middle, or "pad", which adds to the
            shorter sides.

    Raises:
        ConfigError: `size`, `colour`, `split`, `labels` or `fit` is impossible.
        DataError: the source is missing, damaged, or has fewer than 16 usable images.
        MissingExtraError: a hub data set was asked for without the extra `hf`.

    >>> load("mnist", split="test").images.shape
    torch.Size([10000, 1, 28, 28])
    """
    options = LoadOptions(size, colour, split, labels, fit)
    try:
        images = _read(source, options)
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
    report(images)
    return images


def resolved(source: str) -> str:
    """The source under a name that holds in every folder: the path of existing data is absolute.

    Names of data sets stay as they are, and so does what cannot be found.

    >>> resolved("mnist"), resolved("hf:fashion_mnist"), resolved("no/such/file.npz")
    ('mnist', 'hf:fashion_mnist', 'no/such/file.npz')
    """
    path = _path(source)
    is_name = source in DATA_SETS or _hub_of(source) or is_kept(source)
    if is_name or not source or not (is_pattern(source) or _exists(path)):
        return source
    return str(path.absolute())


def check_source(source: str) -> None:
    """Nothing, if there is a source of this name; whether it can be used, loading it tells.

    Raises:
        DataError: there is none.
    """
    if source not in DATA_SETS and not _hub_of(source) and not is_kept(source):
        _check_exists(source)


def _check_exists(source: str | Path) -> None:
    if is_pattern(source):
        shards_of(source)
        return
    if not str(source) or not _exists(_path(source)):
        known = [*DATA_SETS, *(f"{hub}:NAME" for hub in HUBS)]
        raise DataError(
            f"'{source}' is neither an existing file or folder nor a known data set."
            f"{did_you_mean(str(source), known)}"
        )


def _read(source: str | Path, options: LoadOptions) -> ImageSet:
    if isinstance(source, str):
        if is_kept(source):
            return _with_oddities(load_kept(source, options))
        if source in DATA_SETS:
            options.only_own_labels(source)
            return _read_named(source, options)
        if hub := _hub_of(source):
            options.only_own_labels(source)
            return HUBS[hub](source.removeprefix(f"{hub}:"), options)
    path = _path(source)
    _check_exists(source)
    format_ = _format_of(path)
    if not format_.has_test_split:
        options.only_split(str(path))
    if not format_.has_file_names:
        options.only_own_labels(str(path))
    return _with_oddities(format_.read(path, options))


def _with_oddities(images: ImageSet) -> ImageSet:
    return replace(images, notes=(*images.notes, *oddities(images.images)))


def _read_named(name: str, options: LoadOptions) -> ImageSet:
    if not DATA_SETS[name].has_test_split:
        options.only_split(name)
    images = DATA_SETS[name].read(options)
    if not _exists(Path(name)):
        return images
    note = f"'{name}' is the data set of that name; for the path, write './{name}'."
    return replace(images, notes=(*images.notes, note))


def _hub_of(source: str) -> str | None:
    prefix, colon, _ = source.partition(":")
    return prefix if colon and prefix in HUBS else None


def _format_of(path: Path) -> Format:
    if is_pattern(path):
        return FORMATS["tar"]
    if path.is_dir():
        if is_run(path):
            raise DataError(
                f"{path}: is a folder of a training run, which holds grids of samples, not images; "
                "name the images that it learned from, or leave out --data; for images of its "
                "generator, draw some into another folder: orthogan sample RUN --out FOLDER."
            )
        return _by_name(path.name.lower(), _folders()) or FORMATS["folder"]
    if not path.is_file():
        raise DataError(f"{path}: is neither a regular file nor a folder.")
    name = path.name.lower()
    if path.suffix.lower() in SUFFIXES:
        raise DataError(f"{path}: is a single picture; name the folder it lies in.")
    # Other packages are asked where nothing here fits: who installs one keeps the formats of ours.
    own = [each for each in FORMATS.own() if not FORMATS[each].is_folder]
    return _by_name(name, own) or _by_name(name, FORMATS) or _by_content(path)


def _folders() -> list[str]:
    return [each for each in FORMATS.own() if FORMATS[each].is_folder]


def _by_name(name: str, formats: Iterable[str]) -> Format | None:
    """The format with the longest suffix that the name of a file ends with."""
    fits = {
        end: found
        for found in (FORMATS[each] for each in formats)
        for end in found.suffixes
        if end and name.endswith(end)
    }
    return fits[max(fits, key=len)] if fits else None


def _by_content(path: Path) -> Format:
    """The format that takes any name, as only the content may tell what it is."""
    if path.name.lower().endswith(ARCHIVES):
        raise DataError(f"{path}: is an archive that is not read; unpack it and name the folder.")
    refuse_pickles([path], path)
    return next(each for each in map(FORMATS.__getitem__, FORMATS.own()) if "" in each.suffixes)


def _path(source: str | Path) -> Path:
    return Path(os.path.expanduser(source))  # noqa: PTH111 - Path.expanduser raises on '~nobody'


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long or with a zero byte
        return False
