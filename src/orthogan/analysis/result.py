"""What an analysis of position codes found, and how it is written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor

from orthogan.analysis.control_draws import ControlDraws
from orthogan.analysis.motion import Motion
from orthogan.analysis.transformed import TransformedTable
from orthogan.embeddings import Tables
from orthogan.geometry.heads.keys import HeadTable
from orthogan.geometry.identity.corrections import Correction
from orthogan.geometry.identity.flip_count import Flip, FlipCount
from orthogan.geometry.identity.meanings import Meaning
from orthogan.geometry.identity.scale_limit import ScaleLimit, best_scale_limit
from orthogan.notebooks import shown

NUM_EXAMPLES = 3  # of words that turn into others, at each amplitude


@dataclass(frozen=True, eq=False)
class Analysis:
    """The identities of a token table under position codes.

    Attributes:
        tables: What was read.
        codes: The codes, `T D`; None where nothing displaces the tokens.
        own: Whether they are the source's own, not sinusoids that stand in for them.
        flip_count: Every (token, position) pair, decided; None without codes.
        controls: The same for codes of the same size that know nothing of the tokens: the first
            draw of each kind.
        amplitudes: Share of identities kept when the codes are multiplied by each factor.
        corrections: Changes of the codes, each with the flips before and after.
        heads: For each attention layer, what its heads use their key matrices for.
        counts: The exact flip count at each of these amplitudes.
        scale_limits: The codes as given, after each correction, without their mean, and that
            rotated: each shortened until few pairs flip.
        readable: Fractions of the tokens' and of the codes' variance that a linear probe of sums
            explains with the codes as given; measured with the scale limits.
        meanings: By test of words, what is solved with the words as they are, with the codes, and
            with the best scale limit or else the first correction.
        notes: Plain sentences.
        motion: How the codes turn and repeat; None where nothing displaces the tokens.
        control_draws: Every draw of each control.
        transforms: The table as it is and under each transform; empty if none was asked for.
    """

    tables: Tables
    codes: Tensor | None
    own: bool
    flip_count: FlipCount | None
    controls: dict[str, FlipCount] = field(default_factory=dict)
    amplitudes: dict[float, float] = field(default_factory=dict)
    corrections: tuple[Correction, ...] = ()
    heads: dict[str, HeadTable] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    counts: dict[float, FlipCount] = field(default_factory=dict)
    scale_limits: tuple[ScaleLimit, ...] = ()
    readable: tuple[float, float] | None = None
    meanings: dict[str, dict[str, Meaning]] = field(default_factory=dict)
    motion: Motion | None = None
    control_draws: dict[str, ControlDraws] = field(default_factory=dict)
    transforms: tuple[TransformedTable, ...] = ()

    def _repr_html_(self) -> str:
        """The answer, its numbers and the deepest flips, for notebooks."""
        return shown("analysis", self)

    @property
    def recommendation(self) -> ScaleLimit | None:
        """The scale limit that leaves a linear probe most of the positions."""
        return best_scale_limit(self.scale_limits)

    def name_of(self, token: int) -> str:
        """The token as its vocabulary spells it, or its row."""
        return str(token) if self.tables.labels is None else self.tables.labels[token]

    def worst(self, num: int = 20) -> list[tuple[str, int, str, Flip]]:
        """The deepest flips as (token, position, what it becomes, flip)."""
        return self._named([] if self.flip_count is None else self.flip_count.worst(num))

    def examples(
        self, amplitude: float, num: int = NUM_EXAMPLES
    ) -> list[tuple[str, int, str, Flip]]:
        """The deepest flips of different tokens at an amplitude, as `worst` has them."""
        deepest: dict[int, Flip] = {}
        for flip in self.counts[amplitude].worst_flips:
            deepest.setdefault(flip.token, flip)
        return self._named(list(deepest.values())[:num])

    def _named(self, flips: Sequence[Flip]) -> list[tuple[str, int, str, Flip]]:
        return [(self.name_of(f.token), f.position, self.name_of(f.becomes), f) for f in flips]

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers; `json.dumps` takes it."""
        count, width = self.tables.tokens.shape
        found = {"positions": 0, "flips": 0, "kept": 1.0, "certified": 1.0}
        if self.flip_count is not None:
            found = self.flip_count.to_dict()
        return found | {
            "source": self.tables.source,
            "tokens": count,
            "width": width,
            "own_codes": self.own,
            "worst": _flips(self.worst()),
            "controls": {
                name: {"kept": control.kept, "flips": control.flips}
                | _of_draws(self.control_draws.get(name))
                for name, control in self.controls.items()
            },
            "amplitudes": {str(factor): kept for factor, kept in self.amplitudes.items()},
            "counts": {
                str(factor): {
                    "flips": count.flips,
                    "share": 1 - count.kept,
                    "examples": _flips(self.examples(factor)),
                }
                for factor, count in self.counts.items()
            },
            "repairs": [one.to_dict() for one in self.corrections],
            "readable": self.readable,
            "allowances": [one.to_dict() for one in self.scale_limits],
            "prescription": None if self.recommendation is None else self.recommendation.to_dict(),
            "meanings": {
                test: {name: asdict(meaning) for name, meaning in found.items()}
                for test, found in self.meanings.items()
            },
            "transforms": [each.to_dict() for each in self.transforms],
            "motion": None if self.motion is None else self.motion.to_dict(),
            "heads": {name: table.to_dict()["heads"] for name, table in self.heads.items()},
            "notes": list(self.notes),
        }


def _of_draws(found: ControlDraws | None) -> dict[str, Any]:
    if found is None:
        return {}
    return {"draws": len(found.counts), "flip_share": found.mean, "interval": found.interval}


def _flips(named: Sequence[tuple[str, int, str, Flip]]) -> list[dict[str, Any]]:
    return [
        {"token": token, "position": position, "becomes": becomes, "margin": flip.margin}
        for token, position, becomes, flip in named
    ]
