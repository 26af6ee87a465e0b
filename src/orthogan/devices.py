"""Where tensors live."""

from __future__ import annotations

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
