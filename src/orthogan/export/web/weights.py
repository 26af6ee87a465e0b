"""The numbers of a program as text: 16 bits each where that changes no image."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

LARGEST = 32767
# Smaller tensors are stored whole: they are many images' worth of rounding for little room.
FEWEST = 20_000


@dataclass(frozen=True)
class Stored:
    """Tensors as a page holds them.

    Attributes:
        places: For each tensor its key, form, place in bytes, rows and columns.
        text: All of them, base64.
        tensors: What the page makes of them.
        bits: Of a weight: 16 or 32.
    """

    places: list[dict[str, Any]]
    text: str
    tensors: dict[int | str, Tensor]
    bits: int


def stored(tensors: Mapping[int | str, Tensor], bits: int, fewest: int = FEWEST) -> Stored:
    """Tensors in 32 bits, or in 16: then rows of integers, each row with a scale of its own.

    A weight is off by 1/65,534 of the largest of its row at most. Half-precision floats take as
    much room and are off by up to 1/4,096 of themselves, which images show (docs/log.md).

    Args:
        tensors: By their keys.
        bits: 32 or 16.
        fewest: Numbers of a tensor that is stored in 16 bits.
    """
    places: list[dict[str, Any]] = []
    made: dict[int | str, Tensor] = {}
    content = bytearray()
    for key, tensor in tensors.items():
        rows = tensor.shape[0] if tensor.dim() > 1 else 1
        matrix = tensor.detach().float().reshape(rows, -1).numpy()
        is_short = bits == 16 and tensor.dim() > 1 and tensor.numel() >= fewest
        place = {"key": key, "form": "rows" if is_short else "float32", "at": len(content)}
        places.append(place | {"rows": rows, "columns": matrix.shape[1]})
        if is_short:
            scales, whole = _in_rows(matrix)
            content += scales.tobytes() + whole.tobytes()
            matrix = whole.astype(np.float32) * scales[:, None]
        else:
            content += matrix.astype("<f4").tobytes()
        content += bytes(-len(content) % 4)  # float32 arrays start at multiples of four bytes
        made[key] = torch.from_numpy(np.ascontiguousarray(matrix)).reshape(tensor.shape)
    return Stored(places, base64.b64encode(bytes(content)).decode(), made, bits)


def _in_rows(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scales, float32, one a row, and the multiples of them, int16."""
    scales = (np.abs(matrix).max(1) / LARGEST).astype("<f4")
    scales[scales == 0] = 1
    whole = np.rint(matrix.astype(np.float64) / scales[:, None]).clip(-LARGEST, LARGEST)
    return scales, whole.astype("<i2")
