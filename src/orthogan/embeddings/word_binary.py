"""Word vectors in the binary form of word2vec."""

from __future__ import annotations

from dataclasses import replace
from io import BufferedIOBase

import numpy as np

from orthogan.embeddings.load_options import LoadOptions
from orthogan.embeddings.result import Tables
from orthogan.embeddings.word_records import CONTROL, WordRecords
from orthogan.embeddings.word_rows import WordRows
from orthogan.embeddings.word_text import parse_header
from orthogan.errors import DataError

MAX_HEADER_BYTES = 64
MOST_BROKEN = 0.1  # of the words, with control characters: some corpora hold a few


def read_word2vec_binary(
    stream: BufferedIOBase, options: LoadOptions, where: str, size: int | None = None
) -> Tables:
    """Words and vectors in the binary form of word2vec: a line of sizes, then word by word.

    A word ends with a space; its float32 numbers follow, little-endian; some writers end a vector
    with a line feed, which is no part of the next word. A word may hold spaces where the bytes
    around it leave one reading.

    Args:
        stream: The bytes from the file's start.
        options: The limit.
        where: What to call the source in messages.
        size: Bytes of the file if it is not compressed, so that an impossible header is refused
            before anything is read.

    Raises:
        DataError: no header, a truncated file, bytes after the last word, no words, or words that
            cannot be told from numbers.

    Source: Mikolov et al. 2013, `word2vec.c`, the branch `binary` at the end of `TrainModel`.
    """
    header = parse_header(stream.readline(MAX_HEADER_BYTES))
    if header is None or min(header) < 1:
        raise DataError(f"{where}: line 1: the number of words and the width are missing.")
    num_words, width = header
    if size is not None and not options.limit and num_words * (4 * width + 1) > size:
        raise DataError(
            f"{where}: truncated: {num_words:,} words of width {width} take at least "
            f"{num_words * (4 * width + 1):,} bytes, the file has {size:,}."
        )
    rows = WordRows(width, options, where)
    source = WordRecords(stream, width, where, num_words)
    broken = 0
    for number in range(1, num_words + 1):
        word, vector = source.next(number)
        broken += CONTROL.search(word) is not None
        rows.add(word, np.frombuffer(vector, "<f4"), f"word {number:,}")
        if rows.is_full:
            break
    else:
        if source.has_more():
            raise DataError(f"{where}: the header promises {num_words:,} words, more bytes follow.")
    # A line feed after each vector proves the ends of words; without, a wrong width shows here.
    if broken > MOST_BROKEN * number and not source.has_line_feeds:
        raise DataError(
            f"{where}: {broken:,} of the first {number:,} words hold control characters, so they "
            f"begin with bytes of numbers: the width {width} in the header is wrong, or the file "
            "is damaged."
        )
    tables = rows.tables()
    return replace(tables, notes=(*source.notes(), *tables.notes))
