"""Is word independent of position in a text? And what do cropping and re-ordering do to it?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import regex
import torch

from orthogan.errors import ConfigError, DataError
from orthogan.geometry.spectra.estimates import Estimate
from orthogan.geometry.spectra.mutual_information import mutual_information, pointwise_information
from orthogan.language.corpus import CORPORA, METADATA, SUFFIX, Corpus, read_corpus
from orthogan.rng import stream
from orthogan.words import Vocabulary, tokenize

NUM_POSITIONS = 16  # of the beginning of a sequence; few sentences are longer than twice that
NUM_WORDS = 1000  # the most frequent ones; all others count as one word
MOST_PAIRS = 200_000  # measured, drawn by whole sequences: thirty-nine permutations take seconds
NUM_BOUND = 8
FEWEST_SEQUENCES = 3
LONG_ENOUGH = 2  # words: a sequence of one has no order
# The end of a sentence: a full stop, question or exclamation mark, closing quotes, and space; or
# an empty line.
SENTENCE = regex.compile(r"(?<=[.!?\u3002\uff01\uff1f][\"'\u2019\u201d)]*)\s+|\n\s*\n")

CROPPING = (
    "Windows cut from anywhere, as training cuts them, make word and position independent. "
    "Re-ordering the sentences changes nothing: each word keeps its position. Shuffling the words "
    "of each sentence leaves what its length says, since short sentences hold other words."
)
INDEPENDENCE = (
    "Independence makes the cross covariance of content and position zero; it makes neither the "
    "cross terms of the logits zero nor any token perpendicular to a code."
)

Sequences = list[list[str]]


@dataclass(frozen=True)
class BoundWord:
    """A word that prefers a position.

    Attributes:
        word: The word.
        position: Where, from 0.
        ratio: How many times as often as at an average position.
    """

    word: str
    position: int
    ratio: float


@dataclass(frozen=True)
class TextOrganization:
    """How far words and positions of a text depend on each other.

    Attributes:
        name: What the text is called.
        num_words: Words in all.
        num_sequences: Sentences of two words or more.
        positions: Positions that are looked at, from the beginning of each sequence on.
        vocabulary: Different words that are told apart; all others count as one.
        num_pairs: (word, position) pairs that the first measurement rests on.
        orders: Mutual information of word and position, bits, by the way the text is cut.
        bound: Words that depend on their position most, in sentences.
    """

    name: str
    num_words: int
    num_sequences: int
    positions: int
    vocabulary: int
    num_pairs: int
    orders: Mapping[str, Estimate]
    bound: tuple[BoundWord, ...]

    def sentences(self) -> list[str]:
        """What was found, one sentence a question."""
        whole = self.orders["sentences"]
        verdict = "is not independent" if whole.is_beyond_null else "may be independent"
        listed = "; ".join(_said(name, each) for name, each in self.orders.items())
        words = ", ".join(
            f"'{each.word}' at {each.position} ({each.ratio:.1f} times)" for each in self.bound
        )
        looked_at = (
            f"{self.name}: {self.num_words:,} words in {self.num_sequences:,} sentences; the first "
            f"{self.positions} positions and the {self.vocabulary:,} most frequent words are "
            f"looked at ({self.num_pairs:,} pairs)."
        )
        answer = (
            f"Word {verdict} of position in a sentence: mutual information {_bits(whole)}; at most "
            f"{math.log2(self.positions):.3g} bits are possible."
        )
        return [
            looked_at,
            answer,
            *([f"Words that depend on it most: {words}."] if self.bound else []),
            f"By how the text is cut: {listed}.",
            CROPPING,
            INDEPENDENCE,
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers; `json.dumps` takes it."""
        found = vars(self) | {
            "orders": {name: each.to_dict() for name, each in self.orders.items()}
        }
        return found | {"bound": [asdict(each) for each in self.bound]}


def is_text(source: str) -> bool:
    """Whether a source is a text: a named corpus, a .txt file, or a folder of nothing else."""
    if source in CORPORA:
        return True
    path = Path(source).expanduser()
    if path.is_file():
        return path.suffix.lower() == SUFFIX
    if not path.is_dir():
        return False
    files = [each for each in path.rglob("*") if each.is_file() and each.name[:1] != "."]
    texts = [each for each in files if not each.name.startswith(METADATA)]
    return bool(texts) and all(each.suffix.lower() == SUFFIX for each in texts)


