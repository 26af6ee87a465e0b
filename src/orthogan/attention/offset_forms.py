r"""Attention without softmax on sinusoidal codes is convolution.

The code of a position $s$ is $(\sin \omega_k s, \cos \omega_k s)_k$. A block-diagonal $\Omega$ with
the blocks $[[a_k, -b_k], [b_k, a_k]]$, those that commute with rotations, gives query $t$ and key
$s$ the weight

$p_t^\top \Omega\, p_s = \sum_k a_k \cos \omega_k (s - t) + b_k \sin \omega_k (s - t)$,

a function of the offset $s - t$ alone, because
$\cos x \cos y + \sin x \sin y = \cos(x - y)$ and $\cos x \sin y - \sin x \cos y = \sin(y - x)$.
With the frequencies $2 \pi k / n$, $k \le n / 2$, the sum is the discrete Fourier series, so that
every kernel on a ring of $n$ positions is reached, by exactly one choice of $a$ and $b$. On grids
a frequency is a vector, one number an axis.

The other two directions of a 2 x 2 block give functions of $s + t$: a free block is no convolution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.errors import ConfigError, DataError, ShapeError

# Rounding of a float32 matrix product of width 512, relative to the largest entry.
ROUNDING = 1e-5
# Entries stay below 1e6 times the kernel's, which float32 attention can still add up.
CUTOFF = 1e-6


@dataclass(frozen=True)
class OffsetForm:
    r"""A bilinear form on sinusoidal codes that sees the offset of two positions only.

    $\kappa(d) = \sum_k a_k \cos(\omega_k \cdot d) + b_k \sin(\omega_k \cdot d)$

    Args:
        frequencies: `F` rows, radians per position, one column an axis of the grid.
        cosine: The `F` weights $a$: the even part of the kernel.
        sine: The `F` weights $b$: the odd part of the kernel.

    Raises:
        ShapeError: not one $a$ and one $b$ a frequency.
        DataError: a number is not finite.
    """

    frequencies: Tensor
    cosine: Tensor
    sine: Tensor

    def __post_init__(self) -> None:
        rows = self.frequencies.shape[:1]
        if self.frequencies.dim() != 2 or {rows, self.cosine.shape, self.sine.shape} != {rows}:
            raise ShapeError(
                "An offset form needs frequencies (F, axes) and F cosine and F sine weights, got "
                f"{tuple(self.frequencies.shape)}, {tuple(self.cosine.shape)} and "
                f"{tuple(self.sine.shape)}."
            )
        for name in ("frequencies", "cosine", "sine"):
            _check_finite(name, getattr(self, name))

    def codes(self, positions: Tensor) -> Tensor:
        """The sinusoidal codes of positions (one row each), sine before cosine: `T D`.

        >>> form = OffsetForm(torch.ones(1, 1), torch.ones(1), torch.zeros(1))
        >>> form.codes(torch.tensor([[0.0], [1.0]]))
        tensor([[0.0000, 1.0000],
                [0.8415, 0.5403]])
        """
        angle = self._angles(positions)
        pairs = torch.stack([angle.sin(), angle.cos()], dim=-1)
        codes: Tensor = pairs.flatten(1).to(self.cosine.dtype)
        return codes

    def omega(self) -> Tensor:
        """The block-diagonal matrix between two codes, `D D`."""
        a, b = self.cosine, self.sine
        blocks = torch.stack([a, -b, b, a], dim=-1).unflatten(-1, (2, 2))
        matrix: Tensor = torch.block_diag(*blocks)
        return matrix

    def weights(self, queries: Tensor, keys: Tensor | None = None) -> Tensor:
        """The attention weights `T S` between positions: codes, form, codes.

        Args:
            queries: Positions, one row each.
            keys: Positions that are attended to; None means the same.
        """
        left = self.codes(queries)
        right = left if keys is None else self.codes(keys)
        return left @ self.omega() @ right.T

    def at(self, offsets: Tensor) -> Tensor:
        """The kernel at offsets (key minus query), one row each."""
        angle = self._angles(offsets)
        kernel = angle.cos() @ self.cosine.double() + angle.sin() @ self.sine.double()
        return kernel.to(self.cosine.dtype)

    def kernel(self, size: int | Sequence[int]) -> Tensor:
        """The kernel at offsets 0, 1, ... along each axis: the inverse of `fourier_form`."""
        sizes = (size,) if isinstance(size, int) else tuple(size)
        offsets = grid_positions(sizes, self.frequencies.device)
        kernel: Tensor = self.at(offsets).unflatten(0, sizes)
        return kernel

    def _angles(self, positions: Tensor) -> Tensor:
        axes = self.frequencies.shape[1]
        if positions.dim() != 2 or positions.shape[1] != axes:
            raise ShapeError(
                f"Positions must be rows of {axes} numbers, one an axis of the grid, "
                f"got {tuple(positions.shape)}."
            )
        # float64: an angle of 1000 rad in float32 is off by 1e-4.
        return positions.double() @ self.frequencies.double().T


def grid_positions(size: Sequence[int], device: torch.device | None = None) -> Tensor:
    """Every position of a grid in (row, col) order, one row each, float64.

    >>> grid_positions((2, 2)).tolist()
    [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    """
    axes = [torch.arange(length, dtype=torch.float64, device=device) for length in size]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flatten(0, -2)


def fourier_form(kernel: Tensor) -> OffsetForm:
    r"""The form whose attention weights on a ring or torus are this circular kernel.

    $a_k = \tfrac{c_k}{n} \mathrm{Re}\, \hat\kappa_k$, $b_k = -\tfrac{c_k}{n} \mathrm{Im}\,
    \hat\kappa_k$, with $c_k = 1$ where $k$ and $-k$ are the same frequency, else 2

    Args:
        kernel: Its value at offsets 0, 1, ..., n - 1 along each axis, key minus query; offset
            -1 is n - 1. Ring (one axis), torus (two) or higher.

    Returns:
        A form with half of the Fourier frequencies: $\lfloor n/2 \rfloor + 1$ on a ring.

    Raises:
        ShapeError: the kernel is empty or has no axis.
        DataError: a value is not finite.

    Source: discrete Fourier transform of a real sequence.

    >>> shift = torch.tensor([0.0, 0.0, 0.0, 1.0])  # attend to the previous of four tokens
    >>> fourier_form(shift).weights(torch.arange(4.0)[:, None]).round().abs()
    tensor([[0., 0., 0., 1.],
            [1., 0., 0., 0.],
            [0., 1., 0., 0.],
            [0., 0., 1., 0.]])
    """
    if kernel.dim() == 0 or kernel.numel() == 0:
        raise ShapeError(f"A kernel needs at least one offset, got shape {tuple(kernel.shape)}.")
    _check_finite("kernel", kernel)
    exact = kernel if kernel.dtype == torch.float64 else kernel.float()
    spectrum = torch.fft.fftn(exact.double()).flatten()
    size = torch.tensor(kernel.shape, device=kernel.device)
    waves = grid_positions(kernel.shape, kernel.device).long()
    mirrored = (-waves).remainder(size)
    order, opposite = _flat(waves, size), _flat(mirrored, size)
    half = order <= opposite  # one of each pair of opposite frequencies
    share = (2 - (order == opposite)[half].double()) / kernel.numel()
    frequencies = 2 * math.pi * waves[half].double() / size
    cosine, sine = share * spectrum.real[half], -share * spectrum.imag[half]
    return OffsetForm(frequencies, cosine.to(exact.dtype), sine.to(exact.dtype))


def form_of_omega(omega: Tensor, frequencies: Tensor) -> OffsetForm:
    r"""The offset form that a matrix is, if it is one: attention back to a kernel.

    Args:
        omega: `D D` matrix between two sinusoidal codes, $W_q W_k^\top$ of a head.
        frequencies: `F = D / 2` rows, radians per position, one column an axis.

    Raises:
        ShapeError: the sizes do not fit.
        ConfigError: the matrix mixes frequencies, or a block does not commute with rotations, so
            that the weights depend on more than the offset.

    >>> turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    >>> form_of_omega(turn, torch.ones(1, 1)).sine
    tensor([1.])
    """
    width = 2 * frequencies.shape[0]
    if frequencies.dim() != 2 or omega.shape != (width, width):
        raise ShapeError(
            f"{tuple(frequencies.shape)} frequencies need a matrix of {(width, width)}, "
            f"got {tuple(omega.shape)}."
        )
    _check_finite("omega", omega)
    every = omega.unflatten(1, (-1, 2)).unflatten(0, (-1, 2))  # block row, row, block col, col
    blocks = every.diagonal(dim1=0, dim2=2)
    cosine, sine = (blocks[0, 0] + blocks[1, 1]) / 2, (blocks[1, 0] - blocks[0, 1]) / 2
    form = OffsetForm(frequencies.to(omega), cosine, sine)
    rest = float((omega - form.omega()).norm())
    if rest > ROUNDING * float(omega.norm()):
        raise ConfigError(
            f"A part of norm {rest:.3g} of the matrix (norm {float(omega.norm()):.3g}) mixes "
            "frequencies or depends on absolute position; use offset_kernel on its weights for "
            "the nearest kernel."
        )
    return form


def fit_form(
    offsets: Tensor, kernel: Tensor, frequencies: Tensor, *, cutoff: float = CUTOFF
) -> OffsetForm:
    r"""The form on given frequencies that comes closest to a kernel, in least squares.

    Sinusoids of geometric wavelengths are no Fourier basis: this finds what they reach. Their
    highest frequency is 1 rad, so that a kernel one token wide (which needs all up to pi) is
    reached at no width: within that band lies $1 / \pi$ of its energy.

    Args:
        offsets: Where the kernel is wanted, one row an offset.
        kernel: What is wanted there.
        frequencies: `F` rows, radians per position, one column an axis.
        cutoff: Combinations of sinusoids this much smaller than the largest on these offsets are
            left out, from 0 to 1; the smaller it is, the larger the entries of the form may get.

    Raises:
        ShapeError: the sizes do not fit.
        DataError: a number is not finite.
        ConfigError: the cutoff is not from 0 to 1.

    >>> wave = torch.arange(5.0)[:, None]
    >>> fit_form(wave, wave[:, 0].sin(), torch.ones(1, 1)).sine
    tensor([1.])
    """
    if offsets.dim() != 2 or kernel.shape != offsets.shape[:1]:
        raise ShapeError(
            f"Each offset needs one value: got {tuple(offsets.shape)} offsets and "
            f"{tuple(kernel.shape)} values."
        )
    if not 0 <= cutoff < 1:
        raise ConfigError(f"cutoff must be from 0 to 1, got {cutoff}.")
    for name, numbers in (("offsets", offsets), ("kernel", kernel)):
        _check_finite(name, numbers)
    nothing = torch.zeros(frequencies.shape[:1], dtype=kernel.dtype, device=kernel.device)
    angle = OffsetForm(frequencies, nothing, nothing)._angles(offsets)  # noqa: SLF001
    waves = torch.cat([angle.cos(), angle.sin()], dim=1)
    # By singular values: slow sinusoids are nearly parallel, and a sine may be zero everywhere.
    inverse = torch.linalg.pinv(waves, rtol=cutoff)
    cosine, sine = (inverse @ kernel.double()).to(kernel).chunk(2)
    return OffsetForm(frequencies, cosine, sine)


def _flat(waves: Tensor, size: Tensor) -> Tensor:
    flat = torch.zeros_like(waves[:, 0])
    for wave, length in zip(waves.unbind(1), size, strict=True):
        flat = flat * length + wave
    return flat


def _check_finite(name: str, numbers: Tensor) -> None:
    if not bool(numbers.isfinite().all()):
        raise DataError(f"{name} holds NaN or infinite values; check where it came from.")
