"""Word vectors as text: word2vec and fastText (.vec) with a header, GloVe without."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from io import BufferedIOBase

import numpy as np
from numpy.typing import NDArray

from orthogan.embeddings.load_options import LoadOptions
from orthogan.embeddings.result import Tables
from orthogan.embeddings.word_rows import WordRows
from orthogan.errors import DataError

MAX_LINE_BYTES = 4 * 2**20  # a word and 200,000 numbers; a longer line is no line of vectors
HEADER = re.compile(rb"\s*(\d{1,12})[ \t]+(\d{1,6})\s*")


def parse_header(line: bytes) -> tuple[int, int] | None:
    """The number of words and their width, if a first line is the header of word2vec.

    >>> parse_header(b"400000 50")
    (400000, 50)
    """
    match = HEADER.fullmatch(line)
    return (int(match[1]), int(match[2])) if match else None


def read_word2vec_text(stream: BufferedIOBase, options: LoadOptions, where: str) -> Tables:
    """Words and vectors in the text form of word2vec, which is fastText's .vec as well.

    The first line holds the number of words and the width; then one line a word. A word of this
    form holds no space.
    """
    lines = _lines(stream, where)
    header = parse_header(next(lines, (0, b""))[1])
    if header is None:
        raise DataError(f"{where}: line 1: the number of words and the width are missing.")
    num_words, width = header
    _check_sizes(num_words, width, where)
    rows = WordRows(width, options, where)
    seen = 0
    for number, line in lines:
        if seen == num_words:
            raise DataError(f"{where}: the header promises {num_words:,} words, more follow.")
        fields = line.replace(b"\t", b" ").split(b" ")
        if len(fields) != width + 1 or not fields[0]:
            raise DataError(
                f"{where}: line {number}: a word without spaces and {width} numbers were "
                f"expected, got {len(fields)} fields."
            )
        rows.add(fields[0], _numbers(fields[1:], number, where), f"line {number}")
        seen += 1
        if rows.is_full:
            return rows.tables()
    if seen < num_words:
        raise DataError(
            f"{where}: truncated: the header promises {num_words:,} words, the file has {seen:,}."
        )
    return rows.tables()


def read_glove(stream: BufferedIOBase, options: LoadOptions, where: str) -> Tables:
    """Words and vectors in the text form of GloVe: one line a word, no header.

    The first line gives the width. A word may hold spaces: the last numbers of a line are its
    vector, what stands before them the word. Tabs separate like spaces.

    Source: Pennington, Socher and Manning 2014; the files of 840 billion words hold such words.
    """
    rows: WordRows | None = None
    are_counts, last = True, math.inf
    for number, line in _lines(stream, where):
        fields = line.replace(b"\t", b" ").split(b" ")
        if rows is None:
            rows = WordRows(_glove_width(fields, where), options, where)
        word = b" ".join(fields[: -rows.width])
        if not word:
            raise DataError(
                f"{where}: line {number}: a word and {rows.width} numbers were expected, got "
                f"{len(fields)} fields."
            )
        rows.add(word, _numbers(fields[-rows.width :], number, where), f"line {number}")
        if are_counts:
            are_counts = rows.width == 1 and fields[-1].isdigit() and int(fields[-1]) <= last
            last = int(fields[-1]) if are_counts else last
        if rows.is_full:
            break
    if rows is None:
        raise DataError(f"{where}: is empty.")
    if are_counts and len(rows) > 1:
        raise DataError(
            f"{where}: holds words with counts, the most frequent first, and no vectors; name the "
            "file of vectors that this vocabulary belongs to."
        )
    return rows.tables()


def looks_like_vectors(line: bytes) -> bool:
    """Whether a line is a word and numbers.

    >>> looks_like_vectors(b"the 0.1 -2e-3"), looks_like_vectors(b"To be, or not to be")
    (True, False)
    """
    fields = line.rstrip(b" \t\r\n").replace(b"\t", b" ").split(b" ")
    return len(fields) >= 2 and is_number(fields[-1]) and fields[0] != b""


def _glove_width(fields: list[bytes], where: str) -> int:
    """The numbers at the end of a first line; its first field is part of the word in any case."""
    numbers = fields[1:]
    width = next((n for n, f in enumerate(reversed(numbers)) if not is_number(f)), len(numbers))
    if width < 1:
        raise DataError(f"{where}: line 1: a word and its numbers were expected.")
    return width


def _check_sizes(num_words: int, width: int, where: str) -> None:
    if num_words < 1 or width < 1:
        raise DataError(f"{where}: the header promises {num_words} words of width {width}.")


def _lines(stream: BufferedIOBase, where: str) -> Iterator[tuple[int, bytes]]:
    """The lines with their numbers; spaces at an end and empty lines at the end are dropped."""
    empty = 0
    number = 0
    while raw := stream.readline(MAX_LINE_BYTES):
        number += 1
        if len(raw) == MAX_LINE_BYTES:
            raise DataError(f"{where}: line {number}: longer than {MAX_LINE_BYTES >> 20} MiB.")
        line = raw.rstrip(b" \t\r\n")
        if not line:
            empty = empty or number
            continue
        if empty:
            raise DataError(f"{where}: line {empty}: is empty.")
        yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line


def _numbers(fields: list[bytes], number: int, where: str) -> NDArray[np.float32]:
    try:
        values = [float(field) for field in fields]
        if b"_" in b"".join(fields):  # Python reads 1_0 as ten
            raise ValueError
    except ValueError:
        wrong = next(field for field in fields if not is_number(field))
        shown = wrong.decode("utf-8", "replace")[:40]
        raise DataError(f"{where}: line {number}: '{shown}' is no number.") from None
    with np.errstate(over="ignore"):  # infinite in float32: refused with the others
        return np.array(values, np.float32)


def is_number(field: bytes) -> bool:
    """Whether a field is a number as word vectors are written.

    >>> is_number(b"-1.5e-3"), is_number(b"1_0")
    (True, False)
    """
    try:
        float(field)
    except ValueError:
        return False
    return b"_" not in field
