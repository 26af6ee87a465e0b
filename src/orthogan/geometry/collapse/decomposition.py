r"""Two collapses in one decomposition: all images alike, or all tokens of an image alike.

For hidden states $h_{ct}$ of C images and T tokens, with $\bar h$ the mean of all, $\bar h_t$ the
mean over images and $\bar h_c$ the mean over tokens:

$\underbrace{\sum \|h_{ct} - \bar h\|^2}_{tot} = \underbrace{C \sum_t \|\bar h_t - \bar h\|^2}_{pos}
+ \underbrace{T \sum_c \|\bar h_c - \bar h\|^2}_{ctx}
+ \underbrace{\sum \|h_{ct} - \bar h_t - \bar h_c + \bar h\|^2}_{res}$
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from orthogan.errors import ShapeError
from orthogan.geometry.collapse.readings import CollapseReading, collapse_reading
from orthogan.geometry.inputs import check_at_least, exact, several
from orthogan.shapes import Tokens


@dataclass(frozen=True)
class TwoCollapses:
    """The variation of hidden states, split by where it comes from.

    Attributes:
        images: C.
        tokens: T.
        width: D.
        position_energy: Sum of squares between the mean tokens: what every image shares.
        context_energy: Between the mean images: what all tokens of an image share.
        residual_energy: What is particular to this token of this image.
    """

    images: int
    tokens: int
    width: int
    position_energy: float
    context_energy: float
    residual_energy: float

    @property
    def total_energy(self) -> float:
        """The sum of the three: every squared distance to the mean of all states."""
        return self.position_energy + self.context_energy + self.residual_energy

    @property
    def position(self) -> float:
        """Share of the total; 1 iff all images are alike: mode collapse."""
        return self._share(self.position_energy)

    @property
    def context(self) -> float:
        """Share of the total; 1 iff all tokens of every image are alike: rank collapse."""
        return self._share(self.context_energy)

    @property
    def residual(self) -> float:
        """Share of the total; above 0 iff neither collapse is complete."""
        return self._share(self.residual_energy)

    @property
    def shares(self) -> tuple[float, float, float]:
        """Position, context, residual; they sum to one, or are 0 where nothing varies."""
        return self.position, self.context, self.residual

    @property
    def null_shares(self) -> tuple[float, float, float]:
        r"""Expected shares of independent states: $(T - 1, C - 1, (C - 1)(T - 1)) / (CT - 1)$.

        They are the degrees of freedom of the three parts.
        """
        c, t = self.images - 1, self.tokens - 1
        all_but_one = self.images * self.tokens - 1
        return t / all_but_one, c / all_but_one, c * t / all_but_one

    @property
    def energies(self) -> tuple[float, float, float]:
        """Mean squares: position, context and residual energy for one number of one state."""
        count = self.images * self.tokens * self.width
        parts = (self.position_energy, self.context_energy, self.residual_energy)
        return parts[0] / count, parts[1] / count, parts[2] / count

    def readings(self) -> tuple[CollapseReading, CollapseReading]:
        """Mode and rank collapse; the threshold lies midway from the null share to 1.

        A share of 1 is a complete collapse whichever model made the states, so that middle needs
        no training; `learn_threshold` makes a sharper one from planted failures. States of a
        model have more position share than independent ones: compare with those of real images
        (`collapse_ratio`) before trusting a healthy verdict.

        >>> import torch
        >>> states = torch.randn(8, 4, 5, generator=torch.Generator().manual_seed(0))
        >>> [reading.verdict for reading in two_collapses(states).readings()]
        ['healthy', 'healthy']
        """
        images = "one image cannot tell" if self.images == 1 else ""
        tokens = "one token cannot tell" if self.tokens == 1 else ""
        mode = self._reading("mode collapse", self.position, self.null_shares[0], images)
        return mode, self._reading("rank collapse", self.context, self.null_shares[1], tokens)

    def _reading(self, name: str, share: float, null: float, untold: str) -> CollapseReading:
        if untold:
            return collapse_reading(name, share, null, note=untold)
        middle = (null + 1) / 2
        if not self.total_energy:
            return collapse_reading(name, 1.0, null, middle, note="nothing varies")
        return collapse_reading(name, share, null, middle)

    def _share(self, energy: float) -> float:
        total = self.total_energy
        return energy / total if total else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers; `json.dumps` takes it."""
        names = ("position", "context", "residual")
        return {
            "images": self.images,
            "tokens": self.tokens,
            "width": self.width,
            **dict(zip(names, self.shares, strict=True)),
            "null": dict(zip(names, self.null_shares, strict=True)),
            "energies": dict(zip(names, self.energies, strict=True)),
        }

    def __str__(self) -> str:
        pairs = zip(("position", "context", "residual"), self.shares, self.null_shares, strict=True)
        parts = ", ".join(f"{name} {share:.1%} (null {null:.1%})" for name, share, null in pairs)
        return f"{self.images} images x {self.tokens} tokens: {parts}"


