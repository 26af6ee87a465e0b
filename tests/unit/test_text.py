"""The shipped corpus, its words, their neighbours, and the vectors made of them."""

from __future__ import annotations

import lzma
import re
import unicodedata

import numpy as np
import pytest
import torch

from orthogan.errors import ConfigError, DataError, ShapeError
from orthogan.rng import stream
from orthogan.words import (
    Vocabulary,
    count_cooccurrences,
    load_corpus,
    pointwise_information,
    tokenize,
    train_word_vectors,
    truncated_svd,
)
from orthogan.words.corpus import checked_text


def test_the_corpus_is_six_novels() -> None:
    text = load_corpus()
    assert len(text.encode()) == 4_025_039
    for name in ("Dashwood", "Darcy", "Fanny Price", "Emma Woodhouse", "Tilney", "Wentworth"):
        assert name in text


@pytest.mark.parametrize("content", [b"", b"no xz", lzma.compress(b"another text")])
def test_a_damaged_corpus_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match=r"novels\.txt\.xz does not have its recorded checksum"):
        checked_text(content)


def test_words_keep_their_apostrophes_and_lose_their_underscores() -> None:
    text = "_Don\u2019t_ be 'so' \u00c9lise's--said 3 times, x_y"
    assert tokenize(text) == ["don't", "be", "so", "\u00e9lise's", "said", "times", "x", "y"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\u0939\u093f\u0928\u094d\u0926\u0940 7", ["\u0939\u093f\u0928\u094d\u0926\u0940"]),
        ("\u0e44\u0e17\u0e22\u0e17\u0e35\u0e48", ["\u0e44\u0e17\u0e22\u0e17\u0e35\u0e48"]),
        ("\u05d1\u05b0\u05bc\u05e8\u05b5", ["\u05d1\u05b0\u05bc\u05e8\u05b5"]),
        ("Cafe\u0301s Caf\u00e9s", ["caf\u00e9s", "caf\u00e9s"]),
        ("\u0130zmir\u2019de", ["i\u0307zmir'de"]),
        ("re\u00adad \u0301 x9y", ["read", "x", "y"]),
    ],
)
def test_marks_belong_to_their_letters(text: str, words: list[str]) -> None:
    assert tokenize(text) == [unicodedata.normalize("NFC", word) for word in words]


def test_the_words_of_the_corpus_are_those_of_the_older_rule() -> None:
    text = load_corpus()
    before = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", text.lower().replace("\u2019", "'"))
    assert tokenize(text) == before


def test_a_vocabulary_is_ordered_by_frequency_then_alphabet() -> None:
    vocabulary = Vocabulary.of(["b", "a", "c", "a", "b", "d"])
    assert vocabulary.words == ("a", "b", "c", "d")
    assert vocabulary.counts == (2, 2, 1, 1)
    assert (len(vocabulary), "c" in vocabulary, vocabulary.row("x")) == (4, True, None)
    assert vocabulary.decode(vocabulary.encode(["d", "x", "a"])) == ["d", "a"]
    assert Vocabulary.of(["b", "a", "c", "a", "b", "d"], min_count=2).words == ("a", "b")


@pytest.mark.parametrize(("count", "error"), [(0, ConfigError), (3, DataError)])
def test_an_empty_vocabulary_is_refused(count: int, error: type[Exception]) -> None:
    with pytest.raises(error, match="at least"):
        Vocabulary.of(["a", "b"], min_count=count)


@pytest.mark.parametrize("window", [1, 3, 50])
def test_neighbours_are_those_of_a_double_loop(window: int) -> None:
    text = torch.from_numpy(stream(0, "text").integers(7, size=40))
    expected = torch.zeros(7, 7, dtype=torch.float64)
    for i, first in enumerate(text.tolist()):
        for j, second in enumerate(text.tolist()):
            if 0 < abs(i - j) <= window:
                expected[first, second] += (window - abs(i - j) + 1) / window
    found = count_cooccurrences(text, 7, window).to_dense()
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


