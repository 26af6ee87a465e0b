"""Tokens and vocabularies: round trips, what is unknown, what is refused."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orthogan.errors import BundleError, ConfigError, DataError, UnknownNameError
from orthogan.language.tokenizer import (
    SPLITTERS,
    UNKNOWN,
    Tokenizer,
    join_words,
    learn_tokenizer,
    read_tokenizer,
    split_words,
)
from orthogan.language.word_rules import WORD_RULES, rules_agree
from orthogan.words import load_corpus

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@settings(max_examples=30)
@given(text=TEXTS, kind=st.sampled_from(["bytes", "characters"]))
def test_what_was_learned_from_comes_back(text: str, kind: str) -> None:
    tokenizer = learn_tokenizer(kind, text)
    tokens = tokenizer.encode(text)
    assert tokenizer.decode(tokens.tolist()) == text
    assert len(tokens) == (len(text) if kind == "characters" else len(text.encode()))
    assert 0 <= int(tokens.min()) <= int(tokens.max()) < len(tokenizer)


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
        tokenizer = learn_tokenizer(kind, text)
    except DataError:
        assert split_words(text) == []
        return
    assert read_tokenizer(json.loads(json.dumps(tokenizer.to_dict()))) == tokenizer


def test_bytes_of_another_language() -> None:
    tokenizer = learn_tokenizer("bytes", "irrelevant")
    assert len(tokenizer) == 256
    assert tokenizer.unknown is None
    assert tokenizer.encode("\u00e9").tolist() == [0xC3, 0xA9]
    assert tokenizer.decode([0xC3, 0xA9]) == "\u00e9"
    assert tokenizer.decode([0xC3]) == "\N{REPLACEMENT CHARACTER}"  # half a character


def test_the_most_frequent_come_first_and_rare_ones_are_unknown() -> None:
    text = "b b b. a a a. rare"
    words = learn_tokenizer("words", text, min_count=2)
    assert words.entries == (UNKNOWN, "a", "b", ".")
    assert words.encode("A rare b?").tolist() == [1, 0, 2, 0]
    assert words.decode([1, 0, 2, 3]) == "a <unk> b."
    letters = learn_tokenizer("characters", text, min_count=3)
    assert letters.entries == (UNKNOWN, " ", "a", "b")
    assert letters.decode([2, 0]) == "a\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    "text",
    [
        "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e !",  # Hindi
        "\u0ba4\u0bae\u0bbf\u0bb4\u0bcd \u0bae\u0bca\u0bb4\u0bbf",  # Tamil
        "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u0e01\u0e35\u0e48",  # Thai: no words within a run
        "\u05e9\u05dc\u05d5\u05b9\u05dd \u05e2\u05d5\u05b9\u05dc .",  # Hebrew with points
    ],
)
def test_marks_end_no_word(text: str) -> None:
    assert split_words(text) == text.split(" ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\u05e6\u05d4\u05f4\u05dc", ["\u05e6\u05d4\u05f4\u05dc"]),  # gershayim
        ("Cafe\u0301 CAF\u00c9", ["caf\u00e9", "caf\u00e9"]),
        ("\u0130stanbul", ["i\u0307stanbul"]),
        ("\u0645\u06cc\u200c\u062e\u0648", ["\u0645\u06cc\u200c\u062e\u0648"]),  # a joiner
        ("co\u00adoperate \u200fshalom\u200f", ["cooperate", "shalom"]),
        ("col\u00b7lega", ["col\u00b7lega"]),
        ("\U0001f44d\U0001f3fd\U0001f44d!", ["\U0001f44d\U0001f3fd", "\U0001f44d", "!"]),
        ("a \u0301b", ["a", "\u0301", "b"]),  # a mark without a letter
        ("x\u00b2 \u00bd a\x1cb", ["x\u00b2", "\u00bd", "a", "b"]),
    ],
)
def test_marks_belong_to_their_letters(text: str, words: list[str]) -> None:
    assert split_words(text) == [unicodedata.normalize("NFC", word) for word in words]
    assert split_words(join_words(split_words(text))) == split_words(text)


def test_english_falls_into_the_same_words_as_before() -> None:
    text = load_corpus()
    before = re.findall(r"[^\W_]+(?:['\u2019][^\W_]+)*|[^\w\s]|_", text.lower())
    assert split_words(text) == before
    assert rules_agree(text)
    ascii_text = "".join(map(chr, range(128))) + "it's a_b 3rd 'so' x''y \u2018no\u2019 na\u00efve"
    assert WORD_RULES[1](ascii_text) == split_words(ascii_text)


@settings(max_examples=200)
@given(text=TEXTS)
def test_rules_that_agree_give_the_same_words(text: str) -> None:
    # Letters that are newer than this Python are not judged.
    if rules_agree(text) and "Cn" not in map(unicodedata.category, text):
        assert WORD_RULES[1](text) == WORD_RULES[2](text)


def test_a_vocabulary_keeps_its_rule() -> None:
    entries = [UNKNOWN, "caf", "e", "\u0301", "caf\u00e9"]
    old = read_tokenizer({"tokeniser": "words", "entries": entries})
    assert old.encode("CAFE\u0301").tolist() == [0, 3]
    assert old.encode("caf e\u0301").tolist() == [1, 2, 3]
    assert read_tokenizer(json.loads(json.dumps(old.to_dict()))) == old
    new = Tokenizer("words", tuple(entries))
    assert new.encode("CAFE\u0301").tolist() == [4]
    assert new.to_dict()["rule"] == 2
    assert "rule" not in Tokenizer("characters", ("a", "b")).to_dict()


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (3, "rule 3; this version knows the rules up to 2: install a newer one"),
        (10**30, "install a newer one"),
        (0, r"one of the rules \[1, 2\], got 0"),
        ("2", "wrong type"),
        (True, "wrong type"),
        (None, "wrong type"),
        ([2], "wrong type"),
    ],
)
def test_rules_that_are_none_are_refused(rule: Any, words: str) -> None:
    with pytest.raises(BundleError, match=words):
        read_tokenizer({"tokeniser": "words", "rule": rule, "entries": ["a", "b"]})


@pytest.mark.parametrize("kind", list(SPLITTERS))
def test_half_of_a_surrogate_pair_is_no_text(kind: str) -> None:
    tokenizer = learn_tokenizer(kind, "a b a")
    with pytest.raises(DataError, match=r"Character 3 of a text is half .*'\\udce9'.* UTF-8"):
        tokenizer.encode("ab\udce9")


def test_unknown_pieces_are_named_once() -> None:
    tokenizer = learn_tokenizer("characters", "abc")
    assert tokenizer.unknown_pieces("xaybx") == ["x", "y"]
    assert learn_tokenizer("bytes", "").unknown_pieces("\u00e4") == []


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
        (lambda: learn_tokenizer("letters", "a"), UnknownNameError, "Unknown tokenizer 'letters'"),
        (lambda: learn_tokenizer("words", "a", 0), ConfigError, "at least 1, got 0"),
        (lambda: learn_tokenizer("words", "a b", 2), DataError, "lower data.min_count"),
        (lambda: Tokenizer("words", ("a",)), ConfigError, "at least 2 entries, got 1"),
        (lambda: Tokenizer("words", ("a", "b", "a")), ConfigError, "holds 'a' twice"),
        (lambda: Tokenizer("words", ("a", "b")).encode("c"), DataError, "'c' is not in the voc"),
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
        read_tokenizer(tree)


@pytest.mark.parametrize(
    "entries",
    [
        [chr(n) for n in range(255)],
        [chr(n) for n in range(257)],
        [chr(n) for n in reversed(range(256))],
        [*(chr(n) for n in range(255)), "\u0301"],
    ],
)
def test_a_vocabulary_of_other_bytes_is_damaged(entries: list[str]) -> None:
    with pytest.raises(BundleError, match="256 characters of Latin-1 in their order"):
        read_tokenizer({"tokeniser": "bytes", "entries": entries})
    whole = read_tokenizer({"tokeniser": "bytes", "entries": [chr(n) for n in range(256)]})
    assert whole.decode(whole.encode("caf\u00e9 \u0301").tolist()) == "caf\u00e9 \u0301"
