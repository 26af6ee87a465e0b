"""A zip archive of pictures: members are streamed, nothing is ever extracted."""

from __future__ import annotations

import zipfile
import zlib
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath

from orthogan.data.catalogue import READERS, Wanted
from orthogan.data.collection import Entry, from_tree, is_picture_name
from orthogan.data.image_set import ImageSet
from orthogan.data.pictures import MAX_FILE_BYTES
from orthogan.errors import DataError

MAX_ARCHIVE_BYTES = 8 * 2**30  # uncompressed, over all pictures: 60,000 of 140 kB
ENCRYPTED = 0x1  # bit of a member's flags


@READERS.register("zip")
def load_zip(path: Path, wanted: Wanted) -> ImageSet:
    """The pictures in a zip archive, in order of their names.

    Raises:
        DataError: not a zip archive, encrypted, or too large when uncompressed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries, skipped = _list_pictures(archive, path)
            return from_tree(entries, str(path), wanted, skipped)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise DataError(f"{path}: not a zip archive, or a damaged one ({error}).") from None


def _list_pictures(
    archive: zipfile.ZipFile, path: Path
) -> tuple[list[Entry], list[tuple[str, str]]]:
    entries: list[Entry] = []
    skipped: list[tuple[str, str]] = []
    total = 0
    for member in archive.infolist():
        name = member.filename.replace("\\", "/")
        if member.is_dir() or not is_picture_name(name):
            continue
        if member.flag_bits & ENCRYPTED:
            raise DataError(f"{path}: the archive is encrypted; unpack it and name the folder.")
        if _leads_outside(name):
            skipped.append((name, "path leads outside of the archive"))
        elif member.file_size > MAX_FILE_BYTES:
            skipped.append((name, f"larger than {MAX_FILE_BYTES:,} bytes"))
        else:
            total += member.file_size
            entries.append(Entry(name, partial(_read_member, archive, member)))
    if total > MAX_ARCHIVE_BYTES:
        raise DataError(
            f"{path}: its pictures take {total:,} bytes uncompressed, the limit is "
            f"{MAX_ARCHIVE_BYTES:,}; unpack it and name the folder."
        )
    return entries, skipped


def _leads_outside(name: str) -> bool:
    posix = PurePosixPath(name)
    return ".." in posix.parts or posix.is_absolute() or bool(PureWindowsPath(name).drive)


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    try:
        with archive.open(member) as stream:
            return stream.read(MAX_FILE_BYTES)
    except (zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"damaged in the archive: {error}") from None
