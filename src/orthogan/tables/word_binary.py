"""Word vectors in the binary form of word2vec."""

from __future__ import annotations

from io import BufferedIOBase

import numpy as np

from orthogan.errors import DataError
from orthogan.tables.result import Tables
from orthogan.tables.wanted import Wanted
from orthogan.tables.word_rows import WordRows
from orthogan.tables.word_text import parse_header

MAX_HEADER_BYTES = 64
MAX_WORD_BYTES = 4096  # far above the longest word; no space within it means that this is no word
CHUNK_BYTES = 2**20
LINE_FEED = 10


def read_word2vec_binary(
    stream: BufferedIOBase, wanted: Wanted, where: str, size: int | None = None
) -> Tables:
    """Words and vectors in the binary form of word2vec: a line of sizes, then word by word.

    A word ends with a space; its float32 numbers follow, little-endian; some writers end a vector
    with a line feed, which is no part of the next word.

    Args:
        stream: The bytes from the file's start.
        wanted: The limit.
        where: What to call the source in messages.
        size: Bytes of the file if it is not compressed, so that an impossible header is refused
            before anything is read.

    Raises:
        DataError: no header, a truncated file, bytes after the last word, or no words.

    Source: Mikolov et al. 2013, `word2vec.c`, the branch `binary` at the end of `TrainModel`.
    """
    header = parse_header(stream.readline(MAX_HEADER_BYTES))
    if header is None or min(header) < 1:
        raise DataError(f"{where}: line 1: the number of words and the width are missing.")
    num_words, width = header
    if size is not None and not wanted.limit and num_words * (4 * width + 1) > size:
        raise DataError(
            f"{where}: truncated: {num_words:,} words of width {width} take at least "
            f"{num_words * (4 * width + 1):,} bytes, the file has {size:,}."
        )
    rows = WordRows(width, wanted, where)
    source = _Records(stream, width, where, num_words)
    for number in range(1, num_words + 1):
        word, vector = source.next(number)
        rows.add(word, np.frombuffer(vector, "<f4"), f"word {number:,}")
        if rows.is_full:
            return rows.tables()
    if source.has_more():
        raise DataError(f"{where}: the header promises {num_words:,} words, more bytes follow.")
    return rows.tables()


class _Records:
    """Cuts a stream into words and the bytes of their vectors."""

    def __init__(self, stream: BufferedIOBase, width: int, where: str, num_words: int) -> None:
        self._stream, self._where, self._num_words = stream, where, num_words
        self._vector_bytes = 4 * width
        self._buffer = b""
        self._start = 0

    def next(self, number: int) -> tuple[bytes, bytes]:
        self._skip_line_feeds()
        space = self._find_space(number)
        word = self._buffer[self._start : space]
        end = space + 1 + self._vector_bytes
        if not word:
            raise DataError(f"{self._where}: word {number:,} is empty; the file is damaged.")
        if not self._holds(end - self._start):
            raise self._truncated(number)
        # Reading more moves what is left of the buffer to its start.
        begin = self._start + len(word) + 1
        vector = self._buffer[begin : begin + self._vector_bytes]
        self._start = begin + self._vector_bytes
        return word, vector

    def has_more(self) -> bool:
        self._skip_line_feeds()
        return self._holds(1)

    def _skip_line_feeds(self) -> None:
        while self._holds(1) and self._buffer[self._start] == LINE_FEED:
            self._start += 1

    def _find_space(self, number: int) -> int:
        while True:
            space = self._buffer.find(b" ", self._start, self._start + MAX_WORD_BYTES)
            if space >= 0:
                return space
            held = len(self._buffer) - self._start
            if held >= MAX_WORD_BYTES:
                raise DataError(
                    f"{self._where}: word {number:,} has no end within {MAX_WORD_BYTES} bytes; "
                    "the width in the header is wrong, or the file is damaged."
                )
            if not self._holds(held + 1):
                raise self._truncated(number)

    def _holds(self, num_bytes: int) -> bool:
        """Whether that many bytes can still be had; reads them if they are not there yet."""
        while len(self._buffer) - self._start < num_bytes:
            chunk = self._stream.read(max(CHUNK_BYTES, num_bytes))
            if not chunk:
                return False
            self._buffer = self._buffer[self._start :] + chunk
            self._start = 0
        return True

    def _truncated(self, number: int) -> DataError:
        return DataError(
            f"{self._where}: truncated: the header promises {self._num_words:,} words, the file "
            f"ends within word {number:,}."
        )
