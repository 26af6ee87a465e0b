"""A folder of pictures."""

from __future__ import annotations

import os
from pathlib import Path

from orthogan.data.catalogue import READERS, Wanted
from orthogan.data.collection import Entry, from_tree, is_picture_name
from orthogan.data.image_set import ImageSet
from orthogan.data.pictures import MAX_FILE_BYTES


@READERS.register("folder")
def load_folder(path: Path, wanted: Wanted) -> ImageSet:
    """The pictures in a folder and its sub-folders, in order of their names."""
    entries, skipped = list_pictures(path)
    return from_tree(entries, str(path), wanted, skipped)


def list_pictures(root: Path) -> tuple[list[Entry], list[tuple[str, str]]]:
    """The pictures below a folder, and the names and reasons of what cannot be read."""
    entries: list[Entry] = []
    skipped: list[tuple[str, str]] = []
    visited: set[tuple[int, int]] = set()  # links may lead back: each folder is read once
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        name = folder.relative_to(root).as_posix()
        try:
            status = folder.stat()
            children = sorted(folder.iterdir(), reverse=True)
        except OSError as error:
            skipped.append((name, f"folder cannot be read: {error.strerror}"))
            continue
        if (status.st_dev, status.st_ino) in visited:
            skipped.append((name, "link to a folder already read"))
            continue
        visited.add((status.st_dev, status.st_ino))
        waiting += [c for c in children if _is_folder(c) and not c.name.startswith(".")]
        for child in children:
            child_name = child.relative_to(root).as_posix()
            if not is_picture_name(child_name) or _is_folder(child):
                continue
            problem = _file_problem(child)
            if problem:
                skipped.append((child_name, problem))
            else:
                entries.append(Entry(child_name, child.read_bytes))
    return entries, skipped


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
