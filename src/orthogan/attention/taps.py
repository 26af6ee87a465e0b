"""Which token each tap of a convolution reads, at every padding, stride and dilation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from orthogan.errors import ShapeError

NOTHING = -1  # index of the zero that zero padding puts outside the image


@dataclass(frozen=True)
class Taps:
    """The reading pattern of a convolution; one entry an axis.

    Args:
        kernel_size: Taps along each axis; there are as many heads as taps in all.
        stride: Pixels between two outputs.
        dilation: Pixels between two taps.
        padding: Positions added (before, after) each axis.
        padding_mode: What lies there: `zeros`, `circular`, `reflect` or `replicate`.
    """

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    padding_mode: str

    @classmethod
    def of(cls, conv: nn.Conv1d | nn.Conv2d | nn.Conv3d) -> Taps:
        """The reading pattern of a torch convolution."""
        pads = _pads(conv.padding, conv.kernel_size, conv.dilation)
        return cls(conv.kernel_size, conv.stride, conv.dilation, pads, conv.padding_mode)

    @property
    def num_axes(self) -> int:
        """Axes of the grid: 1 for sequences, 2 for images."""
        return len(self.kernel_size)

    def with_mode(self, padding_mode: str) -> Taps:
        """The same taps with other values outside the image."""
        return replace(self, padding_mode=padding_mode)

    def check_size(self, size: int | Sequence[int]) -> tuple[int, ...]:
        """The size of the input, one number an axis.

        Raises:
            ShapeError: the wrong number of axes, or smaller than kernel or padding allow.
        """
        sizes = (size,) if isinstance(size, int) else tuple(size)
        if len(sizes) != self.num_axes:
            raise ShapeError(
                f"A {self.num_axes}-D convolution needs a size of {self.num_axes} numbers, "
                f"got {sizes}."
            )
        for axis, length in enumerate(sizes):
            if length < 1:
                raise ShapeError(f"Axis {axis} has {length} positions; a convolution needs one.")
            if self._output_length(axis, length) < 1:
                span = self.dilation[axis] * (self.kernel_size[axis] - 1) + 1
                raise ShapeError(
                    f"Axis {axis} has {length} positions, {length + sum(self.padding[axis])} with "
                    f"padding, fewer than the {span} that the kernel spans; enlarge the input."
                )
            self._check_padding(axis, length)
        return sizes

    def output_size(self, size: int | Sequence[int]) -> tuple[int, ...]:
        """Outputs along each axis for an input of this size.

        >>> Taps((3, 3), (2, 1), (1, 1), ((0, 0), (1, 1)), "zeros").output_size((28, 28))
        (13, 28)
        """
        sizes = self.check_size(size)
        return tuple(self._output_length(axis, length) for axis, length in enumerate(sizes))

    def shifts(self) -> Tensor:
        """Where each tap looks, as seen from its query: `N` rows of one integer an axis.

        >>> Taps((3,), (1,), (2,), ((2, 2),), "zeros").shifts().flatten()
        tensor([-2,  0,  2])
        """
        axes = zip(self.kernel_size, self.dilation, self.padding, strict=True)
        return _grid([gap * torch.arange(taps) - before for taps, gap, (before, _) in axes])

    def queries(self, size: int | Sequence[int]) -> Tensor:
        """The input position that each output belongs to: `T` rows of one integer an axis."""
        axes = zip(self.output_size(size), self.stride, strict=True)
        return _grid([step * torch.arange(length) for length, step in axes])

    def padded_positions(self, size: int | Sequence[int]) -> Tensor:
        """Every position of the padded input, in pixels of the input, row by row."""
        axes = zip(self.check_size(size), self.padding, strict=True)
        return _grid([torch.arange(-before, length + after) for length, (before, after) in axes])

    def sources(self, size: int | Sequence[int]) -> Tensor:
        """The token that each tap reads for each output, `N T`; `NOTHING` is a padded zero.

        >>> Taps((3,), (1,), (1,), ((1, 1),), "zeros").sources(4)
        tensor([[-1,  0,  1,  2],
                [ 0,  1,  2,  3],
                [ 1,  2,  3, -1]])
        >>> Taps((3,), (1,), (1,), ((1, 1),), "circular").sources(4)[0]
        tensor([3, 0, 1, 2])
        """
        return self.tokens_at(self.shifts()[:, None] + self.queries(size), size)

    def tokens_at(self, positions: Tensor, size: int | Sequence[int]) -> Tensor:
        """The token found at each position (last axis: one integer an axis of the grid).

        Inside the input it is the token there, in the padding what the padding mode puts there.
        """
        flat = torch.zeros(positions.shape[:-1], dtype=torch.long)
        outside = torch.zeros(positions.shape[:-1], dtype=torch.bool)
        for along, length in zip(positions.unbind(-1), self.check_size(size), strict=True):
            flat = flat * length + _fold(along, length, self.padding_mode)
            outside |= (along < 0) | (along >= length)
        if self.padding_mode == "zeros":
            flat = flat.masked_fill(outside, NOTHING)
        return flat

    def _output_length(self, axis: int, length: int) -> int:
        span = self.dilation[axis] * (self.kernel_size[axis] - 1) + 1
        return (length + sum(self.padding[axis]) - span) // self.stride[axis] + 1

    def _check_padding(self, axis: int, length: int) -> None:
        # The same limits as torch: a ring is not wound twice, a mirror shows no more than there is.
        limit = {"circular": length, "reflect": length - 1}.get(self.padding_mode)
        widest = max(self.padding[axis])
        if limit is not None and widest > limit:
            raise ShapeError(
                f"Axis {axis} has {length} positions, too few for {self.padding_mode} padding of "
                f"{widest}; enlarge the input or pad less."
            )


def _pads(
    padding: str | tuple[int, ...], kernel_size: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    if padding == "valid":
        return tuple((0, 0) for _ in kernel_size)
    if padding == "same":
        spans = [gap * (taps - 1) for taps, gap in zip(kernel_size, dilation, strict=True)]
        return tuple((span // 2, span - span // 2) for span in spans)  # torch: the odd one after
    return tuple((int(pad), int(pad)) for pad in padding)


def _grid(axes: list[Tensor]) -> Tensor:
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flatten(0, -2)


def _fold(along: Tensor, length: int, mode: str) -> Tensor:
    if mode == "circular":
        return along.remainder(length)
    if mode == "reflect":
        return length - 1 - (along.abs() - (length - 1)).abs()
    return along.clamp(0, length - 1)
