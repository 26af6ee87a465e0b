"""How often words stand near each other, and how much more often than by chance."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from orthogan.errors import ConfigError, DataError, ShapeError

SMOOTHING = 0.75  # power of the counts of contexts: Mikolov et al. 2013, section 2.2


def count_cooccurrences(text: Tensor, num_words: int, window: int = 5) -> Tensor:
    r"""Weighted counts of the pairs of words at most `window` places apart, `N x N`, sparse.

    A pair d places apart counts $(w - d + 1) / w$: what the window of word2vec, whose size is
    drawn uniformly from 1 to w for every word, counts on average. The table is symmetric.

    Args:
        text: Rows of the words in order, from `Vocabulary.encode`.
        num_words: Rows of the vocabulary.
        window: Largest distance w, in words.

    Raises:
        ShapeError: `text` is not a vector.
        ConfigError: `window` is below 1.
        DataError: a row is not in the vocabulary, or there are fewer than two words.

    Source: Mikolov et al. 2013, "Distributed representations of words and phrases and their
    compositionality". Not covered: windows cross the ends of sentences.

    >>> count_cooccurrences(torch.tensor([0, 1, 2]), 3, window=2).to_dense().tolist()
    [[0.0, 1.0, 0.5], [1.0, 0.0, 1.0], [0.5, 1.0, 0.0]]
    """
    if text.ndim != 1:
        raise ShapeError(f"'text' needs the axis (words), got shape {tuple(text.shape)}.")
    if window < 1:
        raise ConfigError(f"'window' must be at least 1, got {window}.")
    if len(text) < 2 or int(text.min()) < 0 or int(text.max()) >= num_words:
        raise DataError(f"'text' needs at least two rows of a vocabulary of {num_words} words.")
    pairs, weights = [], []
    for distance in range(1, min(window, len(text) - 1) + 1):
        left, right = text[:-distance], text[distance:]
        pairs += [torch.stack([left, right]), torch.stack([right, left])]
        weight = (window - distance + 1) / window
        weights.append(torch.full((2 * len(left),), weight, dtype=torch.float64))
    return _sparse(torch.cat(pairs, 1), torch.cat(weights), num_words).coalesce()


def pointwise_information(counts: Tensor, shift: float = 1.0) -> Tensor:
    r"""Positive pointwise mutual information of words and their contexts, sparse, in nats.

    $\max(0, \ln \frac{c_{ij} \sum c}{c_i \tilde c_j} - \ln k)$, where the shares of the contexts
    are proportional to $c_j^{0.75}$. Skip-gram with k negative samples has its optimum, where the
    width does not limit it, at the table before the maximum is taken.

    Args:
        counts: Sparse and coalesced, from `count_cooccurrences`.
        shift: Number k of negative samples; 1 subtracts nothing.

    Raises:
        ConfigError: `shift` is not positive and finite.

    Source: Levy and Goldberg 2014, "Neural word embedding as implicit matrix factorization",
    equation 11; smoothing of the contexts after Levy, Goldberg and Dagan 2015, section 3.

    >>> text = torch.tensor([0, 1, 0, 1, 2, 2])
    >>> pointwise_information(count_cooccurrences(text, 3, window=1)).to_dense()[0, 1] > 0
    tensor(True)
    """
    if not 0 < shift < math.inf:
        raise ConfigError(f"'shift' must be positive and finite, got {shift}.")
    words, contexts = counts.indices()
    values = counts.values()
    num_words = counts.shape[0]
    totals = torch.zeros(num_words, dtype=torch.float64).index_add_(0, words, values)
    shares = totals**SMOOTHING / (totals**SMOOTHING).sum()
    information = (values / (totals[words] * shares[contexts] * shift)).log()
    above = information > 0
    return _sparse(counts.indices()[:, above], information[above], num_words).coalesce()


def _sparse(places: Tensor, values: Tensor, size: int) -> Tensor:
    return torch.sparse_coo_tensor(places, values, (size, size), check_invariants=False)
