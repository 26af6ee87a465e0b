"""The exact flip count as a result."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from torch import Tensor

from orthogan.errors import ConfigError
from orthogan.notebooks import shown

# Called with the work done and the work in all, both counted in tokens.
Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True)
class Flip:
    """One identity that is lost.

    Attributes:
        token: The displaced token.
        position: The position whose code displaces it.
        becomes: The token it is read as; of equals the one with the lowest index.
        margin: Distance to the nearest cell boundary it is beyond, negative, embedding units: the
            `identity_margin` of the token under this code.
    """

    token: int
    position: int
    becomes: int
    margin: float


@dataclass(frozen=True)
class FlipCount:
    """Identities kept and lost by a table of position codes.

    Attributes:
        tokens: Rows of the token table.
        positions: Rows of the table of codes.
        reader: The rule by which tokens are recognised.
        pairs: (token, position) pairs that were decided: all of them, or the sample.
        flips: Exact number of those that lose their identity.
        kept: Share of the pairs that keep it.
        low: Lower end of the 95 % interval of that share; `kept` itself if all were decided.
        high: Upper end.
        certified: Share that the norm bound alone proves: codes shorter than the safe radius.
        tolerance: Largest factor on all codes that flips nothing: infinite from 1000 on, 0 if the
            decision rule errs without any code; None in a sample.
        flips_per_token: Flips of each token (int64).
        flips_per_position: Flips at each position (int64).
        collisions: Groups of tokens with one vector (and bias), which no decision rule tells apart.
        worst_flips: The deepest flips, most negative margin first.
        keep: How many of them were asked to be kept.
    """

    tokens: int
    positions: int
    reader: str
    pairs: int
    flips: int
    kept: float
    low: float
    high: float
    certified: float
    tolerance: float | None
    flips_per_token: Tensor
    flips_per_position: Tensor
    collisions: tuple[tuple[int, ...], ...]
    worst_flips: tuple[Flip, ...]
    keep: int

    def _repr_html_(self) -> str:
        """The counts in a table, for notebooks."""
        return shown("flip_count", self)

    def worst(self, num: int = 20) -> list[Flip]:
        """The `num` deepest flips, or all of them if there are fewer; the deepest first.

        Raises:
            ConfigError: more than were kept.
        """
        if num < 0 or (num > self.keep and self.flips > self.keep):
            raise ConfigError(
                f"This count kept its {self.keep} worst flips, and {num} were asked for; "
                f"count again with keep={num}."
                if num > 0
                else f"'num' must be 0 or more, got {num}."
            )
        return list(self.worst_flips[:num])

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers; `json.dumps` takes it. Infinity becomes None."""
        tolerance = self.tolerance
        if tolerance is not None and not math.isfinite(tolerance):
            tolerance = None
        flipped = self.flips_per_token.nonzero().flatten().tolist()
        return {
            "tokens": self.tokens,
            "positions": self.positions,
            "reader": self.reader,
            "pairs": self.pairs,
            "flips": self.flips,
            "kept": self.kept,
            "low": self.low,
            "high": self.high,
            "certified": self.certified,
            "tolerance": tolerance,
            "flips_per_token": {str(i): int(self.flips_per_token[i]) for i in flipped},
            "flips_per_position": self.flips_per_position.tolist(),
            "collisions": [list(group) for group in self.collisions],
            "worst": [_plain(flip) for flip in self.worst_flips[:20]],
        }


def _plain(flip: Flip) -> dict[str, Any]:
    finite = math.isfinite(flip.margin)
    return asdict(flip) | {"margin": flip.margin if finite else None}
