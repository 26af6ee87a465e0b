"""How a table uses its dimensions, each number beside its null: ranks, isotropy, signal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from orthogan.geometry.inputs import centre, check_at_least, exact
from orthogan.geometry.spectra.estimates import NUM_DRAWS, ROUNDING, Estimate, beside_null
from orthogan.geometry.spectra.nulls import (
    check_num_draws,
    marchenko_pastur_edges,
    permuted_columns,
)
from orthogan.geometry.spectra.spectrum import (
    isoscore_of,
    mean_cosine,
    participation_of,
    rank_of,
    singular_values,
    stable_of,
)
from orthogan.shapes import Table


@dataclass(frozen=True)
class DimensionUsage:
    """What a table's spectrum says, beside the same table without dependence between columns.

    Attributes:
        samples: Rows N.
        dimensions: Columns D.
        effective_rank: Of the centred table.
        participation_ratio: Of its covariance.
        stable_rank: Of the centred table.
        isoscore: None with one column, or where no two rows differ.
        mean_cosine: Of the table as given; a contrast to `isoscore`.
        edges: Marchenko-Pastur edges for this many rows and columns without correlation.
        num_signal: Eigenvalues of the correlation matrix above the upper edge.
        num_signal_permuted: Eigenvalues above the largest of every permuted table.
        notes: What a reader must know before using the numbers.
    """

    samples: int
    dimensions: int
    effective_rank: Estimate
    participation_ratio: Estimate
    stable_rank: Estimate
    isoscore: Estimate | None
    mean_cosine: Estimate
    edges: tuple[float, float]
    num_signal: int
    num_signal_permuted: int
    notes: tuple[str, ...] = ()

    @property
    def estimates(self) -> tuple[Estimate, ...]:
        """Every estimate that exists, in reading order."""
        iso = () if self.isoscore is None else (self.isoscore,)
        ranks = (self.effective_rank, self.participation_ratio, self.stable_rank)
        return (*ranks, *iso, self.mean_cosine)

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers; `json.dumps` takes it."""
        return {
            "samples": self.samples,
            "dimensions": self.dimensions,
            **{one.name.replace(" ", "_"): one.to_dict() for one in self.estimates},
            "edges": list(self.edges),
            "num_signal": self.num_signal,
            "num_signal_permuted": self.num_signal_permuted,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        head = f"{self.samples} rows x {self.dimensions} columns"
        signal = (
            f"signal eigenvalues {self.num_signal} above the Marchenko-Pastur edge "
            f"{self.edges[1]:.3g}, {self.num_signal_permuted} above every permuted table"
        )
        return "\n".join([head, *map(str, self.estimates), signal, *self.notes])


def dimension_usage(table: Table, num_draws: int = NUM_DRAWS, seed: int = 0) -> DimensionUsage:
    r"""Ranks, isotropy and counted signal of a table, each beside its permutation null.

    The null permutes every column on its own: columns keep their values, dependence between them
    goes. Signal eigenvalues are those of the correlation matrix above the Marchenko-Pastur edge
    $(1 + \sqrt{D / (N - 1)})^2$ (asymptotic, thin tails) and above the largest one of all
    permuted tables (any size and tail).

    Args:
        table: One row a sample, at least two rows.
        num_draws: Permuted tables; 39 make their range a 95 % interval.
        seed: Of the permutations.

    Raises:
        ShapeError: not a table, or fewer than two rows.
        DataError: a value is not finite.
        ConfigError: no draws.

    Source: Horn 1965 (parallel analysis by permutation: Buja and Eyuboglu 1992); Marchenko and
        Pastur 1967. Not covered: dependence between rows; the null takes them as exchangeable.

    >>> table = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    >>> found = dimension_usage(torch.cat([table, table[:, :1] + table[:, 1:2]], 1))
    >>> found.num_signal, found.effective_rank.is_beyond_null
    (1, True)
    """
    rows = exact("table", table, "rows width")
    check_at_least("table", len(rows), 2, "rows", "to have a variance")
    found, own = _statistics(rows), _correlation_eigenvalues(rows)
    draws = [permuted_columns(rows, seed, draw) for draw in range(check_num_draws(num_draws))]
    nulls = [_statistics(draw) for draw in draws]
    bar = max(float(_correlation_eigenvalues(draw).max()) for draw in draws)
    estimates = {
        name: beside_null(name, value, [null[name] for null in nulls])
        for name, value in found.items()
    }
    edges = marchenko_pastur_edges(len(rows) - 1, rows.shape[1])
    return DimensionUsage(
        samples=len(rows),
        dimensions=rows.shape[1],
        effective_rank=estimates["effective rank"],
        participation_ratio=estimates["participation ratio"],
        stable_rank=estimates["stable rank"],
        isoscore=estimates.get("isoscore"),
        mean_cosine=estimates["mean cosine"],
        edges=edges,
        num_signal=int((own > edges[1]).sum()),
        num_signal_permuted=int((own > bar * (1 + ROUNDING)).sum()),
        notes=_notes(rows),
    )


def beside_permutations(
    name: str,
    statistic: Callable[[Tensor], float],
    table: Table,
    num_draws: int = NUM_DRAWS,
    seed: int = 0,
) -> Estimate:
    """Any number of a table beside the same number of tables with permuted columns.

    Args:
        name: What the number is called.
        statistic: Takes the table in float64.
        table: One row a sample.
        num_draws: Permuted tables; 39 make their range a 95 % interval.
        seed: Of the permutations.

    Raises:
        ShapeError: not a table, or an empty one.
        DataError: a value is not finite.
        ConfigError: no draws.

    >>> line = torch.linspace(-1, 1, 50, dtype=torch.float64)[:, None].expand(50, 3)
    >>> from orthogan.geometry.spectra.spectrum import effective_rank
    >>> beside_permutations("effective rank", effective_rank, line).is_beyond_null
    True
    """
    rows = exact("table", table, "rows width")
    draws = range(check_num_draws(num_draws))
    nulls = [statistic(permuted_columns(rows, seed, draw)) for draw in draws]
    return beside_null(name, statistic(rows), nulls, notes=_notes(rows))


def _statistics(rows: Tensor) -> dict[str, float]:
    values = singular_values(rows, centred=True)
    found = {
        "effective rank": rank_of(values),
        "participation ratio": participation_of(values.square()),
        "stable rank": stable_of(values),
    }
    if rows.shape[1] > 1 and bool(values.any()):
        found["isoscore"] = isoscore_of(values.square(), rows.shape[1])
    return {**found, "mean cosine": mean_cosine(rows)}


def _correlation_eigenvalues(rows: Tensor) -> Tensor:
    moved = centre(rows)
    scale = moved.norm(dim=0)
    unit = moved / torch.where(scale > 0, scale, 1.0)
    values: Tensor = torch.linalg.svdvals(unit).square()
    return values


def _notes(rows: Tensor) -> tuple[str, ...]:
    samples, dimensions = rows.shape
    moved = centre(rows)
    notes = []
    if samples <= dimensions:
        notes.append(
            f"Only {samples} samples in {dimensions} dimensions: no rank can exceed {samples - 1}, "
            "so read every number against its null, or add samples."
        )
    if not bool(moved.any()):
        notes.append("No two rows differ: nothing varies, and isotropy is not defined.")
    constant = int((~moved.any(0)).sum())
    if 0 < constant < dimensions:
        notes.append(f"{constant} of {dimensions} columns are constant.")
    return tuple(notes)
