"""English prose that ships with the package, its words, and word vectors made of it."""

from orthogan.text.cooccurrence import count_cooccurrences, pointwise_information
from orthogan.text.corpus import load_corpus, tokenise
from orthogan.text.factorise import truncated_svd
from orthogan.text.vocabulary import Vocabulary
from orthogan.text.word_vectors import WordVectors, train_word_vectors

__all__ = [
    "Vocabulary",
    "WordVectors",
    "count_cooccurrences",
    "load_corpus",
    "pointwise_information",
    "tokenise",
    "train_word_vectors",
    "truncated_svd",
]
