"""Folders that hold no pictures but files of another format, such as IDX or NumPy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from orthogan.data.catalogue import FORMATS, Format
from orthogan.data.pickled import refuse_pickles
from orthogan.errors import DataError

MAX_FOLDERS = 10_000  # looked into; a data set is not hidden deeper in anything a person names


def folder_of_files(root: Path) -> tuple[Format, Path] | None:
    """The format and the folder of the one data set in or below a folder; None without one.

    Raises:
        DataError: there are several, or nothing but a pickle.
    """
    found: list[tuple[str, Path]] = []
    pickles: list[Path] = []
    for folder, files in islice(_walk(root), MAX_FOLDERS):
        for name in FORMATS:
            claims = FORMATS[name].claims
            if claims is not None and claims(files):
                found.append((name, folder))
        pickles += files
    if not found:
        refuse_pickles(pickles[:100], root)
        return None
    if len(found) > 1:
        places = "; ".join(f"{name} in {folder}" for name, folder in found[:4])
        raise DataError(f"{root}: holds {len(found)} data sets ({places}); name one of them.")
    name, folder = found[0]
    return FORMATS[name], folder


def _walk(root: Path) -> Iterator[tuple[Path, list[Path]]]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        files = [Path(folder, name) for name in sorted(names) if not name.startswith(".")]
        yield Path(folder), [file for file in files if file.is_file()]
