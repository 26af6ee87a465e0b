r"""A start that looks like trained attention: near the plain dot product, near minus the tokens."""

from __future__ import annotations

import torch
from torch import Tensor

from orthogan.attention.layer import Attention
from orthogan.errors import ConfigError

# Trockman and Kolter 2023: (random part, diagonal) of each product for vision transformers.
QUERY_KEY = (0.7, 0.7)
VALUE_OUTPUT = (0.4, -0.4)


@torch.no_grad()
def initialize_mimetic(layer: Attention) -> None:
    r"""Draws the weights of a layer anew, so that it starts near the plain dot product.

    $W_q W_k^\top \approx 0.7 Z + 0.7 I$ in each head and $W_v W_o \approx 0.4 Z - 0.4 I$ over all
    heads, with $Z_{ij} \sim N(0, 1/D)$ drawn anew for each product, by its truncated singular
    value decomposition.

    Args:
        layer: Its keys must have a matrix of their own.

    Raises:
        ConfigError: they have none, or a head's keys or all values are wider than the tokens.

    Source: Trockman and Kolter 2023, "Mimetic initialization of self-attention layers",
        section 3, for value size `D`. Not covered: position codes and the dense layers, which
        start as they do.

    >>> layer = Attention(64, heads=1)
    >>> initialize_mimetic(layer)
    >>> matrix = layer.query.weight.T @ layer.key_value.weight[:64]
    >>> 0.5 < float(matrix.diagonal().mean().detach()) < 0.9
    True
    """
    width = layer.query.in_features
    if layer.context_size != width or layer.key_heads != layer.heads:
        raise ConfigError(
            "A mimetic initialization starts near the plain dot product of tokens with each "
            "other; it needs a context as wide as the tokens, and keys for every head."
        )
    check_mimetic(layer.keys.is_projected, layer.key_size // layer.heads, layer.value_size, width)
    queries, keys = layer.query.weight, layer.key_value.weight[: layer.key_size]
    for query, key in zip(queries.chunk(layer.heads), keys.chunk(layer.heads), strict=True):
        left, right = _factors(query, *QUERY_KEY)
        query.copy_(left)
        key.copy_(right)
    value = layer.key_value.weight[layer.key_size :]
    left, right = _factors(value, *VALUE_OUTPUT)
    value.copy_(left)
    layer.output.weight.copy_(right.T)


def check_mimetic(has_key_matrix: bool, head_size: int, value_size: int, width: int) -> None:
    """Nothing, if a layer of these sizes can start so.

    Raises:
        ConfigError: it cannot.
    """
    if not has_key_matrix:
        raise ConfigError(
            "The mimetic start sets the product of the query and key matrices, and these keys "
            "have no matrix of their own; use keys = 'learned' or 'dual', or the standard start."
        )
    if max(head_size, value_size) > width:
        raise ConfigError(
            f"The mimetic start factorises {width} x {width} matrices, so the key size of a head "
            f"{head_size} and the value size {value_size} are at most {width}."
        )


def _factors(weight: Tensor, noise: float, diagonal: float) -> tuple[Tensor, Tensor]:
    """Two matrices of the shape of `weight`, `R D`: left.T @ right is the rank-R part of M."""
    rank, width = weight.shape
    matrix = noise * width**-0.5 * torch.randn(width, width, dtype=torch.float64)
    matrix.diagonal().add_(diagonal)
    left, values, right = torch.linalg.svd(matrix)
    # The best approximation of rank R (Eckart and Young), its singular values shared evenly: both
    # factors start with the same scale, and so learn at the same speed.
    root = values[:rank].sqrt()
    return (left[:, :rank] * root).T.to(weight), (right[:rank].T * root).T.to(weight)
