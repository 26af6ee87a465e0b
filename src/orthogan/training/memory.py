"""Memory that does not suffice: how it shows, and how what is no longer used is given back."""

from __future__ import annotations

import gc

import torch


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this says that memory does not suffice, on a CPU or on a device.

    >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("shapes differ"))
    (True, False)
    """
    return (
        isinstance(error, MemoryError | torch.OutOfMemoryError)
        # The CPU's allocator raises no error of its own kind.
        or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))
    )


def free_memory() -> None:
    """Gives back what is no longer used."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
