r"""Rotating position codes as a whole into the directions where the tokens vary least."""

from __future__ import annotations

from torch import Tensor

from orthogan.geometry.inputs import answer_dtype, binary_scale, position_codes, token_table
from orthogan.geometry.spectra.frames import placement


def place_positions(codes: Tensor, tokens: Tensor) -> Tensor:
    r"""The codes, rotated as a whole so that their energy meets the least token variance.

    Minimises $\mathrm{tr}(R^\top \Sigma_P R \, \Sigma_E)$ over all orthogonal R, which pairs the
    eigenvectors in opposite order: the direction of most code energy with that of least token
    variance, and so on. $P R$ has the Gram matrix of P, hence all its relative geometry.

    Args:
        codes: Position codes, one row a position.
        tokens: Embedding table of the same width, one row a token.

    Returns:
        The rotated codes, in the order and the precision they were given.

    Raises:
        ShapeError: not two matrices of one width.
        DataError: a value is not finite.

    Source: von Neumann 1937, trace inequality; Theobald 1975 for symmetric matrices.
    Not covered: what the rotation does to training.

    >>> import torch
    >>> tokens = torch.tensor([[-2.0, 0.1], [0.0, -0.2], [2.0, 0.1]])
    >>> placed = place_positions(torch.tensor([[1.0, 0.0], [-2.0, 0.0]]), tokens)
    >>> placed.abs().round(decimals=4)
    tensor([[0., 1.],
            [0., 2.]])
    """
    table = token_table(tokens)
    shifts = position_codes(table, codes)
    scaled = table * binary_scale(table)
    centred = scaled - scaled.mean(0)
    small = shifts * binary_scale(shifts)
    rotation = placement(small.T @ small, centred.T @ centred)
    return (shifts @ rotation).to(answer_dtype(codes))
