"""A zip archive: pictures are streamed out of it, files of another format are unpacked."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath

from orthogan.data.catalogue import FORMATS, LoadOptions
from orthogan.data.collection import from_tree
from orthogan.data.entries import Entry, Listing, is_label_file, is_picture_name, why_unread
from orthogan.data.image_set import ImageSet
from orthogan.data.other_folders import folder_of_files
from orthogan.data.pictures import MAX_FILE_BYTES
from orthogan.data.unpacking import unpacked
from orthogan.errors import DataError
from orthogan.untrusted import MEMBER_ERRORS, open_zip, read_member

MAX_ARCHIVE_BYTES = 8 * 2**30  # uncompressed, over all pictures: 60,000 of 140 kB
ENCRYPTED = 0x1  # bit of a member's flags


@FORMATS.register("zip", suffixes=(".zip",), has_test_split=True, has_file_names=True)
def load_zip(path: Path, options: LoadOptions) -> ImageSet:
    """The pictures in a zip archive, in order of their names, or its files of another format.

    Raises:
        DataError: not a zip archive, encrypted, too large when uncompressed, or without images.
    """
    with open_zip(path, "a zip archive") as archive:
        listing = _list_pictures(archive, path)
        if not listing.pictures:
            with unpacked(archive, _safe_members(archive, path), path) as folder:
                other = folder_of_files(folder)
                if other is not None:
                    options.only_own_labels(str(path))
                    return replace(other[0].read(other[1], options), name=path.name)
        return from_tree(listing, str(path), options)


def _safe_members(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """The files of an archive by their paths, without those that would lead outside of it."""
    found = {}
    for member in archive.infolist():
        name = member.filename.replace("\\", "/")
        if not name or name.endswith("/") or _leads_outside(name):
            continue
        _check_readable(member, path)
        found[PurePosixPath(name).as_posix()] = member
    return found


def _check_readable(member: zipfile.ZipInfo, path: Path) -> None:
    if member.flag_bits & ENCRYPTED:
        raise DataError(f"{path}: the archive is encrypted; unpack it and name the folder.")


def _list_pictures(archive: zipfile.ZipFile, path: Path) -> Listing:
    found = Listing()
    # Names may occur twice; what unpacks an archive keeps the last.
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member.filename.replace("\\", "/")
        if not name:
            found.skipped.append(("a member", "it has no name"))
        elif name.endswith("/"):
            continue
        elif is_picture_name(name) or is_label_file(name):
            if name in members:
                found.skipped.append((name, "another member of this name comes later"))
            members[name] = member
        elif unread := why_unread(name):
            found.skipped.append((name, unread))
    for name, member in members.items():
        _check_readable(member, path)
        entries = found.label_files if is_label_file(name) else found.pictures
        if _leads_outside(name):
            found.skipped.append((name, "path leads outside of the archive"))
        elif member.file_size > MAX_FILE_BYTES:
            found.skipped.append((name, f"larger than {MAX_FILE_BYTES:,} bytes"))
        else:
            entries.append(Entry(name, partial(_read, archive, member)))
    total = sum(members[entry.name].file_size for entry in found.pictures)
    if total > MAX_ARCHIVE_BYTES:
        raise DataError(
            f"{path}: its pictures take {total:,} bytes uncompressed, the limit is "
            f"{MAX_ARCHIVE_BYTES:,}; unpack it and name the folder."
        )
    return found


def _leads_outside(name: str) -> bool:
    posix = PurePosixPath(name)
    return ".." in posix.parts or posix.is_absolute() or bool(PureWindowsPath(name).drive)


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    try:
        return bytes(read_member(archive, member, MAX_FILE_BYTES))
    except NotImplementedError:
        raise  # a method that Python cannot expand: not damaged
    except MEMBER_ERRORS as error:
        raise ValueError(f"damaged in the archive: {error}") from None
