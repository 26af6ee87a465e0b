"""Words and their vectors as they are read: the first of equal words stays, all are finite."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
import torch
from numpy.typing import NDArray

from orthogan.embeddings.load_options import LoadOptions
from orthogan.embeddings.result import Tables
from orthogan.errors import DataError

BLOCK_BYTES = 16 * 2**20  # gathered before they are set aside: no list of a million small arrays

WESTERN = ("cp1252", "latin-1")  # Windows' own leaves five bytes undefined; Latin-1 none
CUT_BYTES = 90  # word2vec.c cuts words at 98 bytes, within a character if it falls so


class WordRows:
    """Words with vectors of one width, gathered until a source ends or a limit is reached.

    >>> rows = WordRows(2, LoadOptions(), "here")
    >>> rows.add(b"a", np.ones(2, np.float32), "line 1")
    >>> rows.add(b"a", np.zeros(2, np.float32), "line 2")
    >>> rows.tables().notes
    ("1 word occurs more than once, the first 'a'; the first vector of each was kept.",)
    """

    def __init__(self, width: int, options: LoadOptions, where: str) -> None:
        self.width, self._wanted, self._where = width, options, where
        self._words: dict[bytes, int] = {}
        self._blocks: list[NDArray[np.float32]] = []
        self._block_rows = max(1, BLOCK_BYTES // (4 * width))
        self._fill = self._block_rows
        self._repeated: dict[bytes, None] = {}

    def __len__(self) -> int:
        return len(self._words)

    @property
    def is_full(self) -> bool:
        """Whether the limit is reached."""
        return self._wanted.is_full(len(self._words))

    def add(self, word: bytes, vector: NDArray[np.float32], place: str) -> None:
        """One more word, unless it was there before.

        Raises:
            DataError: the vector is not finite; `place` says where in the source it is.
        """
        if not np.isfinite(vector).all():
            raise DataError(
                f"{self._where}: {place}: the vector of '{_text(word)}' holds NaN or infinite "
                "values."
            )
        if word in self._words:
            self._repeated[word] = None
            return
        self._words[word] = len(self._words)
        if self._fill == self._block_rows:
            self._blocks.append(np.empty((self._block_rows, self.width), np.float32))
            self._fill = 0
        self._blocks[-1][self._fill] = vector
        self._fill += 1

    def tables(self) -> Tables:
        """What was gathered.

        Raises:
            DataError: nothing was.
        """
        if not self._words:
            raise DataError(f"{self._where}: holds no words.")
        labels, notes = decoded(self._words)
        return Tables(
            torch.from_numpy(self._stacked()), None, labels, (), self._where, self._notes() + notes
        )

    def _stacked(self) -> NDArray[np.float32]:
        whole = np.empty((len(self._words), self.width), np.float32)
        start = 0
        while self._blocks:  # each block is let go once copied: the peak is one table, not two
            part = self._blocks.pop(0)[: len(whole) - start]
            whole[start : start + len(part)] = part
            start += len(part)
        return whole

    def _notes(self) -> tuple[str, ...]:
        if not self._repeated:
            return ()
        n, first = len(self._repeated), _text(next(iter(self._repeated)))
        verb = "word occurs" if n == 1 else "words occur"
        return (
            f"{n:,} {verb} more than once, the first '{first}'; the first vector of each was kept.",
        )


def _text(word: bytes) -> str:
    return word.decode("utf-8", errors="replace")


def decoded(words: Collection[bytes]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    r"""The words as text, different words as different text, and notes on what is no UTF-8.

    Words are UTF-8 unless most of those with more than ASCII are not. Broken characters of UTF-8
    show as U+FFFD; where that makes two words equal, their bytes show as \xNN instead.

    >>> decoded([b"caf\xe9", b"caf\xe8"])[0] == ("caf\u00e9", "caf\u00e8")
    True
    """
    beyond = [word for word in words if not word.isascii()]
    is_utf8 = _decodes("utf-8")
    broken = [word for word in beyond if not is_utf8(word)]
    if not broken:
        return tuple(word.decode() for word in words), ()
    if 2 * sum(len(word) < CUT_BYTES for word in broken) > len(beyond):
        encoding = next(e for e in WESTERN if all(map(_decodes(e), broken)))
        note = (
            f"{len(broken):,} words are no UTF-8, the first {ascii(broken[0])[1:]}; all are read "
            f"as {encoding}: convert the file if it is of another encoding."
        )
        return tuple(word.decode(encoding) for word in words), (note,)
    texts = {word: word.decode(errors="replace") for word in broken}
    taken = {word.decode() for word in words if word not in texts}
    for word, text in texts.items():
        if text in taken:
            texts[word] = word.decode(errors="backslashreplace")
        taken.add(texts[word])
    note = f"{len(broken):,} words are not whole UTF-8; what is broken shows as \\ufffd or \\xNN."
    return tuple(texts.get(word) or word.decode() for word in words), (note,)


def _decodes(encoding: str) -> Callable[[bytes], bool]:
    def can(word: bytes) -> bool:
        try:
            word.decode(encoding)
        except UnicodeDecodeError:
            return False
        return True

    return can
