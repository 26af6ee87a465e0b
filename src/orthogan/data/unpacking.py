"""Archives of files that are no pictures, such as IDX or a table: unpacked for as long as read."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from orthogan.data.catalogue import FORMATS
from orthogan.data.entries import why_unread
from orthogan.errors import DataError
from orthogan.untrusted import damage_told, open_member

MAX_FILES = 1000
MAX_BYTES = 4 * 2**30  # on disk, over all files: MNIST as a table of text takes 130 MB
SMALL = 2**20  # what is beside the images, such as the names of classes, takes no more


@contextmanager
def unpacked(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], path: Path
) -> Iterator[Path]:
    """A temporary folder with the members that a data set of files may need.

    Args:
        archive: The open archive.
        members: Its members by their paths, none of which leads outside.
        path: The archive's file; the folder bears its name, and messages speak of the archive.

    Raises:
        DataError: too many files, too many bytes, a damaged member, or what the block raised.
    """
    wanted = _wanted(members)
    total = sum(member.file_size for member in wanted.values())
    if len(wanted) > MAX_FILES or total > MAX_BYTES:
        raise DataError(
            f"{path}: holds {len(wanted):,} files that take {total:,} bytes uncompressed; the "
            f"limits are {MAX_FILES:,} and {MAX_BYTES:,}; unpack it and name the folder."
        )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        root = Path(temporary, path.name)
        root.mkdir()
        with damage_told(path, "a zip archive"):
            for name, member in wanted.items():
                _unpack(archive, member, root / name)
        try:
            yield root
        except DataError as error:
            raise type(error)(str(error).replace(str(root), str(path))) from None


def _wanted(members: dict[str, zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """The members of a known format, and what small files beside them may say; none without any."""
    seen = {name: each for name, each in members.items() if not _is_hidden(name)}
    if not any(_is_known(name) for name in seen):
        return {}
    return {
        name: each
        for name, each in seen.items()
        if _is_known(name) or (each.file_size <= SMALL and not why_unread(name))
    }


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)


def _is_known(name: str) -> bool:
    ends = [end for kind in FORMATS for end in FORMATS[kind].suffixes if end and end != ".zip"]
    place = PurePosixPath(name)
    # Published IDX files have no suffix, or that of their compression.
    is_idx = not place.suffix or "ubyte" in place.name
    return is_idx or name.lower().endswith((*ends, ".gz", ".xz"))


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # What is written is what the archive's directory promised, and no more: the limit holds.
    with open_member(archive, member) as stream, target.open("xb") as file:
        shutil.copyfileobj(stream, file)
