"""Classes that a file lists beside the pictures.

`dataset.json` of StyleGAN's data sets, and `metadata.csv` of folders for Hugging Face's `datasets`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from orthogan.data.entries import Entry, shown
from orthogan.data.pictures import DECODE_ERRORS, reason
from orthogan.errors import DataError
from orthogan.errors import listed as listing

NUM_LISTED = 3  # names of pictures in a note
FILE_COLUMN = "file_name"  # of a metadata.csv
CLASS_COLUMNS = ("label", "class", "category")  # the first one there is, in any case

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

    Source: `dataset_tool.py` of https://github.com/NVlabs/stylegan3; "ImageFolder" in the
    documentation of https://github.com/huggingface/datasets.
    """
    found: dict[str, Listed] = {}
    files: dict[str, str] = {}  # by their folders
    notes = []
    for file in sorted(label_files, key=lambda file: file.name):
        is_table = file.name.endswith(".csv")
        listed = (_read_table if is_table else _read_tree)(file, where)
        folder = str(PurePosixPath(file.name).parent)
        if isinstance(listed, str):
            notes.append(f"{shown(file.name)} has no {listed} and is not used.")
        elif folder in found:
            notes.append(f"{shown(file.name)} is not used: {shown(files[folder])} has the classes.")
        else:
            found[folder], files[folder] = listed, file.name
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
    told = ", ".join(shown(files[folder]) for folder in used)
    if len(known) == len(names):
        return Stated(True, known, [*notes, f"Classes are read from {told}."])
    if not any(found[folder] for folder in used):
        return Stated(True, None, [*notes, f"{told} lists no classes, so the images have none."])
    missing = [name for name, label in zip(names, classes, strict=True) if label is None]
    some = ", ".join(shown(name) for name in missing[:NUM_LISTED])
    more = ", ..." if len(missing) > NUM_LISTED else ""
    note = (
        f"{told} names no class for {len(missing):,} of {len(names):,} images ({some}{more}), "
        "so the images have no classes."
    )
    return Stated(True, None, [*notes, note])


def _nearest(name: str, folders: Collection[str]) -> str | None:
    return next((str(up) for up in PurePosixPath(name).parents if str(up) in folders), None)


def _below(name: str, folder: str) -> str:
    return name if folder == "." else name[len(folder) + 1 :]


def _read_tree(file: Entry, where: str) -> Listed | str:
    """The classes in a file, empty if it says that there are none; else what another file lacks."""
    name = f"{where}: {shown(file.name)}"
    try:
        tree = json.loads(file.read())
    except (*DECODE_ERRORS, RecursionError) as error:
        raise DataError(f"{name} is damaged ({reason(error)}); mend or remove it.") from None
    if not isinstance(tree, dict) or "labels" not in tree:
        return "'labels'"
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
        listed[_plain(pair[0])] = label
    return listed


def _read_table(file: Entry, where: str) -> Listed | str:
    """The classes in a table, empty if no row has one; else the column that another table lacks."""
    name = f"{where}: {shown(file.name)}"
    try:
        text = file.read().decode("utf-8-sig", "backslashreplace")
        rows = list(csv.reader(io.StringIO(text), strict=True))
    except (*DECODE_ERRORS, csv.Error) as error:
        raise DataError(f"{name} is damaged ({reason(error)}); mend or remove it.") from None
    columns = [column.strip().lower() for column in rows[0]] if rows else []
    if FILE_COLUMN not in columns:
        return f"column {FILE_COLUMN}"
    place = columns.index(FILE_COLUMN)
    class_place = next((columns.index(each) for each in CLASS_COLUMNS if each in columns), None)
    if class_place is None:
        return f"column {listing(CLASS_COLUMNS)}"
    listed: dict[str, str] = {}
    for number, row in enumerate(rows[1:], 2):
        if not row:
            continue
        if len(row) != len(columns):
            raise DataError(
                f"{name}: row {number} has {len(row)} cells and the header {len(columns)}; mend or "
                "remove the file."
            )
        if row[class_place].strip():
            listed[_plain(row[place])] = row[class_place].strip()
    return listed


def _plain(name: str) -> str:
    return name.replace("\\", "/").removeprefix("./")


def _class(value: Any) -> str | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int | str) else None