def organize_text(
    source: str | Path | Corpus, *, positions: int = NUM_POSITIONS, seed: int = 0
) -> TextOrganization:
    """Whether word depends on position, as the text stands and as it may be cut.

    Args:
        source: What `orthogan language` learns from, or a corpus that was read.
        positions: Positions looked at, from the beginning of each sequence on.
        seed: Of windows, shuffles, permutations and draws.

    Raises:
        ConfigError: fewer than 2 positions.
        DataError: the text cannot be read, or is one sentence.

    >>> found = organize_text(Corpus(name="rhyme", text="The cat sat. " * 60), positions=3)
    >>> found.orders["sentences"].is_beyond_null
    True
    """
    if positions < LONG_ENOUGH:
        raise ConfigError(f"'positions' is at least {LONG_ENOUGH}, got {positions}.")
    corpus = source if isinstance(source, Corpus) else read_corpus(source)
    sentences = _sequences(SENTENCE.split(corpus.text))
    if len(sentences) < FEWEST_SEQUENCES:
        raise DataError(
            f"{corpus.name}: holds {_plural(len(sentences), 'sentence')} of {LONG_ENOUGH} words or "
            f"more in {_plural(len(corpus.text.splitlines()), 'line')}; whether word depends on "
            f"position takes at least {FEWEST_SEQUENCES}: give a longer text."
        )
    every = tokenize(corpus.text)
    vocabulary = Vocabulary.of(every)
    rows = {word: row for row, word in enumerate(vocabulary.words[:NUM_WORDS])}
    cuts = _cuts(corpus.text, sentences, every, positions, seed)
    pairs = {name: _pairs(cut, rows, positions, seed) for name, cut in cuts.items()}
    return TextOrganization(
        name=corpus.name,
        num_words=len(every),
        num_sequences=len(sentences),
        positions=positions,
        vocabulary=len(rows),
        num_pairs=len(pairs["sentences"][0]),
        orders={name: mutual_information(*each, seed=seed) for name, each in pairs.items()},
        bound=_bound(*pairs["sentences"], list(rows)),
    )


def _sequences(parts: Sequence[str]) -> Sequences:
    found = [tokenize(part) for part in parts if part]
    return [words for words in found if len(words) >= LONG_ENOUGH]


def _cuts(
    text: str, sentences: Sequences, every: list[str], positions: int, seed: int
) -> dict[str, Sequences]:
    """The text in sequences: as it stands, and as it may be cut or re-ordered."""
    draws = stream(seed, "text-windows")
    shuffled = [[words[k] for k in draws.permutation(len(words))] for words in sentences]
    begins = draws.integers(0, max(1, len(every) - positions), size=len(sentences))
    found = {"sentences": sentences}
    lines = _sequences(text.splitlines())
    if len(lines) >= FEWEST_SEQUENCES:
        found["lines"] = lines
    windows = [every[begin : begin + positions] for begin in begins.tolist()]
    return found | {
        "windows from anywhere": [words for words in windows if len(words) >= LONG_ENOUGH],
        "words of each sentence shuffled": shuffled,
    }


def _pairs(
    sequences: Sequences, rows: Mapping[str, int], positions: int, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Word and position of each place at the beginning of sequences drawn at random."""
    left: list[int] = []
    right: list[int] = []
    for number in stream(seed, "text-sequences").permutation(len(sequences)).tolist():
        words = sequences[number][:positions]
        left += [rows.get(word, len(rows)) for word in words]
        right += range(len(words))
        if len(left) >= MOST_PAIRS:
            break
    return torch.tensor(left), torch.tensor(right)


def _bound(words: torch.Tensor, places: torch.Tensor, names: list[str]) -> tuple[BoundWord, ...]:
    parts = pointwise_information(words, places)[: len(names)]
    counts = torch.bincount(places).double() / len(places)
    found = []
    for flat in parts.flatten().topk(min(NUM_BOUND, parts.numel())).indices.tolist():
        word, place = divmod(flat, parts.shape[1])
        share = float((places[words == word] == place).double().mean())
        found.append(BoundWord(names[word], place, share / float(counts[place])))
    return tuple(each for each in found if each.ratio > 1)


def _said(name: str, each: Estimate) -> str:
    return f"{name} {_bits(each)}{', beyond chance' if each.is_beyond_null else ''}"


def _bits(each: Estimate) -> str:
    return f"{each.value:.4f} bits (chance {each.null_low:.4f} to {each.null_high:.4f})"


def _plural(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
