"""Hidden states of generated images against those of real ones: the early warning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orthogan.errors import ShapeError
from orthogan.geometry.collapse.decomposition import TwoCollapses
from orthogan.geometry.collapse.readings import CollapseReading, collapse_reading

PARTS = ("position", "context", "residual")

# Generated images that vary half as much as real ones; a start that planted failures replace
# (`learn_threshold`).
THRESHOLD = 0.5


@dataclass(frozen=True)
class CollapseRatio:
    """Fake over real, part by part; None where real states do not vary in that part.

    Attributes:
        energy: Ratios of the mean squares: position, context, residual.
        share: Ratios of the shares.
        variation: Context and residual energy together, fake over real: 0 in mode collapse.
        detail: Position and residual energy together, fake over real: 0 in rank collapse.
    """

    energy: tuple[float | None, float | None, float | None]
    share: tuple[float | None, float | None, float | None]
    variation: float | None
    detail: float | None

    def readings(self, threshold: float = THRESHOLD) -> tuple[CollapseReading, ...]:
        """Mode and rank collapse against real images; collapse lies below the threshold.

        Args:
            threshold: Share of the real energy at which collapse begins.
        """
        pairs = (("mode collapse", self.variation), ("rank collapse", self.detail))
        return tuple(
            collapse_reading(f"{name} against real", value, 1.0, threshold, collapse_is_high=False)
            for name, value in pairs
            if value is not None
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries and numbers; `json.dumps` takes it."""
        return {
            "energy": dict(zip(PARTS, self.energy, strict=True)),
            "share": dict(zip(PARTS, self.share, strict=True)),
            "variation": self.variation,
            "detail": self.detail,
        }

    def __str__(self) -> str:
        cells = ", ".join(
            f"{name} {_show(energy)} ({_show(share)} in share)"
            for name, energy, share in zip(PARTS, self.energy, self.share, strict=True)
        )
        return f"fake to real: {cells}"


def collapse_ratio(fake: TwoCollapses, real: TwoCollapses) -> CollapseRatio:
    """How generated images vary compared with real ones, in energy and in share.

    Energy tells that something is lost, share tells what: a model that merely shrinks its states
    keeps the shares.

    Args:
        fake: Decomposed states of generated images.
        real: Of real ones, of the same tokens and width, from the same layer.

    Raises:
        ShapeError: tokens or width differ.

    Source: ratios of the three parts of `two_collapses`; context and residual energy of fakes
        vanish iff all of them are alike. Not covered: sampling error; shares depend on the number
        of images, so use equally many.

    >>> import torch
    >>> from orthogan.geometry.collapse.decomposition import two_collapses
    >>> real = two_collapses(torch.randn(9, 4, 3, generator=torch.Generator().manual_seed(0)))
    >>> collapse_ratio(real, real).variation
    1.0
    """
    if (fake.tokens, fake.width) != (real.tokens, real.width):
        raise ShapeError(
            f"'fake' and 'real' need the same tokens and width, got "
            f"{(fake.tokens, fake.width)} and {(real.tokens, real.width)}."
        )
    f, r = fake.energies, real.energies
    return CollapseRatio(
        energy=(_ratio(f[0], r[0]), _ratio(f[1], r[1]), _ratio(f[2], r[2])),
        share=(
            _ratio(fake.position, real.position),
            _ratio(fake.context, real.context),
            _ratio(fake.residual, real.residual),
        ),
        variation=_ratio(f[1] + f[2], r[1] + r[2]),
        detail=_ratio(f[0] + f[2], r[0] + r[2]),
    )


def _ratio(fake: float, real: float) -> float | None:
    return fake / real if real else None


def _show(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.3g}"
