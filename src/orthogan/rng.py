"""The random streams as tensors, and PyTorch's own initializers under a seed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from orthogan.streams import LATENTS, MAX_SEED, check_seed, normal_rows, stream

__all__ = [
    "MAX_SEED",
    "NormalSource",
    "check_seed",
    "initialization",
    "latents",
    "normal",
    "permutation",
    "stream",
    "to_device",
]


@runtime_checkable
class NormalSource(Protocol):
    """Draws standard normal numbers, as `numpy.random.Generator` does."""

    def standard_normal(self, size: Any, dtype: Any) -> np.ndarray:
        """An array of that size."""


def normal(shape: tuple[int, ...], source: NormalSource) -> Tensor:
    """Standard normal float32 draws."""
    return torch.from_numpy(source.standard_normal(shape, dtype=np.float32))


def to_device(draws: Tensor, device: torch.device) -> Tensor:
    """The draws on a device; a CUDA device is not waited for.

    >>> to_device(torch.ones(1), torch.device("cpu"))
    tensor([1.])
    """
    if device.type == "cuda":  # only from pinned memory can it copy while we go on
        return draws.pin_memory().to(device, non_blocking=True)
    return draws.to(device)


def latents(seeds: Iterable[int], size: int) -> Tensor:
    """One latent vector a seed: the same vector whichever batch the seed is in.

    >>> torch.equal(latents([7], 4)[0], latents([3, 7], 4)[1])
    True
    """
    return torch.from_numpy(normal_rows(seeds, LATENTS, size))


def permutation(num_items: int, seed: int, name: str, epoch: int) -> Tensor:
    """The order of `num_items` items in one epoch (int64 indices)."""
    return torch.from_numpy(stream(seed, name, epoch).permutation(num_items))


@contextmanager
def initialization(seed: int, name: str, attempt: int = 0) -> Iterator[None]:
    """Inside, PyTorch's own initializers draw from the stream; outside nothing changes.

    >>> with initialization(0, "demo"):
    ...     first = torch.rand(1)
    >>> with initialization(0, "demo"):
    ...     bool(torch.rand(1) == first)
    True
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(stream(seed, name, attempt).integers(MAX_SEED)))
        yield
