"""Tokens: bytes, characters or words, with a vocabulary that is written down."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from orthogan.errors import BundleError, ConfigError, DataError, OrthoganError
from orthogan.language.word_rules import FIRST_RULE, NEWEST_RULE, WORD_RULES
from orthogan.registry import Registry

UNKNOWN = "<unk>"
WORDS = "words"
JOINERS = ("\u200c", "\u200d")
MOST_ENTRIES = 1_000_000  # a larger table would not be trained here, and is no file of ours
NUM_BYTES = 256
BYTES = tuple(map(chr, range(NUM_BYTES)))  # what stands for them in a vocabulary

_HALF_PAIR = re.compile(r"[\ud800-\udfff]")
_CLOSING = ".,;:!?)]}'\u2019\u201d"
_OPENING = "([{\u201c\u2018"


class Splitter(NamedTuple):
    """How a text falls into tokens.

    Attributes:
        split: The pieces of a text.
        join: The text of pieces.
        score: What a model of such tokens is scored by.
        is_closed: The vocabulary is the same for every text, so nothing is unknown.
    """

    split: Callable[[str], list[str]]
    join: Callable[[Sequence[str]], str]
    score: str
    is_closed: bool = False


def split_words(text: str) -> list[str]:
    """Words in lower case and marks of punctuation; spaces and line ends are left out.

    Words are told apart as `text.words` says; what is no word falls into the characters that a
    reader sees, so an emoji of several code points is one piece.

    >>> split_words("Don't stop: it is Mr. Elton!")
    ["don't", 'stop', ':', 'it', 'is', 'mr', '.', 'elton', '!']
    """
    return WORD_RULES[NEWEST_RULE](text)


def join_words(words: Sequence[str]) -> str:
    """Words with single spaces, none before a closing or after an opening mark.

    >>> join_words(["stop", ":", "(", "it", "is", ")", "."])
    'stop: (it is).'
    """
    text = ""
    for word in words:
        tight = not text or word in _CLOSING or text[-1] in _OPENING
        tight = tight and not _is_mark(word)  # it would join what stands before it
        text += word if tight else f" {word}"
    return text


def _is_mark(word: str) -> bool:
    return word[:1] in JOINERS or unicodedata.category(word[:1] or " ").startswith("M")


def _split_bytes(text: str) -> list[str]:
    # A lone surrogate, such as a stray byte of a command line leaves, has no bytes of its own.
    return list(text.encode(errors="replace").decode("latin-1"))


def _join_bytes(pieces: Sequence[str]) -> str:
    return "".join(pieces).encode("latin-1").decode("utf-8", errors="replace")


def _join_characters(pieces: Sequence[str]) -> str:
    return "".join("\N{REPLACEMENT CHARACTER}" if p == UNKNOWN else p for p in pieces)


SPLITTERS: Registry[Splitter] = Registry("tokenizer")
SPLITTERS.register("bytes")(Splitter(_split_bytes, _join_bytes, "bits_per_byte", True))
SPLITTERS.register("characters")(Splitter(list, _join_characters, "bits_per_character"))
SPLITTERS.register(WORDS)(Splitter(split_words, join_words, "perplexity"))


@dataclass(frozen=True)
class Tokenizer:
    """A vocabulary and how texts fall into its entries.

    Args:
        kind: One of `SPLITTERS`.
        entries: What each token stands for; bytes are written as the characters of Latin-1.
        rule: How words are told apart, one of `WORD_RULES`; a model keeps the rule that it was
            trained with. Without effect for other kinds.

    Raises:
        UnknownNameError: no such kind.
        ConfigError: fewer than two entries, one of them twice, or no such rule.

    >>> tokenizer = Tokenizer("characters", ("<unk>", "a", "b"))
    >>> tokenizer.encode("abc").tolist(), tokenizer.decode([2, 1])
    ([1, 2, 0], 'ba')
    """

    kind: str
    entries: tuple[str, ...]
    rule: int = NEWEST_RULE

    def __post_init__(self) -> None:
        _ = SPLITTERS[self.kind]
        if self.rule not in WORD_RULES:
            raise ConfigError(
                f"Words are told apart by one of the rules {sorted(WORD_RULES)}, got {self.rule}."
            )
        if len(self.entries) < 2:
            raise ConfigError(f"A vocabulary has at least 2 entries, got {len(self.entries)}.")
        if len(self._index) != len(self.entries):
            twice = Counter(self.entries).most_common(1)[0][0]
            raise ConfigError(f"The vocabulary holds {twice!r} twice.")
        if SPLITTERS[self.kind].is_closed and self.entries != BYTES:
            raise ConfigError(
                f"A vocabulary of bytes is the {NUM_BYTES} characters of Latin-1 in their order, "
                f"got {len(self.entries)} entries with others among them or in another order."
            )

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def unknown(self) -> int | None:
        """The token of everything that is not in the vocabulary; None if there is none."""
        return self._index.get(UNKNOWN)

    @property
    def score(self) -> str:
        """What a model of these tokens is scored by."""
        return SPLITTERS[self.kind].score

    def split(self, text: str) -> list[str]:
        """The pieces of a text, in the vocabulary or not.

        Raises:
            DataError: the text holds half of a surrogate pair, as bytes of a command line do that
                are not in its encoding.
        """
        check_text(text)
        if self.kind == WORDS:
            return WORD_RULES[self.rule](text)
        return SPLITTERS[self.kind].split(text)

    def unknown_pieces(self, text: str) -> list[str]:
        """The pieces of a text that are not in the vocabulary, each once, in their order."""
        return [piece for piece in dict.fromkeys(self.split(text)) if piece not in self._index]

    def encode(self, text: str) -> Tensor:
        """The tokens of a text (int64).

        Raises:
            DataError: something is not in the vocabulary, and there is no token for that; or the
                text holds half of a surrogate pair.
        """
        index, unknown = self._index, self.unknown
        pieces = self.split(text)
        if unknown is None:
            missing = next((piece for piece in pieces if piece not in index), None)
            if missing is not None:
                raise DataError(f"{missing!r} is not in the vocabulary of {len(self):,} entries.")
            unknown = 0
        return torch.tensor([index.get(piece, unknown) for piece in pieces], dtype=torch.int64)

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens."""
        return SPLITTERS[self.kind].join([self.entries[token] for token in tokens])

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `json.dumps` takes it."""
        rule = {"rule": self.rule} if self.kind == WORDS else {}
        return {"tokeniser": self.kind, **rule, "entries": list(self.entries)}

    @cached_property
    def _index(self) -> dict[str, int]:
        return {entry: token for token, entry in enumerate(self.entries)}


def check_text(text: str, what: str = "a text", error: type[OrthoganError] = DataError) -> None:
    """Nothing, if a text can be written as Unicode.

    Args:
        text: What somebody gave.
        what: What it is, for the message.
        error: What is raised.

    Raises:
        OrthoganError: of the kind `error`: it holds half of a surrogate pair.
    """
    half = _HALF_PAIR.search(text)
    if half is not None:
        raise error(
            f"Character {half.start() + 1:,} of {what} is half of a surrogate pair, {half[0]!a}, "
            "which is no Unicode text; give it in UTF-8."
        )


def learn_tokenizer(kind: str, text: str, min_count: int = 1) -> Tokenizer:
    """The vocabulary of a text, its most frequent entries first, with one for what it leaves out.

    Args:
        kind: One of `SPLITTERS`; the vocabulary of bytes is the same for every text.
        text: What is learned from.
        min_count: Entries that are rarer become the unknown one; 1 keeps all.

    Raises:
        UnknownNameError: no such kind.
        ConfigError: `min_count` is below 1.
        DataError: nothing is as frequent.

    >>> learn_tokenizer("words", "to be or not to be", min_count=2).entries
    ('<unk>', 'be', 'to')
    """
    splitter = SPLITTERS[kind]
    if min_count < 1:
        raise ConfigError(f"min_count is at least 1, got {min_count}.")
    if splitter.is_closed:
        return Tokenizer(kind, BYTES)
    counts = Counter(splitter.split(text))
    kept = sorted(
        (entry for entry, count in counts.items() if count >= min_count),
        key=lambda entry: (-counts[entry], entry),
    )
    if not kept:
        raise DataError(
            f"No {kind} of the text occur {min_count} times or more; lower data.min_count."
        )
    return Tokenizer(kind, (UNKNOWN, *kept))


def read_tokenizer(tree: Any) -> Tokenizer:
    """The tokenizer that `Tokenizer.to_dict` wrote.

    Raises:
        BundleError: it is not one.
    """
    entries = tree.get("entries") if isinstance(tree, dict) else None
    if (
        not isinstance(entries, list)
        or len(entries) > MOST_ENTRIES
        or not all(isinstance(entry, str) for entry in entries)
    ):
        raise BundleError("The vocabulary is not a list of texts, so it is damaged.")
    kind = tree.get("tokeniser")
    rule = tree.get("rule", FIRST_RULE) if kind == WORDS else NEWEST_RULE
    if type(rule) is int and rule > NEWEST_RULE:
        raise BundleError(
            f"The vocabulary is of words told apart by rule {rule}; this version knows the rules "
            f"up to {NEWEST_RULE}: install a newer one."
        )
    if type(kind) is not str or type(rule) is not int:
        raise BundleError("The vocabulary is damaged: its kind or its rule has a wrong type.")
    try:
        return Tokenizer(kind, tuple(entries), rule)
    except (ConfigError, LookupError) as error:
        raise BundleError(f"The vocabulary is damaged: {error}") from None
