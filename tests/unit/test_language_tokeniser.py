"""Tokens and vocabularies: round trips, what is unknown, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orthogan.errors import BundleError, ConfigError, DataError, UnknownNameError
from orthogan.language.tokeniser import (
    SPLITTERS,
    UNKNOWN,
    Tokeniser,
    join_words,
    learn_tokeniser,
    read_tokeniser,
    split_words,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@settings(max_examples=30)
@given(text=TEXTS, kind=st.sampled_from(["bytes", "characters"]))
def test_what_was_learned_from_comes_back(text: str, kind: str) -> None:
    tokeniser = learn_tokeniser(kind, text)
    tokens = tokeniser.encode(text)
    assert tokeniser.decode(tokens.tolist()) == text
    assert len(tokens) == (len(text) if kind == "characters" else len(text.encode()))
    assert 0 <= int(tokens.min()) <= int(tokens.max()) < len(tokeniser)


@settings(max_examples=30)
@given(text=TEXTS)
def test_words_are_kept_in_order_without_spaces_and_capitals(text: str) -> None:
    words = split_words(text)
    assert split_words(join_words(words)) == words or any(w in "\"'" for w in "".join(words))
    assert not any(character.isspace() for word in words for character in word)


@settings(max_examples=30)
@given(text=TEXTS, kind=st.sampled_from(list(SPLITTERS)))
def test_a_vocabulary_survives_json(text: str, kind: str) -> None:
    try:
        tokeniser = learn_tokeniser(kind, text)
    except DataError:
        assert split_words(text) == []
        return
    assert read_tokeniser(json.loads(json.dumps(tokeniser.to_dict()))) == tokeniser


def test_bytes_of_another_language() -> None:
    tokeniser = learn_tokeniser("bytes", "irrelevant")
    assert len(tokeniser) == 256
    assert tokeniser.unknown is None
    assert tokeniser.encode("\u00e9").tolist() == [0xC3, 0xA9]
    assert tokeniser.decode([0xC3, 0xA9]) == "\u00e9"
    assert tokeniser.decode([0xC3]) == "\N{REPLACEMENT CHARACTER}"  # half a character


def test_the_most_frequent_come_first_and_rare_ones_are_unknown() -> None:
    text = "b b b. a a a. rare"
    words = learn_tokeniser("words", text, min_count=2)
    assert words.entries == (UNKNOWN, "a", "b", ".")
    assert words.encode("A rare b?").tolist() == [1, 0, 2, 0]
    assert words.decode([1, 0, 2, 3]) == "a <unk> b."
    letters = learn_tokeniser("characters", text, min_count=3)
    assert letters.entries == (UNKNOWN, " ", "a", "b")
    assert letters.decode([2, 0]) == "a\N{REPLACEMENT CHARACTER}"


def test_words_and_marks() -> None:
    assert split_words("A_b well-known 3rd\nday") == [
        "a", "_", "b", "well", "-", "known", "3rd", "day",
    ]  # fmt: skip
    assert (
        join_words(["he", "said", ",", "\u201c", "no", "\u201d", "."]) == "he said, \u201cno\u201d."
    )
    assert join_words([]) == ""


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: learn_tokeniser("letters", "a"), UnknownNameError, "Unknown tokeniser 'letters'"),
        (lambda: learn_tokeniser("words", "a", 0), ConfigError, "at least 1, got 0"),
        (lambda: learn_tokeniser("words", "a b", 2), DataError, "lower data.min_count"),
        (lambda: Tokeniser("words", ("a",)), ConfigError, "at least 2 entries, got 1"),
        (lambda: Tokeniser("words", ("a", "b", "a")), ConfigError, "holds 'a' twice"),
        (lambda: Tokeniser("words", ("a", "b")).encode("c"), DataError, "'c' is not in the voc"),
    ],
)
def test_impossible_vocabularies_are_refused(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize(
    "tree",
    [
        None,
        [],
        {"tokeniser": "words"},
        {"tokeniser": "words", "entries": "ab"},
        {"tokeniser": "words", "entries": ["a", 3]},
        {"tokeniser": "words", "entries": ["a"]},
        {"tokeniser": "runes", "entries": ["a", "b"]},
    ],
    ids=str,
)
def test_damaged_vocabularies_are_refused(tree: Any) -> None:
    with pytest.raises(BundleError, match="vocabulary is"):
        read_tokeniser(tree)