def test_information_is_its_formula() -> None:
    text = torch.from_numpy(stream(1, "text").integers(6, size=200))
    counts = count_cooccurrences(text, 6, 2)
    dense = counts.to_dense().numpy()
    contexts = dense.sum(1) ** 0.75
    share = contexts / contexts.sum()
    for shift in (1.0, 1.2):
        expected = np.log(np.maximum(dense, 1e-300) / dense.sum(1)[:, None] / share / shift)
        found = pointwise_information(counts, shift).to_dense().numpy()
        np.testing.assert_allclose(found, np.maximum(expected, 0), atol=1e-12)


@pytest.mark.parametrize("sparse", [False, True])
def test_the_decomposition_is_that_of_torch(sparse: bool) -> None:
    source = stream(0, "matrix")
    matrix = torch.from_numpy(source.standard_normal((40, 30)))
    matrix *= 0.6 ** torch.arange(30).double()
    left, values, right = truncated_svd(matrix.to_sparse() if sparse else matrix, 5)
    expected = torch.linalg.svdvals(matrix)[:5]
    torch.testing.assert_close(values, expected, rtol=1e-10, atol=0)
    torch.testing.assert_close(matrix @ right, left * values, rtol=0, atol=1e-8)
    assert bool((left.gather(0, left.abs().argmax(0, keepdim=True)) > 0).all())


def test_wrong_arguments_are_refused() -> None:
    text = torch.tensor([0, 1, 2])
    for wrong, error, words in (
        (lambda: count_cooccurrences(text[None], 3), ShapeError, "words"),
        (lambda: count_cooccurrences(text, 3, 0), ConfigError, "window"),
        (lambda: count_cooccurrences(text, 2), DataError, "vocabulary of 2"),
        (lambda: count_cooccurrences(text[:1], 3), DataError, "at least two"),
        (lambda: pointwise_information(torch.eye(2).to_sparse(), 0.0), ConfigError, "shift"),
        (lambda: truncated_svd(torch.eye(3), 4), ConfigError, r"1\.\.3"),
        (lambda: train_word_vectors(["a", "b"], min_count=1), ConfigError, r"1\.\.2"),
    ):
        with pytest.raises(error, match=words):
            wrong()


def planted_text() -> list[str]:
    """Sentences of six words, each of one of two topics."""
    source, words = stream(0, "planted"), []
    for _ in range(1500):
        topic = "ab"[source.integers(2)]
        words += [f"{topic}{source.integers(6)}" for _ in range(6)]
    return words


def test_words_of_one_topic_lie_together() -> None:
    trained = train_word_vectors(planted_text(), width=3, window=3)
    assert len(trained.vocabulary) == 12
    for word in ("a0", "b3"):
        nearest = [other for other, _ in trained.nearest(word, 5)]
        assert {other[0] for other in nearest} == {word[0]}
    with pytest.raises(DataError, match="'c9' is none of the 12 words"):
        trained.nearest("c9")


@pytest.mark.parametrize(
    "options",
    [{"width": 4}, {"window": 1}, {"min_count": 740}, {"shift": 1.3}],
    ids=lambda options: next(iter(options)),
)
def test_every_option_of_the_training_does_something(options: dict) -> None:
    plain = train_word_vectors(planted_text(), width=3).vectors
    other = train_word_vectors(planted_text(), **({"width": 3} | options)).vectors
    assert plain.shape != other.shape or not torch.allclose(plain, other)
    assert torch.equal(plain, train_word_vectors(planted_text(), width=3).vectors)


def test_the_seed_only_starts_the_iteration() -> None:
    first, second = (train_word_vectors(planted_text(), width=3, seed=s).vectors for s in (0, 1))
    assert not torch.equal(first, second)
    torch.testing.assert_close(first, second, rtol=0, atol=1e-2)
