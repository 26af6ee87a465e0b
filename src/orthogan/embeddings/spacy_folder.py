"""The word vectors of a spaCy pipeline, read without spaCy and without unpickling."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from orthogan.embeddings.arrays import to_table
from orthogan.embeddings.json_file import read_json, read_object
from orthogan.embeddings.load_options import LoadOptions
from orthogan.embeddings.result import Tables
from orthogan.errors import DataError, ShapeError
from orthogan.untrusted import map_array

MULTIPLIER = 0xC6A4A7935BD1E995  # of MurmurHash64A
SHIFT = 47
MASK = 2**64 - 1
SEED = 1  # with which spaCy hashes its strings
UNSIGNED = {0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q"}  # whole numbers of MessagePack


def vectors_folder(folder: Path) -> Path | None:
    """The folder of a spaCy pipeline or vocabulary that holds its vectors, or None."""
    places = (folder / "vocab", folder)
    return next(
        (p for p in places if (p / "vectors").is_file() and (p / "key2row").is_file()), None
    )


def read_spacy(folder: Path, options: LoadOptions) -> Tables:
    """The vectors of a pipeline folder, one row each; the first word of a row gives it its name."""
    options.only_limit(str(folder))
    place = vectors_folder(folder)
    if place is None:
        raise DataError(f"{folder}: holds no vectors of spaCy (vocab/vectors and vocab/key2row).")
    settings = place / "vectors.cfg"
    if settings.is_file() and read_object(settings).get("mode", "default") != "default":
        raise DataError(
            f"{folder}: its vectors are hashed (floret), so no row belongs to a word; choose a "
            "pipeline with plain vectors."
        )
    array = map_array(place / "vectors")
    if array.ndim != 2:
        raise ShapeError(f"{place}: its vectors have shape {array.shape}, not one row a vector.")
    words = {murmur_hash(word): word for word in _strings(place)}
    rows: dict[int, str] = {}
    shared = unknown = 0
    for key, row in read_rows((place / "key2row").read_bytes(), place / "key2row"):
        if row >= len(array):
            raise DataError(f"{place}: key2row names row {row} of {len(array)}; it is damaged.")
        if key not in words:
            unknown += 1
        elif row in rows:
            shared += 1
        else:
            rows[row] = words[key]
    if not rows:
        raise DataError(f"{folder}: no row of its vectors belongs to a word.")
    kept = sorted(rows)[: options.limit]
    tokens = to_table(np.asarray(array[kept]), str(place / "vectors"), None)
    notes = [
        (shared, "more words share the row of another word and were left out."),
        (unknown, "rows belong to words that strings.json does not hold and were left out."),
    ]
    return Tables(
        tokens, None, tuple(rows[row] for row in kept), (), str(folder),
        tuple(f"{n:,} {what}" for n, what in notes if n),
    )  # fmt: skip


def murmur_hash(word: str) -> int:
    """The number under which spaCy files a string: MurmurHash64A of its UTF-8 bytes, seed 1.

    Source: Appleby, MurmurHash2.cpp, `MurmurHash64A`.

    >>> murmur_hash("coffee")
    3197928453018144401
    """
    data = word.encode()
    state = (SEED ^ len(data) * MULTIPLIER) & MASK
    whole = len(data) - len(data) % 8
    for (block,) in struct.iter_unpack("<Q", data[:whole]):
        block = block * MULTIPLIER & MASK
        block = (block ^ block >> SHIFT) * MULTIPLIER & MASK
        state = (state ^ block) * MULTIPLIER & MASK
    if whole < len(data):
        state = (state ^ int.from_bytes(data[whole:], "little")) * MULTIPLIER & MASK
    state = (state ^ state >> SHIFT) * MULTIPLIER & MASK
    return state ^ state >> SHIFT


def read_rows(content: bytes, path: Path) -> Iterator[tuple[int, int]]:
    """Pairs of hash and row from a MessagePack map of whole numbers, the only form it has here.

    Source: the MessagePack specification, sections "int format family" and "map format family".
    """
    damaged = DataError(f"{path}: no MessagePack map of whole numbers; the pipeline is damaged.")
    try:
        length, at = _map_length(content)
        for _ in range(length):
            key, at = _whole(content, at)
            row, at = _whole(content, at)
            if row < 0:  # a word without a vector
                continue
            yield key, row
    except (IndexError, struct.error, ValueError):
        raise damaged from None
    if at != len(content):
        raise damaged


def _map_length(content: bytes) -> tuple[int, int]:
    first = content[0]
    if first & 0xF0 == 0x80:
        return first & 0x0F, 1
    if first in (0xDE, 0xDF):
        form = ">H" if first == 0xDE else ">I"
        return int(struct.unpack_from(form, content, 1)[0]), 1 + struct.calcsize(form)
    raise ValueError


def _whole(content: bytes, at: int) -> tuple[int, int]:
    first = content[at]
    if first < 0x80:
        return first, at + 1
    if first == 0xFF:
        return -1, at + 1
    form = UNSIGNED.get(first, "")
    if not form:
        raise ValueError
    return int(struct.unpack_from(form, content, at + 1)[0]), at + 1 + struct.calcsize(form)


def _strings(place: Path) -> list[str]:
    path = place / "strings.json"
    strings = read_json(path) if path.is_file() else None
    if not isinstance(strings, list) or not all(isinstance(word, str) for word in strings):
        raise DataError(f"{path}: the list of strings is missing or damaged.")
    return strings
