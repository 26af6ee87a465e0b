"""Many compressed pictures, some of them bad, as one image set: folders, archives, hubs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from PIL import Image

from orthogan.data import pictures
from orthogan.data.catalogue import DEFAULT_SIZE, SPLITS, Wanted
from orthogan.data.image_set import ImageSet
from orthogan.data.labels import classes
from orthogan.data.squares import Picture, assemble, crop_resize, is_kept_size
from orthogan.errors import DataError

NUM_LISTED = 10  # skipped files named in a note; the rest are counted


class Entry(NamedTuple):
    """A picture to come: its name with `/` between folders, how to read it, its class."""

    name: str
    read: Callable[[], bytes]
    label: str | None = None


@dataclass
class Gathered:
    """The usable pictures of a collection, and what is to be said about the others."""

    pictures: list[Picture] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)
    shapes: set[tuple[int, int]] = field(default_factory=set)
    remarks: Counter[str] = field(default_factory=Counter)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def notes(self) -> list[str]:
        """The remarks with their counts, then the skipped files with reasons."""
        num_images = len(self.pictures)
        notes = [
            f"{count} of {num_images} images: {remark}."
            for remark, count in sorted(self.remarks.items())
        ]
        if self.skipped:
            listed = [f"{shown(name)} ({why})" for name, why in self.skipped[:NUM_LISTED]]
            if len(self.skipped) > NUM_LISTED:
                listed.append(f"and {len(self.skipped) - NUM_LISTED} more")
            num_files = num_images + len(self.skipped)
            notes.append(f"Skipped {len(self.skipped)} of {num_files} files: {', '.join(listed)}.")
        return notes


def gather(
    entries: Iterable[Entry], wanted: Wanted, skipped: Iterable[tuple[str, str]] = ()
) -> Gathered:
    """Every picture that can be decoded; bad ones are listed with the reason, never fatal.

    Args:
        entries: What to decode.
        wanted: The size asked for: larger pictures are shrunk at once, to save memory.
        skipped: Names and reasons of what was left out before.
    """
    found = Gathered(skipped=list(skipped))
    for entry in entries:
        try:
            decoded = pictures.decode(entry.read())
        except pictures.DECODE_ERRORS as error:
            found.skipped.append((entry.name, pictures.reason(error)))
            continue
        found.pictures.append(_shrunk(decoded.picture, wanted.size))
        found.names.append(entry.name)
        found.labels.append(entry.label)
        found.shapes.add(decoded.shape)
        found.remarks.update(decoded.remarks)
    return found


def image_set(found: Gathered, where: str, wanted: Wanted) -> ImageSet:
    """The gathered pictures as equal squares, labelled if every one of them has a label.

    Raises:
        DataError: none is usable.
    """
    if not found.pictures:
        raise DataError(f"{where}: holds no usable images. {' '.join(found.notes())}".rstrip())
    images, notes = assemble(found.pictures, wanted, found.shapes)
    notes += found.notes()
    labels = [label for label in found.labels if label is not None]
    name = Path(where).resolve().name or where
    if len(labels) < len(found.labels):
        return ImageSet(images, name=name, notes=tuple(notes), split=wanted.split)
    index, class_names = classes(np.array(labels), len(images), where)
    return ImageSet(images, index, class_names, name, tuple(notes), wanted.split)


def from_tree(
    entries: Sequence[Entry], where: str, wanted: Wanted, skipped: Iterable[tuple[str, str]]
) -> ImageSet:
    """The pictures of a tree of folders: split by `train/` and `test/`, class = sub-folder.

    Folders that all pictures share are no classes; neither are sub-folders if some pictures lie
    outside of them.

    Raises:
        DataError: no picture, none usable, or the test split of a tree without one.
    """
    skipped = list(skipped)
    if not entries and not skipped:
        raise DataError(f"{where}: holds no images ({', '.join(pictures.SUFFIXES)}).")
    entries = _of_split(sorted(entries, key=lambda entry: entry.name), where, wanted)
    found = gather(entries, wanted, skipped)
    tails = _without_shared_folders(found.names)
    if all(len(tail) > 1 for tail in tails):
        found.labels = [tail[0] for tail in tails]
    return image_set(found, where, wanted)


def is_picture_name(name: str) -> bool:
    """Whether a file name ends like a picture and is not hidden (macOS adds hidden copies)."""
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") and part != ".." for part in path.parts)
    return path.suffix.lower() in pictures.SUFFIXES and not hidden and "__MACOSX" not in path.parts


def shown(name: str) -> str:
    """A file name that is safe to print: control characters escaped, at most 80 characters."""
    safe = name if name.isprintable() else name.encode("unicode_escape").decode("ascii")
    return safe if len(safe) <= 80 else f"...{safe[-77:]}"


def _of_split(entries: list[Entry], where: str, wanted: Wanted) -> list[Entry]:
    tails = _without_shared_folders([entry.name for entry in entries])
    if not set(SPLITS) <= {tail[0] for tail in tails if len(tail) > 1}:
        wanted.only_split(where)
        return entries
    return [entry for entry, tail in zip(entries, tails, strict=True) if tail[0] == wanted.split]


def _without_shared_folders(names: Sequence[str]) -> list[tuple[str, ...]]:
    tails = [PurePosixPath(name).parts for name in names]
    while tails and all(len(t) > 1 for t in tails) and len({t[0] for t in tails}) == 1:
        tails = [tail[1:] for tail in tails]
    return tails


def _shrunk(picture: Picture, size: int | None) -> Picture:
    height, width = picture.shape[:2]
    if size is None and is_kept_size(height, width):
        return picture  # the common size is known only at the end
    return np.asarray(crop_resize(Image.fromarray(picture), size or DEFAULT_SIZE))
