"""English prose that ships with the package, its words, and word vectors made of it."""

from orthogan.words.cooccurrence import count_cooccurrences, pointwise_information
from orthogan.words.corpus import load_corpus, tokenize
from orthogan.words.factorise import truncated_svd
from orthogan.words.vocabulary import Vocabulary
from orthogan.words.word_vectors import WordVectors, train_word_vectors

__all__ = [
    "Vocabulary",
    "WordVectors",
    "count_cooccurrences",
    "load_corpus",
    "pointwise_information",
    "tokenize",
    "train_word_vectors",
    "truncated_svd",
]
