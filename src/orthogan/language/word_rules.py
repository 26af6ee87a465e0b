"""How a text falls into words, rule by rule: a trained model keeps the rule it was trained with."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

import regex

from orthogan.words.words import DIGIT, INSIDE, LETTER, MARK, SPACE, plain

FIRST_RULE = 1  # of vocabularies that name none
NEWEST_RULE = 2

# Without marks: a word ends at any combining mark, and each mark is a piece of its own.
_FIRST = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*|[^\w\s]|_")
_PART = rf"[{LETTER}{DIGIT}][{LETTER}{DIGIT}{MARK}]*"
_SECOND = regex.compile(rf"{_PART}(?:['\u2019{INSIDE}]{_PART})*|(?![{SPACE}])\X")

# Text without these, and in NFC, falls into the same pieces by both rules.
_CHANGED = regex.compile(
    rf"[{INSIDE}\u0130\p{{M}}\p{{Cf}}\p{{Emoji_Modifier}}\p{{Regional_Indicator}}]"
)


def rules_agree(text: str) -> bool:
    """Whether every rule finds the same words in a text, as in English ones."""
    if text.isascii():
        return True
    if unicodedata.is_normalized("NFC", text) and _CHANGED.search(text) is None:
        return True
    first, *others = (split(text) for split in WORD_RULES.values())
    return all(other == first for other in others)


def _by_first(text: str) -> list[str]:
    return _FIRST.findall(text.lower())


def _by_second(text: str) -> list[str]:
    return _SECOND.findall(plain(text))


WORD_RULES: Mapping[int, Callable[[str], list[str]]] = {
    FIRST_RULE: _by_first,
    NEWEST_RULE: _by_second,
}
