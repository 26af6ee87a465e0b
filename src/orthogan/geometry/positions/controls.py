r"""Controls for position codes: what codes of the same size do that know nothing of the tokens.

A figure of a table of codes says little alone. Beside it stand the same codes turned at random
(their Gram matrix kept), isotropic ones of the same energy, and sinusoids of the same energy.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from orthogan.errors import ConfigError
from orthogan.geometry.inputs import answer_dtype, token_table
from orthogan.geometry.positions.sinusoidal import BASE, sinusoids
from orthogan.rng import stream


def rotated_codes(codes: Tensor, seed: int = 0) -> Tensor:
    """The codes turned as a whole by a uniformly random orthogonal matrix.

    Args:
        codes: Position codes, one row a position.
        seed: Of the rotation.

    Raises:
        ShapeError: not a matrix.
        DataError: a value is not finite.

    Source: Haar measure by QR with the signs of the diagonal, Mezzadri 2007.

    >>> rotated_codes(torch.tensor([[3.0, 4.0]])).norm().round(decimals=4)
    tensor(5.)
    """
    table = token_table(codes, "codes")
    width = table.shape[1]
    draws = stream(seed, "rotated-codes").standard_normal((width, width))
    basis, triangle = torch.linalg.qr(torch.from_numpy(draws))
    rotation = basis * torch.where(triangle.diagonal() < 0, -1.0, 1.0)
    turned: Tensor = table @ rotation
    return turned.to(answer_dtype(codes))


def isotropic_codes(codes: Tensor, seed: int = 0) -> Tensor:
    """Codes of the same lengths in independent uniformly random directions.

    Args:
        codes: Position codes, one row a position.
        seed: Of the directions.

    Raises:
        ShapeError: not a matrix.
        DataError: a value is not finite.

    >>> isotropic_codes(torch.tensor([[3.0, 4.0], [0.0, 1.0]])).norm(dim=1).round(decimals=4)
    tensor([5., 1.])
    """
    table = token_table(codes, "codes")
    draws = torch.from_numpy(stream(seed, "isotropic-codes").standard_normal(tuple(table.shape)))
    directions = draws / draws.norm(dim=1, keepdim=True)
    found: Tensor = directions * table.norm(dim=1, keepdim=True)
    return found.to(answer_dtype(codes))


def sinusoids_like(codes: Tensor, base: float = BASE) -> Tensor:
    """Sinusoidal codes of the same energy (sum of squares), as many and as wide.

    Args:
        codes: Position codes, one row a position, of even width.
        base: Base of the frequencies.

    Raises:
        ShapeError: not a matrix.
        DataError: a value is not finite.
        ConfigError: an odd width.

    >>> sinusoids_like(torch.ones(3, 4)).square().sum().round(decimals=4)
    tensor(12.)
    """
    table = token_table(codes, "codes")
    plain = sinusoids(table.shape[0], table.shape[1], base)
    found: Tensor = plain * (table.norm() / plain.norm())
    return found.to(answer_dtype(codes))


CONTROLS: dict[str, Callable[..., Tensor]] = {
    "rotated": rotated_codes,
    "isotropic": isotropic_codes,
    "sinusoidal": lambda codes, seed=0: sinusoids_like(codes),  # noqa: ARG005 nothing is drawn
}


def random_safe_length(radius: float, width: int, num_tokens: int, risk: float = 0.5) -> float:
    r"""A length up to which a randomly directed displacement flips a token at no more than `risk`.

    For a uniformly random direction u and a fixed unit vector v,
    $P(\langle u, v \rangle \ge s) \le \tfrac12 e^{-(D - 1) s^2 / 2}$. Token i flips towards one of
    $N - 1$ others only if $\langle u, u_{ij} \rangle \ge r_i / \|p\|$ for one of them, so
    $\|p\| \le r_i \sqrt{(D - 1) / (2 \ln((N - 1) / (2 \delta)))}$ suffices: wide models bear codes
    many times longer than the safe radius, narrow ones do not.

    Args:
        radius: Safe radius of the token, embedding units.
        width: Width D, at least 2.
        num_tokens: Tokens N, at least 2.
        risk: Delta, the probability that is accepted; between 0 and 1.

    Returns:
        The length, never below the radius itself; infinite where no length reaches the risk.

    Raises:
        ConfigError: an argument out of range.

    Source: a cap of angle theta covers at most sin(theta)^(D-1) / 2 of the sphere (Ball 1997,
    lecture 2, with the factor 1/2 that makes it exact for a half-sphere); union bound.

    >>> random_safe_length(1.0, 769, 30_522) > 6
    True
    """
    if not (math.isfinite(radius) and radius >= 0):
        raise ConfigError(f"'radius' must be 0 or more and finite, got {radius}.")
    if width < 2 or num_tokens < 2:
        raise ConfigError(
            f"'width' and 'num_tokens' must be at least 2, got {width} and {num_tokens}."
        )
    if not 0 < risk < 1:
        raise ConfigError(f"'risk' must lie between 0 and 1, got {risk}.")
    odds = math.log((num_tokens - 1) / (2 * risk))
    if odds <= 0:
        return math.inf
    return radius * max(1.0, math.sqrt((width - 1) / (2 * odds)))
