"""Sinusoids as libraries compute them: halved or in turns, and with two sets of frequencies."""

from __future__ import annotations

import torch

from orthogan.embeddings.families.family import Formula
from orthogan.shapes import Table

BASE = 10000.0


def computed_rows(formula: Formula, first: int, num_rows: int, width: int) -> Table:
    r"""The codes of positions `first` to `first + num_rows - 1`: `T D`.

    $\omega_i = 10000^{-i/h}$ for plane i of $h = D/2$; $10000^{-i/(h-1)}$ where the formula
    reaches the end. An odd width ends in a zero, as libraries have it.

    >>> computed_rows(Formula(), 0, 2, 4)[1]
    tensor([0.8415, 0.0100, 0.5403, 0.9999])
    """
    half = width // 2
    steps = max(1, half - 1) if formula.reaches_end else width / 2
    rates = BASE ** -(torch.arange(half, dtype=torch.float64) / steps)
    angles = torch.arange(first, first + num_rows, dtype=torch.float64)[:, None] * rates
    parts = [angles.sin(), angles.cos()]
    if formula.is_cosine_first:
        parts.reverse()
    rows = torch.cat(parts, 1) if formula.is_halved else torch.stack(parts, -1).flatten(1)
    return torch.nn.functional.pad(rows, (0, width - 2 * half)).float()
