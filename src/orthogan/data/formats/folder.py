"""A folder of pictures."""

from __future__ import annotations

import os
from pathlib import Path

from orthogan.data.catalogue import FORMATS, LoadOptions
from orthogan.data.collection import from_tree
from orthogan.data.entries import Entry, Listing, is_label_file, is_picture_name, why_unread
from orthogan.data.image_set import ImageSet
from orthogan.data.other_folders import folder_of_files
from orthogan.data.pictures import MAX_FILE_BYTES, SUFFIXES
from orthogan.errors import DataError

RUN_FILE = "run.json"  # a run's record
RUN_FOLDERS = ("samples", "bundle", "checkpoints")  # in which a run keeps things
RUN_PARTS = (".lock", "metrics.jsonl", *RUN_FOLDERS)  # one of them lies beside its record


@FORMATS.register("folder", is_folder=True, has_test_split=True, has_file_names=True)
def load_folder(path: Path, options: LoadOptions) -> ImageSet:
    """The pictures in a folder and its sub-folders, in order of their names.

    A folder without pictures may hold files of another format, itself or somewhere below.

    Raises:
        DataError: it holds nothing that can be read, or several data sets.
    """
    listing = list_pictures(path)
    if not listing.pictures:
        other = folder_of_files(path)
        if other is not None:
            options.only_own_labels(str(path))
            return other[0].read(other[1], options)
        if not listing.skipped:
            raise DataError(
                f"{path}: holds no images ({', '.join(SUFFIXES)}), and no IDX, NumPy, CIFAR, CSV "
                "or Parquet files of images."
            )
    return from_tree(listing, str(path), options)


def list_pictures(root: Path) -> Listing:
    """The pictures below a folder, and the names and reasons of what cannot be read."""
    found = Listing()
    visited: set[tuple[int, int]] = set()  # links may lead back: each folder is read once
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        name = folder.relative_to(root).as_posix()
        try:
            status = folder.stat()
            children = sorted(folder.iterdir(), reverse=True)
        except OSError as error:
            found.skipped.append((name, f"folder cannot be read: {error.strerror}"))
            continue
        if (status.st_dev, status.st_ino) in visited:
            found.skipped.append((name, "link to a folder already read"))
            continue
        visited.add((status.st_dev, status.st_ino))
        if any(child.name == RUN_FILE for child in children) and is_run(folder):
            found.skipped.append((name, "folder of a training run"))
            continue
        waiting += [c for c in children if _is_folder(c) and not c.name.startswith(".")]
        for child in children:
            _list_file(child, child.relative_to(root).as_posix(), found)
    return found


def is_run(path: Path) -> bool:
    """Whether a folder is one of a training run, or one in which a run keeps things."""
    folders = [path, path.parent] if path.name in RUN_FOLDERS else [path]
    return any(
        (folder / RUN_FILE).is_file() and any((folder / part).exists() for part in RUN_PARTS)
        for folder in folders
    )


def _list_file(path: Path, name: str, found: Listing) -> None:
    unread = why_unread(name)
    if not (unread or is_picture_name(name) or is_label_file(name)) or _is_folder(path):
        return
    problem = unread or _file_problem(path)
    if problem:
        found.skipped.append((name, problem))
        return
    entries = found.label_files if is_label_file(name) else found.pictures
    entries.append(Entry(name, path.read_bytes))


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises where permission is missing


def _file_problem(path: Path) -> str:
    try:
        if not path.is_file():  # reading a pipe would wait for ever
            return "broken link or not a regular file"
        size = path.stat().st_size
    except OSError as error:
        return error.strerror or "cannot be read"
    return f"larger than {MAX_FILE_BYTES:,} bytes" if size > MAX_FILE_BYTES else ""
