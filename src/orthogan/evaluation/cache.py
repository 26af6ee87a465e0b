"""Tensors that take a while to compute, kept on disk."""

from __future__ import annotations

import hashlib
import os
import warnings
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from orthogan.errors import StorageError
from orthogan.files import write_atomic

DIGEST_BYTES = 16


def cache_folder() -> Path:
    """`$ORTHOGAN_CACHE`, or `~/.cache/orthogan`."""
    return Path(os.environ.get("ORTHOGAN_CACHE") or Path.home() / ".cache" / "orthogan")


def kept(key: str) -> dict[str, Tensor] | None:
    """The tensors under a key; None where there are none, or their file is damaged."""
    try:
        content = _path(key).read_bytes()
    except OSError:
        return None
    digest, tensors = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    if _digest(tensors) != digest:
        return None
    try:
        return safetensors.torch.load(tensors)
    except SafetensorError:
        return None


def keep(key: str, tensors: dict[str, Tensor]) -> None:
    """Keeps tensors under a key; where the folder cannot be written, that costs a warning."""
    content = safetensors.torch.save(tensors)
    path = _path(key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, _digest(content) + content)
    except (OSError, StorageError) as error:
        warnings.warn(
            f"What was computed of the images cannot be kept for next time: {error} "
            "Set ORTHOGAN_CACHE to a folder that can be written.",
            stacklevel=3,
        )


def _path(key: str) -> Path:
    return cache_folder() / f"{key}.features"


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()
