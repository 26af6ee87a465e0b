"""Tar shards in the layout of WebDataset: the files of a sample follow each other, with one stem.

`000017.png` and `000017.cls` are a picture and its class; `000017.json` may name it too. Members
are read in their order, and none is unpacked.

Source: https://github.com/webdataset/webdataset, "The WebDataset Format".
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orthogan.data.braces import expanded
from orthogan.data.entries import Entry, is_picture_name
from orthogan.data.pictures import MAX_FILE_BYTES
from orthogan.errors import ConfigError, DataError
from orthogan.files import parse_json

SUFFIX = ".tar"
MAX_LABEL_BYTES = 2**16
LABEL_KEYS = ("label", "cls", "class", "class_name")  # of a .json


def is_pattern(source: str | Path) -> bool:
    """Whether a source names tar shards by braces."""
    text = str(source)
    return "{" in text and text.lower().endswith(SUFFIX)


def is_shards(source: str | Path) -> bool:
    """Whether a source is tar shards: a pattern, a file, or a folder that holds such files."""
    path = Path(source)
    if is_pattern(source) or (_is_shard(path) and path.is_file()):
        return True
    return path.is_dir() and any(map(_is_shard, path.iterdir()))


def shards_of(source: str | Path) -> list[Path]:
    """The files of a source, in their order.

    Raises:
        ConfigError: the braces of a pattern hold no range and no list.
        DataError: a shard is missing, or a folder holds none.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        found = sorted(filter(_is_shard, path.iterdir()))
        if not found:
            raise DataError(f"{path}: holds no files {SUFFIX}.")
        return found
    found = [Path(name) for name in expanded(str(path))]
    for each in found:
        if not each.is_file():
            raise DataError(f"{source}: its shard {each} is missing.")
    return found


def samples(shards: list[Path]) -> Iterator[Entry]:
    """The pictures of shards with their classes, one after the other.

    Raises:
        DataError: a shard is damaged, or a class cannot be read.
    """
    for shard in shards:
        try:
            with tarfile.open(shard, "r:") as archive:
                _check_end(shard)
                yield from _samples(archive, shard)
        except (tarfile.TarError, EOFError, ValueError, OSError) as error:
            if isinstance(error, DataError | ConfigError):
                raise
            told = " ".join(str(error).split()) or type(error).__name__
            raise DataError(f"{shard}: is damaged ({told}); make this shard again.") from None


def _is_shard(path: Path) -> bool:
    return path.suffix.lower() == SUFFIX and not path.name.startswith(".")


def _check_end(shard: Path) -> None:
    """Nothing, if a tar is whole: it ends in zeros. Where it is cut, tarfile may see no fault."""
    with shard.open("rb") as file:
        file.seek(-tarfile.BLOCKSIZE, os.SEEK_END)
        if any(file.read()):
            raise EOFError("it is cut short")


def _samples(archive: tarfile.TarFile, shard: Path) -> Iterator[Entry]:
    stem, label = "", None
    waiting: list[tuple[str, bytes]] = []
    kept: Any = archive
    while (member := archive.next()) is not None:
        kept.members = []  # or every member would stay in memory
        if not member.isreg():
            continue
        folder, slash, file = member.name.rpartition("/")
        base, _, end = file.partition(".")
        if (key := f"{folder}{slash}{base}") != stem:
            yield from (_entry(name, content, label) for name, content in waiting)
            stem, label, waiting = key, None, []
        if is_picture_name(member.name):
            waiting.append((member.name, _content(archive, member, shard, MAX_FILE_BYTES)))
        elif end in ("cls", "json"):
            content = _content(archive, member, shard, MAX_LABEL_BYTES)
            label = _label(content, end, f"{shard}: {member.name}") or label
    yield from (_entry(name, content, label) for name, content in waiting)


def _entry(name: str, content: bytes, label: str | None) -> Entry:
    return Entry(name, lambda: content, label)


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, shard: Path, most: int) -> bytes:
    file = archive.extractfile(member)
    if file is None or member.size > most:
        raise DataError(
            f"{shard}: its member {member.name} is larger than {most:,} bytes; leave it out."
        )
    content = file.read()
    if len(content) != member.size:
        raise EOFError(f"{member.name} is cut short")
    return content


def _label(content: bytes, end: str, where: str) -> str | None:
    """The class that a file beside a picture names; None where it names none."""
    if end == "cls":
        try:
            return content.decode("utf-8").strip() or None
        except UnicodeDecodeError:
            raise DataError(f"{where}: is no text, so it names no class.") from None
    tree = parse_json(content, where, error=DataError, advice="", only_text=True)
    values = [tree[key] for key in LABEL_KEYS if key in tree] if isinstance(tree, dict) else []
    return next((str(each) for each in values if isinstance(each, str | int)), None)
