r"""Sinusoidal position codes: the rotation that moves them on, their products, their returns.

$PE(s) = (\sin \omega_k s, \cos \omega_k s)_k$ with $\omega_k = b^{-2k/D}$. One plane a frequency:
moving on by m turns plane k by $\omega_k m$, so $PE(s + m) = R_m PE(s)$, with one rotation for
all s. On the integers PE is injective, because $\omega_0 = 1$ and $2 \pi$ is irrational.

Rotary codes apply $R_s$ to queries and keys and displace nothing: no token changes its identity.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from orthogan.errors import ConfigError
from orthogan.geometry.inputs import exact

BASE = 10_000.0  # Vaswani et al. 2017, section 3.5
MAX_POSITIONS = 10**7  # positions looked through for a return


def frequencies(width: int, base: float = BASE) -> Tensor:
    r"""Angular frequencies $\omega_k = b^{-2k/D}$, radians a position, float64.

    Args:
        width: Width D of the codes, even.
        base: Base b, more than 0.

    Raises:
        ConfigError: an odd or non-positive width, a base that is not positive and finite.

    >>> frequencies(4)
    tensor([1.0000, 0.0100], dtype=torch.float64)
    """
    if width < 2 or width % 2:
        raise ConfigError(f"A sinusoidal code needs an even width of at least 2, got {width}.")
    if not (math.isfinite(base) and base > 0):
        raise ConfigError(f"'base' must be positive and finite, got {base}.")
    return base ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)


def sinusoids(num_positions: int, width: int, base: float = BASE) -> Tensor:
    """The codes of positions 0 to `num_positions - 1`, one a row, sine before cosine, float64.

    Raises:
        ConfigError: fewer than 1 position, an odd width, a base that is not positive.

    Source: Vaswani et al. 2017, section 3.5.

    >>> sinusoids(2, 2)
    tensor([[0.0000, 1.0000],
            [0.8415, 0.5403]], dtype=torch.float64)
    """
    if num_positions < 1:
        raise ConfigError(f"'num_positions' must be at least 1, got {num_positions}.")
    positions = torch.arange(num_positions, dtype=torch.float64)
    angle = positions[:, None] * frequencies(width, base)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)


def shift_rotation(step: float, width: int, base: float = BASE) -> Tensor:
    r"""The rotation $R_m$ with $PE(s + m) = R_m PE(s)$ for every s, width x width, float64.

    Source: angle addition in each plane.

    >>> shift_rotation(math.pi / 2, 2) @ torch.tensor([0.0, 1.0], dtype=torch.float64)
    tensor([1.0000e+00, 6.1232e-17], dtype=torch.float64)
    """
    angle = frequencies(width, base) * step
    cos, sin = angle.cos(), angle.sin()
    planes = torch.stack([torch.stack([cos, sin], -1), torch.stack([-sin, cos], -1)], -2)
    rotation: Tensor = torch.block_diag(*planes)
    return rotation


def code_product(step: Tensor, width: int, base: float = BASE) -> Tensor:
    r"""$\langle PE(s), PE(s + m) \rangle = \sum_k \cos \omega_k m$ for each step m, float64.

    At step 0 it is the squared length, D / 2.

    Raises:
        ShapeError: the steps are no list.
        DataError: a step is not finite.

    >>> code_product(torch.tensor([0]), 8)
    tensor([4.], dtype=torch.float64)
    """
    angle = exact("step", step, "steps")[:, None] * frequencies(width, base)
    return angle.cos().sum(1)


def first_near_return(
    width: int, base: float = BASE, within: float = 0.1, num_positions: int = 100_000
) -> int | None:
    r"""The first step after which a code comes back to where it was, nearly.

    The smallest m >= 1 with $\|PE(s + m) - PE(s)\| \le \epsilon \|PE\|$ that lies beyond the
    first departure: the slow planes of a wide code move little from one position to the next, so
    the code must have been farther away than that first.

    Args:
        width: Width of the codes.
        base: Base of the frequencies.
        within: Epsilon, a share of the length of a code; between 0 and 2.
        num_positions: Steps looked through.

    Returns:
        The step; None if there is none among `num_positions`.

    Raises:
        ConfigError: a width or base no code has, a share or a count out of range.

    >>> first_near_return(2, within=0.1)
    44
    """
    if not 0 < within < 2:
        raise ConfigError(f"'within' must lie between 0 and 2, got {within}.")
    if not 1 <= num_positions <= MAX_POSITIONS:
        raise ConfigError(f"'num_positions' must lie in 1..{MAX_POSITIONS}, got {num_positions}.")
    departed = False
    for steps in torch.arange(1, num_positions + 1).split(4096):
        # |PE(s + m) - PE(s)|^2 = 2 |PE|^2 - 2 <PE(s), PE(s + m)>, by half angles against rounding
        half = (steps.double()[:, None] * frequencies(width, base) / 2).sin().square().mean(1)
        near = 2 * half.sqrt() <= within
        if not departed:
            away = (~near).nonzero().flatten()
            if not len(away):
                continue
            departed = True
            near[: int(away[0])] = False
        found = near.nonzero().flatten()
        if len(found):
            return int(steps[found[0]])
    return None
