"""Classes that a file lists beside the pictures: the `dataset.json` of StyleGAN's data sets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from orthogan.data.entries import Entry, shown
from orthogan.data.pictures import DECODE_ERRORS, reason
from orthogan.errors import DataError

NUM_LISTED = 3  # names of pictures in a note

# Picture names, relative to the file, and their classes.
Listed = Mapping[str, str]


def listed_classes(
    label_files: Sequence[Entry], names: Sequence[str], where: str
) -> tuple[list[str] | None, list[str]] | None:
    """The class of each picture, None without classes, and what is to be said.

    Args:
        label_files: The files; the nearest one above a picture is the one that counts for it.
        names: Names of the pictures.
        where: The source, for messages.

    Returns:
        None if no file counts for any of the pictures: then their folders may be classes.

    Raises:
        DataError: a file is damaged.

    Source: `dataset_tool.py` of https://github.com/NVlabs/stylegan3.
    """
    read = {str(PurePosixPath(file.name).parent): _read(file, where) for file in label_files}
    found = {folder: listed for folder, listed in read.items() if listed is not None}
    unused = [
        f"{shown(file.name)} has no 'labels' and is not used."
        for file in label_files
        if read[str(PurePosixPath(file.name).parent)] is None
    ]
    classes: list[str | None] = []
    used: dict[str, bool] = {}  # the folders of files that count, and whether they list classes
    for name in names:
        folder = next((str(up) for up in PurePosixPath(name).parents if str(up) in found), None)
        if folder is None:
            classes.append(None)
            continue
        listed = found[folder]
        used[folder] = bool(listed)
        inner = name if folder == "." else name[len(folder) + 1 :]
        classes.append(listed.get(inner))
    if not used:
        return (None, unused) if unused and not names else None
    known = [label for label in classes if label is not None]
    files = ", ".join(shown(str(PurePosixPath(folder) / "dataset.json")) for folder in used)
    if len(known) == len(names):
        return known, [*unused, f"Classes are read from {files}."]
    if not any(used.values()):
        return None, [*unused, f"{files} lists no classes, so the images have none."]
    missing = [name for name, label in zip(names, classes, strict=True) if label is None]
    some = ", ".join(shown(name) for name in missing[:NUM_LISTED])
    more = ", ..." if len(missing) > NUM_LISTED else ""
    note = (
        f"{files} names no class for {len(missing):,} of {len(names):,} images ({some}{more}), "
        "so the images have no classes."
    )
    return None, [*unused, note]


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
