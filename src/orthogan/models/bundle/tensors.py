"""Named tensors in one safetensors file: checked before they are parsed, never unpickled."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from orthogan.errors import BundleError, shortened

MAX_HEADER_BYTES = 8 * 2**20  # about 80,000 tensors; the parser would allocate what a file claims
MAX_FILE_BYTES = 4 * 2**30  # far above any network for images of 128 pixels, moments included


def pack(tensors: Mapping[str, Tensor]) -> bytes:
    """The bytes of a safetensors file holding `tensors`; equal tensors give equal bytes."""
    return save({name: _own_storage(tensor) for name, tensor in tensors.items()})


def unpack(path: Path, sha256: str) -> dict[str, Tensor]:
    """The tensors in a safetensors file, on the CPU, if the file has the expected checksum.

    Raises:
        BundleError: the file is missing, damaged, not safetensors, or has an oversized header.
    """
    try:
        if not path.is_file():
            raise BundleError(f"{path}: missing, so the model is incomplete.")
        size = path.stat().st_size
        data = path.read_bytes() if size <= MAX_FILE_BYTES else b""
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}.") from None
    if size > MAX_FILE_BYTES:
        raise BundleError(f"{path}: {size:,} bytes, the limit is {MAX_FILE_BYTES:,}; not ours.")
    header = int.from_bytes(data[:8], "little")
    if header > MAX_HEADER_BYTES:
        raise BundleError(
            f"{path}: its header claims {header} bytes, the limit is {MAX_HEADER_BYTES}; "
            "not a file of ours."
        )
    found = digest(data)
    if found != sha256:
        raise BundleError(
            f"{path}: damaged: checksum {found[:12]}, expected {shortened(sha256[:12])}; "
            "copy it again."
        )
    try:
        return load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise BundleError(f"{path}: not a safetensors file: {error}.") from None


def digest(data: bytes) -> str:
    """The SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _own_storage(tensor: Tensor) -> Tensor:
    # safetensors refuses tensors that share memory (tied weights, views of a flat buffer).
    return tensor.detach().cpu().contiguous().clone()
