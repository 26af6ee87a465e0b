"""Safetensors files: the header is checked before anything parses it, tensors stay on disk."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from orthogan.embeddings.json_file import read_object
from orthogan.embeddings.tensors import LazyTensor
from orthogan.errors import DataError
from orthogan.files import parse_json

MAX_HEADER_BYTES = 16 * 2**20  # about 160,000 tensors; a parser would allocate what a file claims
PREFIX_BYTES = 8  # the length of the header, little-endian
SUFFIX = ".safetensors"
INDEX_SUFFIX = ".safetensors.index.json"
BITS = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8,
    "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8,
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One tensor in a file: its type, its axes, and the bytes it lies in from the file's start."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


def is_safetensors(start: bytes, size: int) -> bool:
    """Whether a file of `size` bytes that begins with `start` has the form of a safetensors file.

    >>> is_safetensors((2).to_bytes(8, "little") + b"{}", 10)
    True
    """
    if len(start) <= PREFIX_BYTES or start[PREFIX_BYTES : PREFIX_BYTES + 1] != b"{":
        return False
    return int.from_bytes(start[:PREFIX_BYTES], "little") + PREFIX_BYTES <= size


def read_header(path: Path) -> dict[str, Entry]:
    """What a safetensors file says it holds, checked against the size of the file.

    Source: https://huggingface.co/docs/safetensors, section "Format".
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(PREFIX_BYTES), "little")
        if size <= PREFIX_BYTES or length > size - PREFIX_BYTES:
            raise DataError(
                f"{path}: not a safetensors file, or a truncated one: its header claims "
                f"{length:,} bytes, the file has {size:,}."
            )
        if length > MAX_HEADER_BYTES:
            raise DataError(
                f"{path}: its header claims {length:,} bytes; the limit is {MAX_HEADER_BYTES:,}."
            )
        raw = file.read(length)
    entries = _parse(raw, path)
    start = PREFIX_BYTES + length
    return {name: _entry(name, fields, start, size, path) for name, fields in entries.items()}


def _parse(raw: bytes, path: Path) -> dict[str, Any]:
    why = ""
    try:
        header = parse_json(raw, "header", error=DataError, advice="", only_text=True)
    except DataError as wrong:
        header, why = None, f": it {str(wrong).removeprefix('header: ').removesuffix('.')}"
    if not isinstance(header, dict):
        raise DataError(f"{path}: not a safetensors file: its header is not a JSON object{why}.")
    header.pop("__metadata__", None)
    return header


def _entry(name: str, fields: Any, start: int, size: int, path: Path) -> Entry:
    try:
        dtype, shape, (first, last) = fields["dtype"], fields["shape"], fields["data_offsets"]
        numbers = [*shape, first, last]
        if not isinstance(dtype, str) or any(type(n) is not int or n < 0 for n in numbers):
            raise ValueError
        if dtype in BITS and math.prod(shape) * BITS[dtype] != 8 * (last - first):
            raise ValueError
    except (TypeError, KeyError, ValueError):
        raise DataError(
            f"{path}: damaged: type, shape and bytes of the tensor '{name}' do not agree."
        ) from None
    if start + last > size:
        raise DataError(
            f"{path}: truncated: '{name}' ends at byte {start + last:,}, the file at {size:,}; "
            "copy it again."
        )
    return Entry(dtype, tuple(shape), start + first, start + last)


def open_tensors(path: Path) -> dict[str, LazyTensor]:
    """The tensors of a safetensors file, mapped: each costs memory only once it is read."""
    entries = read_header(path)
    if not entries:
        raise DataError(f"{path}: holds no tensors.")
    try:
        handle: Any = safe_open(path, framework="pt")
    except (SafetensorError, ValueError) as error:
        raise DataError(f"{path}: not a safetensors file: {error}.") from None

    def stored(name: str, entry: Entry) -> LazyTensor:
        def load(num_rows: int | None) -> Tensor:
            if num_rows is None or not entry.shape:
                whole: Tensor = handle.get_tensor(name)
                return whole
            part: Tensor = handle.get_slice(name)[:num_rows]
            return part

        return LazyTensor(
            entry.shape, entry.dtype, "F" in entry.dtype and entry.dtype in BITS, load
        )

    return {name: stored(name, entry) for name, entry in entries.items()}


def shard_names(index: Path) -> dict[str, str]:
    """The file of every tensor, by the `*.safetensors.index.json` that lists them."""
    places = read_object(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise DataError(f"{index}: has no 'weight_map' from tensors to files.")
    for file in places.values():
        if not isinstance(file, str) or Path(file).name != file or not file.endswith(SUFFIX):
            raise DataError(f"{index}: {file!r} is not the name of a safetensors file beside it.")
    return places


def open_sharded(index: Path) -> dict[str, LazyTensor]:
    """The tensors of a model in several files, by the index that lists them."""
    places = shard_names(index)
    shards: dict[str, dict[str, LazyTensor]] = {}
    for file in sorted(set(places.values())):
        path = index.parent / file
        if not path.is_file():
            raise DataError(f"{path}: missing, although {index.name} lists it; download it.")
        shards[file] = open_tensors(path)
    for name, file in places.items():
        if name not in shards[file]:
            raise DataError(f"{index}: lists '{name}' in {file}, which does not hold it.")
    return {name: shards[file][name] for name, file in places.items()}
