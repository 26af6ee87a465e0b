"""Word vectors in the binary form of word2vec.

A word ends with a space, and its numbers may hold the byte of a space, so the first space is right
only for words without one. A wrong end shifts all that follows, and that shows: shifted bytes are
numbers of absurd size, the line feed of files that have one is missing, or the next word begins
with bytes of numbers.
"""

from __future__ import annotations

import re
from dataclasses import replace
from io import BufferedIOBase

import numpy as np

from orthogan.embeddings.load_options import LoadOptions
from orthogan.embeddings.result import Tables
from orthogan.embeddings.word_rows import WordRows
from orthogan.embeddings.word_text import parse_header
from orthogan.errors import DataError

MAX_WORD_BYTES = 4096  # far above the longest word; no space within it means that this is no word
MANY_NUMBERS = 12  # random bytes are that many plausible numbers once in 100,000 times
FEW_BYTES = 4  # a space and three letters: random bytes are more of a text once in 10,000 times
MAX_SPACES = 32  # in one word: each is tried
CHUNK_BYTES = 2**20
LINE_FEED = 10
CONTROL = re.compile(rb"[\x00-\x1f\x7f]")

# Leading bytes of float32 of sizes 2^-51 .. 2^50, far beyond trained numbers. Small letters and
# spaces lie outside: "York" read as a number is 2.9e26, and a space in front gives 1e-19.
PLAUSIBLE = bytes(sign + size for sign in (0, 128) for size in range(0x26, 0x59))
LEAST, MOST = 2.0**-51, 2.0**51
CERTAIN = 3  # pieces of evidence: the numbers, what follows them, the next word
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


