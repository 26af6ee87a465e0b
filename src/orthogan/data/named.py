"""Pictures with their names, in a given form: what a trained network is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orthogan.data.assembly import assemble
from orthogan.data.catalogue import LoadOptions, colour_of
from orthogan.data.collection import gather
from orthogan.data.entries import Entry, Listing, is_picture_name
from orthogan.data.formats.folder import list_pictures
from orthogan.errors import DataError
from orthogan.shapes import Pixels


@dataclass(frozen=True, kw_only=True)
class NamedPictures:
    """Pictures in one form.

    Attributes:
        names: The file of each picture, with `/` between folders.
        pixels: The pictures.
        skipped: Names of unreadable files, each with the reason.
        notes: What was resized or converted, in plain words.
    """

    names: tuple[str, ...]
    pixels: Pixels
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def read_named(path: Path, size: int, colours: int, fit: str = "crop") -> NamedPictures:
    """The pictures in a folder and its sub-folders in order of their names, or one picture.

    Unlike a training set, one picture is enough.

    Args:
        path: A folder, or a picture file.
        size: Side of the squares they are made into, px.
        colours: 1 for grey, 3 for RGB, 4 for RGBA; the others are converted.
        fit: How they are made square, as in `orthogan.data.load`.

    Raises:
        DataError: there is no such path, or it holds no picture that can be read.
    """
    options = LoadOptions(size, colour_of(colours), fit=fit)
    listing = _listing(path)
    found = gather(sorted(listing.pictures, key=lambda entry: entry.name), options, listing.skipped)
    if not found.pictures:
        raise DataError(f"{path}: holds no usable images. {' '.join(found.notes())}".rstrip())
    pixels, notes = assemble(found.pictures, options, set(found.shapes))
    return NamedPictures(
        names=tuple(found.names),
        pixels=pixels,
        skipped=tuple(found.skipped),
        notes=(*notes, *found.notes()),
    )


def _listing(path: Path) -> Listing:
    try:
        if path.is_dir():
            return list_pictures(path)
        if path.is_file() and is_picture_name(path.name):
            return Listing([Entry(path.name, path.read_bytes)])
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}.") from None
    if path.exists():
        raise DataError(f"{path}: is neither a folder nor a picture.")
    raise DataError(f"{path}: there is no such folder or picture.")
