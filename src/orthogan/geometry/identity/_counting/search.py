"""An exact count in progress: what is counted, and what is found so far."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from orthogan.geometry.identity._counting.guarded import GuardedScores, guarded_scores
from orthogan.geometry.identity.decision_rules import DecisionRule

# Pairs that meet later than at this factor are not looked for: where codes are perpendicular to all
# differences, rounding alone would make every pair a candidate.
MAX_FACTOR = 1000.0
PRUNE_AT = 200_000  # candidates that are held before the hopeless ones are dropped


@dataclass
class Shortlist:
    """Candidates for the `size` largest values, known by bounds only.

    Attributes:
        size: How many of the largest are wanted.
        floor: No value below it can be among them.
    """

    size: int
    floor: float = 0.0
    _keys: list[Tensor] = field(default_factory=list)
    _low: list[Tensor] = field(default_factory=list)
    _high: list[Tensor] = field(default_factory=list)
    _held: int = 0

    def add(self, keys: Tensor, low: Tensor, high: Tensor) -> None:
        """Takes candidates in, each key once in all."""
        open_ = high >= self.floor
        for store, values in ((self._keys, keys), (self._low, low), (self._high, high)):
            store.append(values[open_])
        self._held += int(open_.sum())
        if self._held > PRUNE_AT + 4 * self.size:
            self._prune()

    def raised_floor(self, low: Tensor) -> float:
        """The floor once candidates with these lower bounds are in as well."""
        self._prune()
        if low.numel() < self.size:
            return self.floor
        return max(self.floor, float(low.flatten().topk(self.size).values[-1]))

    def candidates(self) -> tuple[Tensor, Tensor]:
        """Keys of all that may be among the largest, and their upper bounds, largest first."""
        self._prune()
        if not self._keys:
            return torch.zeros(0, dtype=torch.int64), torch.zeros(0)
        high, order = self._high[0].sort(descending=True, stable=True)
        return self._keys[0][order], high

    def _prune(self) -> None:
        if not self._keys:
            return
        keys, low, high = torch.cat(self._keys), torch.cat(self._low), torch.cat(self._high)
        if len(low) >= self.size:
            self.floor = max(self.floor, float(low.topk(self.size).values[-1]))
        open_ = high >= self.floor
        self._keys, self._low, self._high = [keys[open_]], [low[open_]], [high[open_]]
        self._held = len(self._keys[0])


@dataclass
class Search:
    """An exact count over tokens without duplicates, in progress.

    Bounds stand where float32 has not settled a value yet.

    Attributes:
        rule: Decision rule in float64.
        codes: Position codes in float64.
        scores: Both in guarded float32.
        flips: Whether a token loses its identity, one row a token, one column a position.
        smallest: Smallest score margin of each token at its own place, to float64 precision.
        worst: Shortlist of the deepest flips; a key is token * positions + position.
        tolerance: Upper bound of the factor on all codes at which the first flip occurs.
    """

    rule: DecisionRule
    codes: Tensor
    scores: GuardedScores
    flips: Tensor
    smallest: Tensor
    worst: Shortlist
    tolerance: float = MAX_FACTOR
    _pairs: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    _held: int = 0

    @classmethod
    def of(cls, rule: DecisionRule, codes: Tensor, rest: Tensor, keep: int) -> Search:
        """Nothing found yet.

        Args:
            rule: Decision rule of a scaled table, float64.
            codes: Position codes in the same scale.
            rest: Margins of the tokens without a code, or lower bounds of them.
            keep: How many of the deepest flips are wanted.
        """
        flips = torch.zeros(len(rest), len(codes), dtype=torch.bool)
        smallest = torch.full((len(rest),), torch.inf, dtype=torch.float64)
        scores = guarded_scores(rule, codes, rest)
        return cls(rule, codes, scores, flips, smallest, Shortlist(keep))

    def may_flip_first(self, keys: Tensor, low: Tensor, high: Tensor) -> None:
        """Pairs of tokens (key: token * tokens + token) that meet between two factors each."""
        if len(high):
            self.tolerance = min(self.tolerance, max(float(high.min()), 0.0))
        open_ = low <= self.tolerance
        kept = int(open_.sum())
        if kept == 0:
            return
        self._pairs.append((keys[open_], low[open_]))
        self._held += kept
        if self._held > PRUNE_AT:
            self._pairs = [self.first_flips()]
            self._held = len(self._pairs[0][0])

    def first_flips(self) -> tuple[Tensor, Tensor]:
        """Pairs that may be the first to meet, and lower bounds of their factors, lowest first."""
        if not self._pairs:
            return torch.zeros(0, dtype=torch.int64), torch.zeros(0)
        keys = torch.cat([keys for keys, _ in self._pairs])
        low, order = torch.cat([low for _, low in self._pairs]).sort(stable=True)
        count = int((low <= self.tolerance).sum())
        return keys[order][:count], low[:count]
