"""Classes that a file lists beside the pictures: the `dataset.json` of StyleGAN's data sets."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from orthogan.data.entries import LABEL_FILE, Entry, shown
from orthogan.data.pictures import DECODE_ERRORS, reason
from orthogan.errors import DataError

NUM_LISTED = 3  # names of pictures in a note

# Picture names, relative to the file, and their classes.
Listed = Mapping[str, str]


class Stated(NamedTuple):
    """What label files say of pictures.

    Attributes:
        applies: Whether one speaks of any of them; if none does, their folders may be classes.
        classes: The class of each picture, or None without classes.
        notes: What is to be said.
    """

    applies: bool
    classes: list[str] | None
    notes: list[str]


def listed_classes(label_files: Sequence[Entry], names: Sequence[str], where: str) -> Stated:
    """The class of each picture by the label files beside them.

    Args:
        label_files: The files; the nearest one above a picture is the one that counts for it.
        names: Names of the pictures.
        where: The source, for messages.

    Raises:
        DataError: a file is damaged.

    Source: `dataset_tool.py` of https://github.com/NVlabs/stylegan3.
    """
    found: dict[str, Listed] = {}
    notes = []
    for file in label_files:
        listed = _read(file, where)
        if listed is None:
            notes.append(f"{shown(file.name)} has no 'labels' and is not used.")
        else:
            found[str(PurePosixPath(file.name).parent)] = listed
    if not found:
        return Stated(False, None, notes)
    folders = [_nearest(name, found) for name in names]
    used = sorted({folder for folder in folders if folder is not None})
    if not used:
        return Stated(False, None, notes)
    classes = [
        None if folder is None else found[folder].get(_below(name, folder))
        for name, folder in zip(names, folders, strict=True)
    ]
    known = [label for label in classes if label is not None]
    files = ", ".join(shown(str(PurePosixPath(folder) / LABEL_FILE)) for folder in used)
    if len(known) == len(names):
        return Stated(True, known, [*notes, f"Classes are read from {files}."])
    if not any(found[folder] for folder in used):
        return Stated(True, None, [*notes, f"{files} lists no classes, so the images have none."])
    missing = [name for name, label in zip(names, classes, strict=True) if label is None]
    some = ", ".join(shown(name) for name in missing[:NUM_LISTED])
    more = ", ..." if len(missing) > NUM_LISTED else ""
    note = (
        f"{files} names no class for {len(missing):,} of {len(names):,} images ({some}{more}), "
        "so the images have no classes."
    )
    return Stated(True, None, [*notes, note])


def _nearest(name: str, folders: Collection[str]) -> str | None:
    return next((str(up) for up in PurePosixPath(name).parents if str(up) in folders), None)


def _below(name: str, folder: str) -> str:
    return name if folder == "." else name[len(folder) + 1 :]


def _read(file: Entry, where: str) -> Listed | None:
    """The classes in a file, empty if it says that there are none; None if it is another file."""
    name = f"{where}: {shown(file.name)}"
    try:
        tree = json.loads(file.read())
    except (*DECODE_ERRORS, RecursionError) as error:
        raise DataError(f"{name} is damaged ({reason(error)}); mend or remove it.") from None
    if not isinstance(tree, dict) or "labels" not in tree:
        return None
    pairs = tree["labels"] or []
    pairs = list(pairs.items()) if isinstance(pairs, dict) else pairs
    if not isinstance(pairs, list):
        raise DataError(f"{name}: 'labels' is a list of [name, class], or null; mend or remove it.")
    listed = {}
    for number, pair in enumerate(pairs):
        label = _class(pair[1]) if isinstance(pair, list | tuple) and len(pair) == 2 else None
        if label is None or not isinstance(pair[0], str):
            raise DataError(
                f"{name}: entry {number} of 'labels' is not a name with one whole number or text "
                "as its class; mend or remove the file."
            )
        listed[pair[0].replace("\\", "/").removeprefix("./")] = label
    return listed


def _class(value: Any) -> str | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int | str) else None
