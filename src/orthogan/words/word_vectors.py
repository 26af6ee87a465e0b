"""Word vectors of a text: the factorisation that skip-gram with negative sampling approaches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import normalize

from orthogan.errors import DataError
from orthogan.shapes import Table
from orthogan.words.cooccurrence import count_cooccurrences, pointwise_information
from orthogan.words.factorise import truncated_svd
from orthogan.words.vocabulary import Vocabulary

WIDTH = 50  # as the smallest GloVe vectors
WINDOW = 5
MIN_COUNT = 5  # word2vec's default: a rarer word has too few neighbours to say what it means


@dataclass(frozen=True, eq=False)
class WordVectors:
    """A vector for every word of a vocabulary.

    Attributes:
        vocabulary: The words, the most frequent first.
        vectors: One row a word, float32.
    """

    vocabulary: Vocabulary
    vectors: Table

    def nearest(self, word: str, num: int = 10) -> list[tuple[str, float]]:
        """The other words with the largest cosines, and the cosines.

        Raises:
            DataError: the word is not in the vocabulary.
        """
        row = self.vocabulary.row(word)
        if row is None:
            raise DataError(f"'{word}' is none of the {len(self.vocabulary):,} words.")
        directions = normalize(self.vectors, dim=1)
        cosines = directions @ directions[row]
        cosines[row] = -torch.inf
        best = cosines.topk(min(num, len(cosines) - 1))
        found = self.vocabulary.decode(best.indices)
        return list(zip(found, best.values.tolist(), strict=True))


def train_word_vectors(
    words: Sequence[str],
    *,
    width: int = WIDTH,
    window: int = WINDOW,
    min_count: int = MIN_COUNT,
    shift: float = 1.0,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> WordVectors:
    r"""Vectors whose products with those of the contexts best fit the words' mutual information.

    $W = U \sqrt{S}$ of the truncated singular value decomposition of the positive pointwise mutual
    information. Skip-gram with negative sampling factorises the same table by gradient steps; on a
    text of a few million words the exact factorisation of it is better and takes seconds.

    Args:
        words: The text, word by word; rare words are taken out before distances are counted.
        width: Length of a vector.
        window: Largest distance of two words that counts as near.
        min_count: Rarer words get no vector.
        shift: Number of negative samples whose logarithm is subtracted.
        seed: Of the first directions of the decomposition; its result hardly depends on it.
        say: Hears what is being done.

    Raises:
        ConfigError: an argument out of range, or a width above the number of words.
        DataError: too few words.

    Source: Levy and Goldberg 2014, sections 3 and 4 (symmetric factorisation);
    Mikolov et al. 2013 for windows and rare words. Not covered: subsampling of frequent words.

    >>> text = "the cat sat on the mat the dog sat on the rug".split()
    >>> train_word_vectors(text, width=2, window=2, min_count=1).vectors.shape
    torch.Size([7, 2])
    """
    vocabulary = Vocabulary.of(words, min_count)
    say(f"counting the neighbours of {len(vocabulary):,} words in a text of {len(words):,}")
    counts = count_cooccurrences(vocabulary.encode(words), len(vocabulary), window)
    say(f"factorising their mutual information into vectors of width {width}")
    left, values, _ = truncated_svd(pointwise_information(counts, shift), width, seed)
    vectors = (left * values.sqrt()).float()
    if not bool(vectors.any(1).all()):
        lost = vocabulary.words[int((~vectors.any(1)).nonzero()[0])]
        raise DataError(f"'{lost}' has no informative neighbours in 'words'; give more text.")
    return WordVectors(vocabulary, vectors)
