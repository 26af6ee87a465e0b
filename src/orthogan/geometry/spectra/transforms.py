r"""Changes of a whole token table: PCA, whitening, removal of the mean or of the top directions.

Each is an affine map $x \mapsto (x - \mu) A$. Tokens take all of it; a position code is a
displacement, so it takes the linear part alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.errors import ConfigError, UnknownNameError
from orthogan.geometry.inputs import answer_dtype, check_width, token_table
from orthogan.geometry.spectra.whitening import whiten
from orthogan.shapes import Codes, MappedCodes, MappedTable, Table

WIDTHS_PER_DIRECTION = 100  # Mu and Viswanath 2018, section 2.1: about D / 100 directions


@dataclass(frozen=True)
class TableTransform:
    """An affine map of a table.

    Attributes:
        spec: As it was asked for, with the number of directions filled in.
        mean: What is taken off the tokens, `D`.
        matrix: What rows are then multiplied by, `D x D'`.
    """

    spec: str
    mean: Tensor
    matrix: Tensor

    def apply_to_tokens(self, tokens: Table) -> MappedTable:
        """The tokens under the map, in their own precision (float32 at least)."""
        check_width("tokens", tokens, len(self.mean), "mean")
        moved: Tensor = (tokens.double() - self.mean) @ self.matrix
        return moved.to(answer_dtype(tokens))

    def apply_to_codes(self, codes: Codes) -> MappedCodes:
        """The codes under the linear part of the map."""
        check_width("codes", codes, len(self.mean), "mean")
        moved: Tensor = codes.double() @ self.matrix
        return moved.to(answer_dtype(codes))


def table_transform(tokens: Table, spec: str) -> TableTransform:
    """The map that a name asks for, with the statistics of a table.

    - `center`: the mean is taken off;
    - `pca`: and the axes are turned into the principal ones; `pca=K` keeps the first K;
    - `remove-top=K`: and the K principal directions of most variance are cleared; a hundredth of
      the width without a number (Mu and Viswanath 2018, "All-but-the-top");
    - `whiten`: and all directions get the same variance (the symmetric root, with Ledoit and
      Wolf's shrinkage), scaled so that the total variance stays.

    Args:
        tokens: Embedding table, one row a token.
        spec: A name, or `name=K`.

    Raises:
        ShapeError: not a matrix.
        DataError: a value is not finite, or there is nothing to whiten.
        UnknownNameError: no such transform.
        ConfigError: a number where none belongs, or more directions than the width.

    >>> table = torch.tensor([[5.0, 1.0], [-5.0, 1.0]])
    >>> table_transform(table, "remove-top=1").apply_to_tokens(table).abs().round(decimals=6)
    tensor([[0., 0.],
            [0., 0.]])
    """
    table = token_table(tokens)
    name, number = _parsed(spec, table.shape[1])
    return _TRANSFORMS[name](table, number)


def transform_names() -> list[str]:
    """Every transform.

    >>> transform_names()
    ['center', 'pca', 'remove-top', 'whiten']
    """
    return sorted(_TRANSFORMS)


def check_transform(spec: str) -> None:
    """Nothing, if there is such a transform of some table.

    Raises:
        UnknownNameError: no such transform.
        ConfigError: a number where none belongs, or none where one is announced.
    """
    _parsed(spec, None)


def _parsed(spec: str, width: int | None) -> tuple[str, int | None]:
    name, equals, text = spec.partition("=")
    if name not in _TRANSFORMS:
        raise UnknownNameError("transform", name, _TRANSFORMS)
    if not equals:
        return name, None
    if name not in _COUNTED:
        raise ConfigError(f"The transform '{name}' takes no number; leave out '={text}'.")
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ConfigError(f"The transform '{name}' takes a number of 1 or more, got '{text}'.")
    most = None if width is None else width - (name == "remove-top")
    if most is not None and int(text) > most:
        left = "; one direction has to be left" if name == "remove-top" else ""
        raise ConfigError(
            f"The transform '{spec}' asks for {int(text)} directions of a table of width {width}"
            f"{left}; ask for {most} at most."
        )
    return name, int(text)


def _center(table: Tensor, _: int | None) -> TableTransform:
    return TableTransform("center", table.mean(0), torch.eye(table.shape[1], dtype=table.dtype))


def _pca(table: Tensor, number: int | None) -> TableTransform:
    axes = _axes(table)[: number or table.shape[1]]
    spec = "pca" if number is None else f"pca={number}"
    return TableTransform(spec, table.mean(0), axes.T)


def _remove_top(table: Tensor, number: int | None) -> TableTransform:
    width = table.shape[1]
    usual = max(1, round(width / WIDTHS_PER_DIRECTION))
    if number is None and width < 2:
        raise ConfigError("A table of width 1 has no direction to spare for 'remove-top'.")
    count = number or usual
    top = _axes(table)[:count]
    kept = torch.eye(width, dtype=table.dtype) - top.T @ top
    return TableTransform(f"remove-top={count}", table.mean(0), kept)


def _whiten(table: Tensor, _: int | None) -> TableTransform:
    found = whiten(table, method="zca")
    before = (table - found.mean).square().sum()
    after = ((table - found.mean) @ found.matrix).square().sum()
    return TableTransform("whiten", found.mean, found.matrix * math.sqrt(float(before / after)))


def _axes(table: Tensor) -> Tensor:
    """The principal axes, one a row, that of most variance first."""
    centred = table - table.mean(0)
    axes: Tensor = torch.linalg.eigh(centred.T @ centred)[1].flip(1).T
    return axes


_TRANSFORMS: dict[str, Callable[[Tensor, int | None], TableTransform]] = {
    "center": _center,
    "pca": _pca,
    "remove-top": _remove_top,
    "whiten": _whiten,
}
_COUNTED = {"pca", "remove-top"}
