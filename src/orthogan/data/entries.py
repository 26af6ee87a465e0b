"""Pictures to come, and the names that files of pictures have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from posixpath import splitext
from typing import NamedTuple

from orthogan.data.pictures import OTHER_SUFFIXES, SUFFIXES

LABEL_FILES = ("dataset.json", "metadata.csv")  # of StyleGAN's data sets, and of Hugging Face's


class Entry(NamedTuple):
    """A picture to come: its name with `/` between folders, how to read it, its class."""

    name: str
    read: Callable[[], bytes]
    label: str | None = None


@dataclass
class Listing:
    """What a folder or an archive holds.

    Attributes:
        pictures: What can be read as pictures.
        skipped: Names and reasons of what cannot.
        label_files: Files named as one of `LABEL_FILES`.
    """

    pictures: list[Entry] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    label_files: list[Entry] = field(default_factory=list)


def is_picture_name(name: str) -> bool:
    """Whether a file name ends like a picture and is not hidden (macOS adds hidden copies)."""
    return _suffix(name) in SUFFIXES and not _is_hidden(name)


def is_label_file(name: str) -> bool:
    """Whether a file lists the classes of pictures beside it."""
    return name.rpartition("/")[2] in LABEL_FILES and not _is_hidden(name)


def why_unread(name: str) -> str | None:
    """Why a file that its name says is a picture is not read; None for any other file."""
    suffix = _suffix(name)
    if suffix not in OTHER_SUFFIXES or _is_hidden(name):
        return None
    return f"{suffix} is not read; convert it to .png"


def shown(name: str) -> str:
    """A file name that is safe to print: control characters escaped, at most 80 characters."""
    safe = name if name.isprintable() else name.encode("unicode_escape").decode("ascii")
    return safe if len(safe) <= 80 else f"...{safe[-77:]}"


def _suffix(name: str) -> str:
    # Not by `PurePosixPath`: names are looked at several times each, and it takes 3 us.
    return splitext(name.rpartition("/")[2])[1].lower()


def _is_hidden(name: str) -> bool:
    parts = name.split("/")
    return "__MACOSX" in parts or any(
        part.startswith(".") and part not in (".", "..") for part in parts
    )
