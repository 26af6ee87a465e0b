"""Word vectors trained here and now, on the novels that ship with the package."""

from __future__ import annotations

from orthogan.embeddings.load_options import LoadOptions
from orthogan.embeddings.packages import NAMED
from orthogan.embeddings.result import Tables
from orthogan.words import load_corpus, tokenize, train_word_vectors


@NAMED.register("words")
def read_words(options: LoadOptions) -> Tables:
    """Vectors of 5,896 words x 50 of the shipped corpus, trained when they are asked for.

    Raises:
        DataError: the shipped corpus is damaged.
    """
    options.only_limit("words")
    trained = train_word_vectors(tokenize(load_corpus()))
    tokens, words = trained.vectors[: options.limit], trained.vocabulary.words[: options.limit]
    return Tables(tokens.clone(), None, words, (), "words")
