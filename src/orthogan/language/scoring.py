"""How many bits a model needs for the next token of a text that it has not seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import BaseModel
from torch import Tensor
from torch.nn import functional

from orthogan.errors import ConfigError
from orthogan.language.tokenizer import Tokenizer
from orthogan.language.transformer import LanguageTransformer
from orthogan.statistics import POSITIVE, Interval, ScoreShape, mean_interval

PASS_SIZE = 32  # pieces a pass
PERPLEXITY = "perplexity"  # the score that is 2 to the bits


@dataclass(frozen=True, kw_only=True)
class LanguageScore:
    r"""Bits a token on a text, with the interval of their mean.

    Attributes:
        bits: Mean of $-\log_2$ of the probability of the token that came.
        low: Lower end of its 95 % interval, over pieces of text.
        high: Upper end.
        baseline: Bits that knowing only how frequent each token is would need.
        num_tokens: Tokens scored.
        name: `bits_per_character`, `bits_per_byte`, or `perplexity`, which is 2 to the bits.
    """

    bits: float
    low: float
    high: float
    baseline: float
    num_tokens: int
    name: str

    @property
    def value(self) -> float:
        """The score under its name."""
        return self._named(self.bits)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `json.dumps` takes it."""
        score = {
            "value": self.value,
            "low": self._named(self.low),
            "high": self._named(self.high),
            "floor": self._named(self.baseline),
            "n": self.num_tokens,
        }
        return {"scores": {self.name: score}, "bits_per_token": self.bits}

    def _named(self, bits: float) -> float:
        return 2.0**bits if self.name == PERPLEXITY else bits


class LanguageScoreShape(BaseModel):
    """What `LanguageScore.to_dict` writes."""

    scores: dict[str, ScoreShape]


def score_text(
    network: LanguageTransformer,
    tokens: Tensor,
    train: Tensor,
    tokenizer: Tokenizer,
    *,
    most_pieces: int | None = None,
) -> LanguageScore:
    """The score of a network on tokens it has not learned from.

    Args:
        network: What is scored.
        tokens: The text; every token but the first is predicted once.
        train: The text learned from, for the baseline.
        tokenizer: What the tokens are.
        most_pieces: Score only so many pieces, spread evenly over the text; None scores all.

    Raises:
        ConfigError: fewer than two tokens.
    """
    if len(tokens) < 2:
        raise ConfigError(f"A score needs at least 2 tokens, got {len(tokens)}.")
    pieces = pieces_of(len(tokens), network.config.context)
    if most_pieces is not None and most_pieces < len(pieces):
        chosen = torch.linspace(0, len(pieces) - 1, most_pieces).round().long()
        pieces = [pieces[index] for index in chosen.tolist()]
    sums, counts = bits_of_pieces(network, tokens, pieces)
    bits = float(sums.sum() / counts.sum())
    means = sums / counts
    low, high = mean_interval(means) if len(means) > 1 else (bits, bits)
    shift = bits - float(means.mean())  # the last piece may be shorter
    interval = POSITIVE.cut(Interval(low + shift, high + shift), bits)
    return LanguageScore(
        bits=bits,
        low=interval.low,
        high=interval.high,
        baseline=frequency_bits(tokens[1:], train, len(tokenizer)),
        num_tokens=int(counts.sum()),
        name=tokenizer.score,
    )


def pieces_of(num_tokens: int, context: int) -> list[tuple[int, int, int]]:
    """Pieces of a text as (start, first, end): tokens `first` to `end` are predicted.

    Each piece starts half a context before its first predicted token, so that all but the first
    tokens of the text are predicted from at least so many.

    >>> pieces_of(7, 4)
    [(0, 1, 5), (3, 5, 7)]
    """
    pieces, first = [], 1
    while first < num_tokens:
        start = 0 if first == 1 else first - context // 2
        end = min(start + context + 1, num_tokens)
        pieces.append((start, first, end))
        first = end
    return pieces


@torch.no_grad()
def bits_of_pieces(
    network: LanguageTransformer, tokens: Tensor, pieces: list[tuple[int, int, int]]
) -> tuple[Tensor, Tensor]:
    """Sum of the bits and number of predicted tokens, one each a piece (float64)."""
    context, place = network.config.context, network.embedding.weight.device
    was_training = network.training
    network.eval()
    sums, counts = [], []
    for begin in range(0, len(pieces), PASS_SIZE):
        batch = pieces[begin : begin + PASS_SIZE]
        # Shorter pieces are filled up; what follows a token does not reach it.
        read = torch.zeros(len(batch), context + 1, dtype=torch.int64)
        wanted = torch.zeros(len(batch), context, dtype=torch.bool)
        for row, (start, first, end) in enumerate(batch):
            read[row, : end - start] = tokens[start:end]
            wanted[row, first - start - 1 : end - start - 1] = True
        logits = network(read[:, :-1].to(place)).double().cpu()
        losses = functional.cross_entropy(
            logits.flatten(0, 1), read[:, 1:].flatten(), reduction="none"
        ).unflatten(0, wanted.shape)
        sums.append((losses * wanted).sum(1) / math.log(2))
        counts.append(wanted.sum(1).double())
    network.train(was_training)
    return torch.cat(sums), torch.cat(counts)


def frequency_bits(tokens: Tensor, train: Tensor, vocabulary: int) -> float:
    """Bits a token for a model that knows the frequencies in `train`, each plus one, and no more.

    >>> frequency_bits(torch.tensor([0, 1]), torch.tensor([0, 1, 1, 0]), 2)
    1.0
    """
    counts = torch.bincount(train, minlength=vocabulary).double() + 1
    return float(-(counts / counts.sum()).log2()[tokens].mean())
