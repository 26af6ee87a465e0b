"""Word vectors: what is written in a format is read back, whatever the words are."""

from __future__ import annotations

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orthogan.embeddings import read_tables
from orthogan.errors import DataError

# Any text that a line can hold: no control characters, no surrogates; other spaces than U+0020
# are part of a word.
WORDS = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=" \ufeff\ufffd"), min_size=1
)
SPACED = st.lists(WORDS, min_size=1, max_size=3).map(" ".join)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
# The binary form tells words from numbers by their sizes: bytes of others may spell anything.
SIZES = st.floats(2.0**-50, 2.0**50, width=32)
TRAINED = st.just(0.0) | SIZES | SIZES.map(lambda size: -size)


def tables(
    words: st.SearchStrategy[str], numbers: st.SearchStrategy[float] = FLOATS
) -> st.SearchStrategy[tuple[list[str], np.ndarray]]:
    def rows(width: int) -> st.SearchStrategy[tuple[list[str], np.ndarray]]:
        row = st.lists(numbers, min_size=width, max_size=width)
        return st.dictionaries(words, row, min_size=1, max_size=8).map(
            lambda table: (list(table), np.array(list(table.values()), np.float32))
        )

    return st.integers(1, 5).flatmap(rows)


def lines(words: list[str], vectors: np.ndarray, end: str = "\n") -> bytes:
    """What GloVe writes; repr is the shortest text that reads back to the same float."""
    rows = [" ".join([w, *map(repr, v.tolist())]) for w, v in zip(words, vectors, strict=True)]
    return "".join(row + end for row in rows).encode()


def header(vectors: np.ndarray) -> bytes:
    return b"%d %d\n" % vectors.shape


def binary(words: list[str], vectors: np.ndarray, end: bytes = b"\n") -> bytes:
    rows = zip(words, vectors, strict=True)
    return header(vectors) + b"".join(w.encode() + b" " + v.tobytes() + end for w, v in rows)


def check(content: bytes, words: list[str], vectors: np.ndarray) -> None:
    with TemporaryDirectory() as folder:
        for name, data in (("a", content), ("a.gz", gzip.compress(content, 1))):
            (Path(folder) / name).write_bytes(data)
            found = read_tables(Path(folder) / name)
            assert found.labels == tuple(words)
            np.testing.assert_array_equal(found.tokens.numpy(), vectors)


@settings(deadline=None, max_examples=60)
@given(tables(WORDS), st.sampled_from(["\n", " \n", "\r\n"]))
def test_word2vec_text(table: tuple[list[str], np.ndarray], end: str) -> None:
    check(header(table[1]) + lines(*table, end), *table)


@settings(deadline=None, max_examples=60)
@given(tables(WORDS, TRAINED), st.sampled_from([b"\n", b""]))
def test_word2vec_binary(table: tuple[list[str], np.ndarray], end: bytes) -> None:
    check(binary(*table, end), *table)


@settings(deadline=None, max_examples=60)
@given(tables(WORDS))
def test_glove(table: tuple[list[str], np.ndarray]) -> None:
    words, vectors = table
    check(lines(["the", *(w + "." for w in words)], np.vstack([vectors[:1], vectors])),
          ["the", *(w + "." for w in words)], np.vstack([vectors[:1], vectors]))  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(tables(SPACED))
def test_words_of_glove_hold_spaces_after_the_first(table: tuple[list[str], np.ndarray]) -> None:
    words, vectors = ["the", *(w + "." for w in table[0])], np.vstack([table[1][:1], table[1]])
    check(lines(words, vectors), words, vectors)


@settings(deadline=None, max_examples=30)
@given(tables(WORDS), WORDS)
def test_words_with_spaces_are_refused_where_the_form_has_none(
    table: tuple[list[str], np.ndarray], word: str
) -> None:
    words, vectors = [f"{word} {word}", *table[0]], np.vstack([table[1][:1], table[1]])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.vec"
        path.write_bytes(header(vectors) + lines(words, vectors) + b"x 0\n")
        with pytest.raises(DataError):
            read_tables(path)


@settings(deadline=None, max_examples=60)
@given(
    st.binary(max_size=200), st.sampled_from([b"", b"2 3\n", b"1 1\n", b"\x93NUMPY", b"PK\x03\x04"])
)
def test_any_bytes_are_read_or_refused_in_one_sentence(content: bytes, start: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        path.write_bytes(start + content)
        refused = None
        try:
            assert len(read_tables(path).tokens) > 0
        except DataError as error:
            refused = str(error)
        assert refused is None or "\n" not in refused


@settings(deadline=None, max_examples=40)
@given(tables(WORDS, TRAINED), st.integers(1, 10))
def test_a_limit_takes_the_first_words(table: tuple[list[str], np.ndarray], limit: int) -> None:
    words, vectors = table
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        path.write_bytes(binary(words, vectors))
        found = read_tables(path, limit=limit)
        assert found.labels == tuple(words[:limit])
        np.testing.assert_array_equal(found.tokens.numpy(), vectors[:limit])
