"""Tables in NumPy files: `.npy` with a list of words beside it, and `.npz`; never unpickled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from orthogan.embeddings.labels import read_words, without_counts
from orthogan.embeddings.load_options import LoadOptions
from orthogan.embeddings.result import Tables, check_table
from orthogan.errors import DataError, ShapeError, UnknownNameError
from orthogan.shapes import Table
from orthogan.untrusted import MAX_TABLE_BYTES, ArrayArchive, map_array, open_arrays, text_of

TOKEN_KEYS = ("tokens", "embedding", "embeddings", "vectors", "E", "X", "arr_0")
POSITION_KEYS = ("positions", "position", "position_embeddings", "P")
LABEL_KEYS = ("labels", "words", "vocab", "vocabulary")


def to_table(array: NDArray[Any], name: str, limit: int | None) -> Table:
    """The first rows of an array as a table in memory, float32 (float64 stays)."""
    if array.ndim != 2:
        raise ShapeError(f"{name}: a table has one row a vector, got shape {tuple(array.shape)}.")
    if array.dtype.kind != "f":
        raise DataError(f"{name}: a table holds floating point numbers, got {array.dtype}.")
    kept = np.float64 if array.dtype.itemsize >= 8 else np.float32
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused below
        table = torch.from_numpy(np.array(array[:limit], kept, order="C"))
    check_table(table, name)
    return table


def read_npy(path: Path, options: LoadOptions) -> Tables:
    """The table in a `.npy` file, labelled by the list of words beside it if there is one.

    For `vectors.npy` that is the first of `vectors.txt`, `vectors.vocab`, `vectors.vocab.txt`,
    `vocab.txt` and `words.txt` in its folder: one word a line, in the order of the rows.
    """
    options.only_limit(str(path))
    array = map_array(path)
    beside = word_list(path)
    if beside is not None:
        notes = [f"Words are read from {beside.name}."]
        words = without_counts(read_words(beside), beside, notes)
        tables = _labelled(array, words, str(path), options.limit, str(beside))
        return replace(tables, notes=(*notes, *tables.notes))
    note = f"Tokens have no labels: no {path.stem}.txt with a word a line lies beside {path.name}."
    return Tables(to_table(array, str(path), options.limit), source=str(path), notes=(note,))


def word_list(path: Path) -> Path | None:
    """The list of words beside an array, or None."""
    own = [path.with_suffix(suffix) for suffix in (".txt", ".vocab", ".vocab.txt")]
    shared = [path.with_name(name) for name in ("vocab.txt", "words.txt")]
    return next((other for other in [*own, *shared] if other.is_file()), None)


def _labelled(
    array: NDArray[Any], words: Sequence[str], where: str, limit: int | None, words_from: str
) -> Tables:
    """A table with its words; the first row of equal words stays."""
    if array.ndim == 2 and len(words) != len(array):
        raise DataError(
            f"{words_from}: {len(words):,} words for the {len(array):,} rows of {where}; "
            "give one word a row."
        )
    first = {word: row for row, word in reversed(list(enumerate(words)))}
    rows = sorted(first.values())
    num_repeated = len(words) - len(rows)
    if num_repeated:
        array = array[rows[:limit]]
    labels = tuple(words[row] for row in rows[:limit])
    notes = (f"{num_repeated:,} rows repeat the word of a row before and were left out.",)
    return Tables(
        to_table(array, where, limit), None, labels, (), where, notes if num_repeated else ()
    )


def read_npz(path: Path, options: LoadOptions) -> Tables:
    """The tables in an `.npz` file: tokens, and if they are there positions and labels."""
    if options.num_heads is not None:
        options.only_limit(str(path))
    with open_arrays(path) as arrays:
        return _from_members(arrays, options)


def _from_members(arrays: ArrayArchive, options: LoadOptions) -> Tables:
    path, members = arrays.path, arrays.names

    def read(key: str) -> NDArray[Any]:
        return arrays.read(key, MAX_TABLE_BYTES)

    key = _key(members, options.embedding, TOKEN_KEYS, path)
    if key is None:
        raise DataError(
            f"{path}: no array is named like tokens ({', '.join(TOKEN_KEYS)}); it holds: "
            f"{', '.join(members) or 'nothing'}. Name one with embedding=."
        )
    place = _key(members, options.positions, POSITION_KEYS, path)
    positions = None if place is None else to_table(read(place), f"{path}[{place}]", None)
    words = _key(members, None, LABEL_KEYS, path)
    if words is None:
        tokens = to_table(read(key), f"{path}[{key}]", options.limit)
        return Tables(tokens, positions, source=str(path))
    labels = _words(read(words), f"{path}[{words}]")
    found = _labelled(read(key), labels, f"{path}[{key}]", options.limit, f"{path}[{words}]")
    return replace(found, positions=positions, source=str(path))


def _key(members: Sequence[str], named: str | None, keys: Sequence[str], path: Path) -> str | None:
    if named is None:
        return next((key for key in keys if key in members), None)
    if named not in members:
        raise UnknownNameError(f"array of {path}", named, members)
    return named


def _words(array: NDArray[Any], name: str) -> list[str]:
    if array.ndim != 1 or array.dtype.kind not in "US":
        raise DataError(
            f"{name}: labels are one text a row, got {array.dtype} of shape {array.shape}."
        )
    return text_of(array, name)
