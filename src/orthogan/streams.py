"""Counter-based randomness: a draw is a function of (seed, stream, counter, rank) alone.

Philox (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3") maps a
key and a counter to random bits without any state, so a draw never depends on what was drawn
before it: resuming a run, or sampling one image of a batch, repeats the same bits.

No PyTorch here, so that an exported generator draws the same latents without it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from orthogan.errors import ConfigError

MAX_SEED = 2**63 - 1
LATENTS = "latent"  # the stream that a generator's noise comes from


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
    philox = np.random.Philox(
        key=np.array([check_seed(seed), stream_key(name)], np.uint64),
        # The low word counts the draws of this stream, so it starts at 0.
        counter=np.array([0, 0, counter, rank], np.uint64),
    )
    return np.random.Generator(philox)


def stream_key(name: str) -> int:
    """The half of the key that is a stream's name: 64 bits.

    >>> 0 <= stream_key("demo") < 2**64
    True
    """
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def normal_rows(seeds: Iterable[int], name: str, size: int) -> np.ndarray:
    """Standard normal float32 draws, one row of `size` a seed, from its stream `name`.

    >>> bool((normal_rows([7], "demo", 4)[0] == normal_rows([3, 7], "demo", 4)[1]).all())
    True
    """
    rows = [stream(seed, name).standard_normal(size, dtype=np.float32) for seed in seeds]
    return np.stack(rows) if rows else np.empty((0, size), dtype=np.float32)