class WordRecords:
    """Cuts a stream into words and the bytes of their vectors.

    Args:
        stream: Stands at the first word.
        width: Numbers of a vector, float32.
        where: What to call the source in messages.
        num_words: How many words the header promises.
    """

    def __init__(self, stream: BufferedIOBase, width: int, where: str, num_words: int) -> None:
        self._stream, self._where, self._num_words = stream, where, num_words
        self._vector_bytes = 4 * width
        self._buffer = b""
        self._start = 0
        self.has_line_feeds: bool | None = None  # after each vector; unknown before the first
        self._spaced: list[bytes] = []

    def next(self, number: int) -> tuple[bytes, bytes]:
        """The next word and the bytes of its vector."""
        self._skip_line_feeds()
        length = self._word_length(number)
        if not length:
            raise DataError(f"{self._where}: word {number:,} is empty; the file is damaged.")
        if not self._holds(length + 1 + self._vector_bytes):
            raise self._truncated(number)
        if not self._is_certain(length, number):
            length = self._likeliest(length, number)
        begin = self._start + length + 1
        end = begin + self._vector_bytes
        word, vector = self._buffer[self._start : begin - 1], self._buffer[begin:end]
        if b" " in word:
            self._spaced.append(word)
        self._start = end
        if self.has_line_feeds is None and self._holds(1):
            self.has_line_feeds = self._buffer[self._start] == LINE_FEED
        return word, vector

    def has_more(self) -> bool:
        """Whether anything but line feeds follows."""
        self._skip_line_feeds()
        return self._holds(1)

    def notes(self) -> tuple[str, ...]:
        """A sentence on words with spaces, if there were any."""
        if not self._spaced:
            return ()
        first = ascii(self._spaced[0].decode("utf-8", "replace"))
        holds = "word holds" if len(self._spaced) == 1 else "words hold"
        named = f"{len(self._spaced):,} {holds} spaces, the first {first}"
        return (f"{named}: their ends are where the bytes that follow leave one reading.",)

    def _likeliest(self, first: int, number: int) -> int:
        """The length of a word whose first space does not seem to be its end."""
        self._holds(MAX_WORD_BYTES)
        stop = CONTROL.search(self._buffer, self._start, self._start + MAX_WORD_BYTES)
        text = self._buffer[self._start : stop.start() if stop else self._start + MAX_WORD_BYTES]
        ends = [match.start() for match in re.finditer(b" ", text)][:MAX_SPACES]
        lengths = [first, *(end for end in ends if end > first and _is_phrase(text[:end]))]
        evidence = {length: self._evidence(length, number) for length in lengths}
        best = max(evidence.values())
        likeliest = [length for length in lengths if evidence[length] == best]
        if first in likeliest and best == CERTAIN - 1:
            return first
        # Absurd numbers before a sound next word: some tables hold them, and no spaces. That many
        # of them are sane once shifted, or read as text, is no accident, but a few may be.
        is_open = (
            self._vector_bytes < 4 * MANY_NUMBERS
            and likeliest[0] - first <= FEW_BYTES
            and evidence[first] == CERTAIN - 1
            and not self._has_plausible(first)
        )
        if best < CERTAIN - 1 or len(likeliest) > 1 or is_open:
            shown = text[: likeliest[-1]].decode("utf-8", "replace")
            raise DataError(
                f"{self._where}: word {number:,}: '{ascii(shown)[1:-1]}': it cannot be told where "
                "its numbers begin: the width in the header is wrong, the file is damaged, or "
                "words hold spaces; write it without spaces in words, or as text."
            )
        return likeliest[0]

    def _is_certain(self, length: int, number: int) -> bool:
        """Whether all evidence speaks for a word of that length; `_evidence` in a hurry."""
        end = self._start + length + 1 + self._vector_bytes
        following = self._buffer[end : end + 1]
        if number < self._num_words and following and self.has_line_feeds is not None:
            begin = end + self.has_line_feeds
            space = self._buffer.find(b" ", begin, begin + MAX_WORD_BYTES)
            if space > begin and (following == b"\n") == self.has_line_feeds:
                word = self._buffer[begin:space]
                is_word = word.isalnum() or _is_text(word)
                return is_word and _is_plausible(self._buffer[end - self._vector_bytes : end])
        return self._evidence(length, number) == CERTAIN

    def _has_plausible(self, length: int) -> bool:
        begin = self._start + length + 1
        return _is_plausible(self._buffer[begin : begin + self._vector_bytes])

    def _evidence(self, length: int, number: int) -> int:
        """How many of three things speak for a word of that length."""
        begin = length + 1
        end = begin + self._vector_bytes
        if not self._holds(end):
            return 0
        start = self._start
        found = int(_is_plausible(self._buffer[start + begin : start + end]))
        if not self._holds(end + 1):
            return found + 2  # the end speaks against nothing
        start = self._start
        is_line_feed = self._buffer[start + end] == LINE_FEED
        found += self.has_line_feeds is None or is_line_feed == self.has_line_feeds
        return found + self._is_word(end, number)

    def _is_word(self, at: int, number: int) -> bool:
        """Whether a word may begin there; the end of the file if this was the last."""
        while self._holds(at + 1) and self._buffer[self._start + at] == LINE_FEED:
            at += 1
        if number == self._num_words or not self._holds(at + 1):
            return not self._holds(at + 1)
        space = self._find_space(at)
        if space is None:
            return False
        begin = self._start + at
        return _is_text(self._buffer[begin : begin + space])

    def _skip_line_feeds(self) -> None:
        while self._holds(1) and self._buffer[self._start] == LINE_FEED:
            self._start += 1

    def _word_length(self, number: int) -> int:
        length = self._find_space(0)
        if length is not None:
            return length
        if self._holds(MAX_WORD_BYTES):
            raise DataError(
                f"{self._where}: word {number:,} has no end within {MAX_WORD_BYTES} bytes; "
                "the width in the header is wrong, or the file is damaged."
            )
        raise self._truncated(number)

    def _find_space(self, at: int) -> int | None:
        """Bytes from a place (counted from the start of this word) to the next space."""
        held = at
        while True:
            begin = self._start + at
            space = self._buffer.find(b" ", begin, begin + MAX_WORD_BYTES)
            if space >= 0:
                return space - begin
            held = len(self._buffer) - self._start
            if held - at >= MAX_WORD_BYTES or not self._holds(held + 1):
                return None

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


def _is_phrase(word: bytes) -> bool:
    """Whether a word with spaces is text between single ones."""
    return all(word.split(b" ")) and _is_text(word)


def _is_text(word: bytes) -> bool:
    if not word or CONTROL.search(word):
        return False
    try:
        word.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_plausible(vector: bytes) -> bool:
    """Whether all numbers have a size that trained ones have, or are zero."""
    if not vector[3::4].translate(None, PLAUSIBLE):  # what is left of the leading bytes
        return True
    numbers = np.abs(np.frombuffer(vector, "<f4"))
    return bool(((numbers == 0) | ((numbers > LEAST) & (numbers < MOST))).all())
