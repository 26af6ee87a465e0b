"""The arithmetic of the training steps."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Precision = Literal["float32", "bfloat16"]


def resolve_precision(asked: str, device: torch.device) -> Precision:
    """The precision to train in: `auto` is bfloat16 where the hardware multiplies it natively.

    On processors without it, bfloat16 is emulated and slower than float32.
    """
    if asked == "auto":
        return "bfloat16" if has_native_bfloat16(device) else "float32"
    return "bfloat16" if asked == "bfloat16" else "float32"


def has_native_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16 products."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        # PyTorch has no public name for these two.
        avx, amx = torch.cpu._is_avx512_bf16_supported, torch.cpu._is_amx_tile_supported  # noqa: SLF001
        return bool(avx() or amx())
    return False


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """The context in which a step runs; it does nothing for float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def at_least_float32(values: Tensor) -> Tensor:
    """The values in float32, or in float64 if they are in that.

    Losses are differences of nearly equal logits, of which bfloat16 keeps two digits.

    >>> at_least_float32(torch.ones(1, dtype=torch.bfloat16)).dtype
    torch.float32
    """
    return values.to(torch.promote_types(values.dtype, torch.float32))
