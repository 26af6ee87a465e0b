"""Sampled images that show themselves: a tensor of pixels with a picture."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from orthogan.images.encoding import png
from orthogan.images.grid import grid

MOST_SHOWN = 256


class Samples(Tensor):
    """Pixels `B C H W` (uint8) that a notebook shows as a grid; what is computed is a tensor.

    >>> pixels = as_samples(torch.zeros(4, 1, 28, 28, dtype=torch.uint8))
    >>> type(pixels[:2]).__name__, type(pixels.float()).__name__
    ('Samples', 'Tensor')
    """

    # Any operation gives a plain tensor: nothing downstream meets a type of its own.
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]  # noqa: SLF001

    def __getitem__(self, index: Any) -> Tensor:
        found: Tensor = super().__getitem__(index)
        return as_samples(found) if found.dim() == 4 else found

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return as_samples(self.as_subclass(Tensor).clone())

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.as_subclass(Tensor).__reduce_ex__(protocol)

    def _repr_png_(self) -> bytes | None:
        """A grid of the images, at most the first 256; None where there are none."""
        if self.dim() != 4 or len(self) == 0:
            return None
        return png(grid(self.as_subclass(Tensor)[:MOST_SHOWN]))


def as_samples(pixels: Tensor) -> Samples:
    """The same pixels, which show themselves."""
    return pixels.as_subclass(Samples)
