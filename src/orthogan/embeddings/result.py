"""What every reader returns: the tables of one source, checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, overload

from torch import Tensor

from orthogan.errors import DataError, ShapeError

CHUNK_ROWS = 65_536  # checked for finiteness at a time: no mask of a whole large table is made


@dataclass(frozen=True, eq=False)
class Head:
    r"""The projections of one attention head, each `D x K` (the value's `D x V`).

    The logit of two tokens is $x^T W_q W_k^T y / \sqrt{K}$; biases are not part of it.
    """

    query: Tensor = field(repr=False)
    key: Tensor = field(repr=False)
    value: Tensor = field(repr=False)


Layer: TypeAlias = tuple[Head, ...]


class Layers(Sequence[Layer]):
    """The heads of every attention layer; a layer is read from its file when it is indexed.

    Attributes:
        names: Where each layer lies in its model, in the order of the model.

    >>> import torch
    >>> head = Head(torch.eye(2), torch.eye(2), torch.eye(2))
    >>> layers = Layers(("first", "second"), lambda name: (head,))
    >>> len(layers), layers[1][0] is head, layers[:1].names
    (2, True, ('first',))
    """

    def __init__(
        self, names: Sequence[str] = (), read: Callable[[str], Layer] = lambda _: ()
    ) -> None:
        self.names = tuple(names)
        self._read = read

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Layer: ...
    @overload
    def __getitem__(self, index: slice) -> Layers: ...
    def __getitem__(self, index: int | slice) -> Layer | Layers:
        if isinstance(index, slice):
            return Layers(self.names[index], self._read)
        return self._read(self.names[index])

    def __repr__(self) -> str:
        return f"Layers({len(self)})"


@dataclass(frozen=True, eq=False)
class Tables:
    """The token table of a model or of word vectors, with what else the source holds.

    Attributes:
        tokens: One row a token, `N x D`, floating point and finite.
        positions: One row a position, `T x D`, or None where positions displace nothing.
        labels: The token of each row as its vocabulary spells it, or None.
        heads: `heads[layer][head]` holds Wq, Wk and Wv; empty where there are none.
        source: Where the tables come from.
        notes: Plain sentences on what was found, left out or changed.
        grid: Rows and columns of patches, where positions are places in an image: the last
            `rows * cols` of them, read row by row.
        sample: What the tokens are only drawn from, such as `256 generated images`; empty where
            they are all there are.
        codes: "own" where `positions` are what the model's library adds; "none" where it adds
            none; "unknown" where the family is not known; "absent" for a table without a model.
        shift: What the library adds to every token, whatever it is and wherever it stands.

    Raises:
        ShapeError: a table has no rows, is not two-dimensional, or the widths or counts differ.
        DataError: a table is not of floating point numbers, or not finite.

    >>> import torch
    >>> Tables(torch.eye(3), labels=("a", "b", "c"), source="by hand")
    Tables(3 tokens x 3, no positions, labels, 0 layers, source='by hand')
    """

    tokens: Tensor
    positions: Tensor | None = None
    labels: tuple[str, ...] | None = None
    heads: Sequence[Layer] = ()
    source: str = "tables"
    notes: tuple[str, ...] = ()
    grid: tuple[int, int] | None = None
    sample: str = ""
    codes: str = "absent"
    shift: Tensor | None = None

    def __post_init__(self) -> None:
        check_table(self.tokens, f"{self.source}: the token table")
        if self.positions is not None:
            check_table(self.positions, f"{self.source}: the position table")
            check_widths(self.tokens.shape[1], self.positions.shape[1], self.source)
            _check_grid(self.grid, len(self.positions), self.source)
        if self.labels is not None and len(self.labels) != len(self.tokens):
            raise ShapeError(
                f"{self.source}: {len(self.labels):,} labels for {len(self.tokens):,} tokens; "
                "give one label a row."
            )

    @property
    def num_prefix(self) -> int:
        """Positions before those of the grid: of class, distillation and register tokens."""
        if self.grid is None or self.positions is None:
            return 0
        return len(self.positions) - self.grid[0] * self.grid[1]

    def __repr__(self) -> str:
        n, width = self.tokens.shape
        places = "no positions" if self.positions is None else f"{len(self.positions)} positions"
        labels = "no labels" if self.labels is None else "labels"
        return (
            f"Tables({n} tokens x {width}, {places}, {labels}, {len(self.heads)} layers, "
            f"source='{self.source}')"
        )


def _check_grid(grid: tuple[int, int] | None, positions: int, source: str) -> None:
    if grid is not None and not 0 < grid[0] * grid[1] <= positions:
        raise ShapeError(
            f"{source}: a grid of {grid[0]} x {grid[1]} places needs as many positions, got "
            f"{positions}."
        )


def check_table(table: Tensor, name: str) -> None:
    """Nothing, if `table` is a finite matrix of floating point numbers with at least one row.

    Raises:
        ShapeError: not two-dimensional, or empty.
        DataError: whole numbers, or a value that is NaN or infinite; the first such row is named.
    """
    if table.dim() != 2 or 0 in table.shape:
        raise ShapeError(
            f"{name} has one row a vector and at least one column, got shape {tuple(table.shape)}."
        )
    if not table.is_floating_point():
        raise DataError(f"{name} holds floating point numbers, got {table.dtype}.")
    for start in range(0, len(table), CHUNK_ROWS):
        bad = ~table[start : start + CHUNK_ROWS].isfinite().all(1)
        if bool(bad.any()):
            row = start + int(bad.int().argmax())
            raise DataError(f"{name} holds NaN or infinite values, first in row {row:,}.")


def check_widths(tokens: int, positions: int, source: str) -> None:
    """Nothing, if tokens and positions live in the same space.

    Raises:
        ShapeError: the widths differ.
    """
    if tokens != positions:
        raise ShapeError(
            f"{source}: tokens have width {tokens}, positions {positions}; both are rows of one "
            "space, so name the tables that belong together with embedding= and positions=."
        )