def two_collapses(states: Tokens) -> TwoCollapses:
    r"""How much of the variation of hidden states is between places, images, and neither.

    Position share 1: every image is the same (mode collapse). Context share 1: all tokens of an
    image are the same (rank collapse). Where nothing varies at all both hold, and all shares are 0.

    Args:
        states: Hidden states, images x tokens x width; at least two states.

    Raises:
        ShapeError: not three axes, an empty one, or a single state.
        DataError: a value is not finite.

    Source: two-way analysis of variance without replication (Fisher 1925), summed over the width.
        Not covered: images that repeat a few modes; their context and residual remain.

    >>> import torch
    >>> alike = torch.tensor([[[1.0], [2.0]], [[1.0], [2.0]]])
    >>> two_collapses(alike).position
    1.0
    """
    return CollapseSums().add(states).result()


def two_collapses_of_batches(batches: Iterable[Tensor]) -> TwoCollapses:
    """The decomposition of many batches of states as if they were one; see `two_collapses`.

    Raises:
        ShapeError: no batch at all, or batches of different tokens or width.
        DataError: a value is not finite.

    >>> import torch
    >>> halves = torch.tensor([[[1.0], [3.0]], [[2.0], [5.0]]]).split(1)
    >>> two_collapses_of_batches(halves) == two_collapses(torch.cat(halves))
    True
    """
    sums = CollapseSums()
    for states in several("batches", batches):
        sums.add(states)
    return sums.result()


class CollapseSums:
    """Batches of hidden states, summed up one after the other; keeps no state of any image."""

    def __init__(self) -> None:
        self._images = 0
        # An image is its mean token and what remains; both parts keep a mean over images and the
        # squares about it (Chan, Golub, LeVeque 1983), so nothing cancels and nothing is negative.
        self._mean_token: Tensor | None = None
        self._mean_rest: Tensor | None = None
        self._context = 0.0
        self._residual = 0.0

    def add(self, states: Tokens) -> CollapseSums:
        """One more batch; returns itself.

        Raises:
            ShapeError: not images x tokens x width, or other tokens or width than before.
            DataError: a value is not finite.
        """
        cube = exact("states", states, "images tokens width")
        if self._mean_rest is not None and cube.shape[1:] != self._mean_rest.shape:
            raise ShapeError(
                f"'states' needs the tokens and width of the batches before, "
                f"{tuple(self._mean_rest.shape)}, got {tuple(cube.shape[1:])}."
            )
        token = _mean(cube, 1)
        rest = cube - token[:, None]
        self._context, self._mean_token = self._merged(token, self._context, self._mean_token)
        self._residual, self._mean_rest = self._merged(rest, self._residual, self._mean_rest)
        self._images += len(cube)
        return self

    def _merged(self, new: Tensor, squares: float, mean: Tensor | None) -> tuple[float, Tensor]:
        own = _mean(new, 0)
        squares += float((new - own).square().sum())
        if mean is None:
            return squares, own
        weight = len(new) / (self._images + len(new))
        gap = own - mean
        squares += float(gap.square().sum()) * weight * self._images
        return squares, mean + weight * gap

    def result(self) -> TwoCollapses:
        """The decomposition of everything added so far.

        Raises:
            ShapeError: fewer than two states were added.
        """
        if self._mean_rest is None:
            raise ShapeError("Two collapses need at least one batch of states, got none.")
        tokens, width = self._mean_rest.shape
        check_at_least("states", self._images * tokens, 2, "states", "to vary")
        return TwoCollapses(
            images=self._images,
            tokens=tokens,
            width=width,
            position_energy=self._images * float(self._mean_rest.square().sum()),
            context_energy=tokens * self._context,
            residual_energy=self._residual,
        )


def _mean(values: Tensor, dim: int) -> Tensor:
    # About the first entry: the mean of equal entries is then exactly that entry.
    first = values.select(dim, 0)
    return first + (values - first.unsqueeze(dim)).mean(dim)
