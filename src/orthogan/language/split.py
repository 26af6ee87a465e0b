"""The text a model learns from, and the end of it that it is scored on: never the same one."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from orthogan.errors import DataError
from orthogan.language.config import TextConfig
from orthogan.language.corpus import Corpus, read_corpus
from orthogan.language.tokenizer import WORDS, Tokenizer, learn_tokenizer
from orthogan.language.word_rules import rules_agree

RAREST = {"characters": 1, "bytes": 1, "words": 3}  # `min_count` where none is given


@dataclass(frozen=True, kw_only=True)
class Split:
    """Tokens to learn from and tokens to score on, and what they stand for."""

    tokenizer: Tokenizer
    train: Tensor
    test: Tensor
    fingerprint: str
    notes: tuple[str, ...]


def load_split(config: TextConfig, context: int) -> Split:
    """The split that a configuration names: the vocabulary is that of the first part alone.

    Args:
        config: Which text.
        context: Tokens that are seen at once.

    Raises:
        DataError: the text cannot be read, or is too short to learn from or to score on.
    """
    corpus = read_corpus(config.source)
    return split_of(corpus, config, context)


def split_of(corpus: Corpus, config: TextConfig, context: int) -> Split:
    """The split of a text.

    Raises:
        DataError: it is too short.
    """
    first, last = split_text(corpus.text, config.held_out)
    min_count = config.min_count or RAREST.get(config.tokenizer, 1)
    tokenizer = learn_tokenizer(config.tokenizer, first, min_count)
    train, test = tokenizer.encode(first), tokenizer.encode(last)
    if len(train) <= context or len(test) < 2:
        raise DataError(
            f"{corpus.name}: {len(train):,} tokens to learn from and {len(test):,} to score on "
            f"are too few for network.context={context}; give a longer text or a shorter context."
        )
    notes = [*corpus.notes, _told(len(train), len(test), config, len(tokenizer))]
    if tokenizer.unknown is not None and config.tokenizer == WORDS:
        share = float((test == tokenizer.unknown).double().mean())
        notes.append(f"{share:.1%} of the held-out words are unknown: below {min_count} times.")
    return Split(
        tokenizer=tokenizer,
        train=train,
        test=test,
        fingerprint=_fingerprint(corpus, tokenizer),
        notes=tuple(notes),
    )


def _fingerprint(corpus: Corpus, tokenizer: Tokenizer) -> str:
    """A checksum of the text, marked where a run of an older rule would have had other tokens."""
    text = corpus.fingerprint()
    if tokenizer.kind != WORDS or rules_agree(corpus.text):
        return text
    return f"{text}-rule-{tokenizer.rule}"


def _told(num_train: int, num_test: int, config: TextConfig, entries: int) -> str:
    return (
        f"{num_train:,} tokens to learn from; the last {config.held_out:.0%} of the text, "
        f"{num_test:,} tokens, to score on. Vocabulary: {entries:,} {config.tokenizer}."
    )


def split_text(text: str, held_out: float) -> tuple[str, str]:
    """A text without about this share at its end, and that end; cut at a space if there is one.

    >>> split_text("one two three", 0.5)
    ('one two', ' three')
    """
    cut = round(len(text) * (1 - held_out))
    while cut < len(text) and not text[cut].isspace():
        cut += 1
    if cut == len(text):  # one long word: between characters then
        cut = round(len(text) * (1 - held_out))
    return text[:cut], text[cut:]
