"""Counter-based randomness: a draw is a function of (seed, stream, counter, rank) alone.

Philox (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3") maps a
key and a counter to random bits without any state, so a draw never depends on what was drawn
before it: resuming a run, or sampling one image of a batch, repeats the same bits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from orthogan.errors import ConfigError

MAX_SEED = 2**63 - 1


def check_seed(seed: int) -> int:
    """The seed itself, if it lies in [0, 2**63).

    Raises:
        ConfigError: the seed is negative or too large.
    """
    if not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"A seed lies between 0 and {MAX_SEED}, got {seed}.")
    return seed


def stream(seed: int, name: str, counter: int = 0, rank: int = 0) -> np.random.Generator:
    """The random stream `name` of a seed at a counter (usually `images_seen`).

    >>> float(stream(7, "demo").random()) == float(stream(7, "demo").random())
    True
    """
    name_key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
    philox = np.random.Philox(
        key=np.array([check_seed(seed), name_key], np.uint64),
        # The low word counts the draws of this stream, so it starts at 0.
        counter=np.array([0, 0, counter, rank], np.uint64),
    )
    return np.random.Generator(philox)


def normal(shape: tuple[int, ...], source: np.random.Generator) -> Tensor:
    """Standard normal float32 draws."""
    return torch.from_numpy(source.standard_normal(shape, dtype=np.float32))


def placed(draws: Tensor, device: torch.device) -> Tensor:
    """The draws on a device; a CUDA device is not waited for.

    >>> placed(torch.ones(1), torch.device("cpu"))
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
    rows = [normal((size,), stream(seed, "latent")) for seed in seeds]
    return torch.stack(rows) if rows else torch.empty(0, size)


def permutation(num_items: int, seed: int, name: str, epoch: int) -> Tensor:
    """The order of `num_items` items in one epoch (int64 indices)."""
    return torch.from_numpy(stream(seed, name, epoch).permutation(num_items))


@contextmanager
def initialisation(seed: int, name: str, attempt: int = 0) -> Iterator[None]:
    """Inside, PyTorch's own initialisers draw from the stream; outside nothing changes.

    >>> with initialisation(0, "demo"):
    ...     first = torch.rand(1)
    >>> with initialisation(0, "demo"):
    ...     bool(torch.rand(1) == first)
    True
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(stream(seed, name, attempt).integers(MAX_SEED)))
        yield
