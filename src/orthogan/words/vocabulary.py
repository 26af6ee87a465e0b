"""The different words of a text, by frequency, and a row for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from orthogan.errors import ConfigError, DataError


@dataclass(frozen=True)
class Vocabulary:
    """Words with their counts, the most frequent first.

    Attributes:
        words: Every word once; its place is its row in any table.
        counts: How often each one occurs.

    >>> vocabulary = Vocabulary.of(["a", "rose", "is", "a", "rose"], min_count=2)
    >>> vocabulary.words, vocabulary.encode(["rose", "is", "a"]).tolist()
    (('a', 'rose'), [1, 0])
    """

    words: tuple[str, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, words: Iterable[str], min_count: int = 1) -> Vocabulary:
        """The vocabulary of a text; words of equal frequency stand in alphabetical order.

        Args:
            words: The text, word by word.
            min_count: Rarer words are left out.

        Raises:
            ConfigError: `min_count` is below 1.
            DataError: no word is frequent enough.
        """
        if min_count < 1:
            raise ConfigError(f"'min_count' must be at least 1, got {min_count}.")
        found = Counter(words).items()
        kept = sorted((-count, word) for word, count in found if count >= min_count)
        if not kept:
            raise DataError(
                f"'words' holds no word that occurs at least {min_count} times; give more text."
            )
        return cls(tuple(word for _, word in kept), tuple(-count for count, _ in kept))

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._rows

    def row(self, word: str) -> int | None:
        """The row of a word; None for a word that is not in the vocabulary."""
        return self._rows.get(word)

    def encode(self, words: Iterable[str]) -> Tensor:
        """The rows of a text (int64); words that are not in the vocabulary are left out."""
        rows = [self._rows[word] for word in words if word in self._rows]
        return torch.tensor(rows, dtype=torch.int64)

    def decode(self, rows: Sequence[int] | Tensor) -> list[str]:
        """The words of rows."""
        return [self.words[int(row)] for row in rows]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {word: row for row, word in enumerate(self.words)}
