"""Where tensors live, and how exactly their products are taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from orthogan.errors import ConfigError, UnknownNameError


def pick_device(name: str) -> torch.device:
    """The device of that name; `auto` is CUDA where there is one.

    Raises:
        ConfigError: this machine has none.
        UnknownNameError: no such kind of device.
    """
    found = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "auto":
        return found
    present = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name not in present:
        raise UnknownNameError("device", name, ["auto", *present])
    if not present[name]:
        raise ConfigError(f"This machine has no {name} device; use --device auto.")
    return torch.device(name)


@contextmanager
def full_float32() -> Iterator[None]:
    """Inside, float32 products are float32 products, whatever the program has allowed."""
    backend: Any = torch.backends.mkldnn  # its settings are made at run time
    settings = backend.matmul
    before = settings.fp32_precision
    settings.fp32_precision = "ieee"
    try:
        yield
    finally:
        settings.fp32_precision = before
