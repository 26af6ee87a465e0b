"""Writing a position table back into a copy of its safetensors file."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from orthogan.embeddings.folder import open_model, weights_file
from orthogan.embeddings.positions import position_table
from orthogan.embeddings.result import check_table
from orthogan.embeddings.safetensors_file import Entry, read_header
from orthogan.errors import ConfigError, DataError, ShapeError
from orthogan.files import committed_file

TYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
CHUNK_BYTES = 4 * 2**20


def save_positions(
    source: str | Path, out: str | Path, positions: Tensor, *, name: str | None = None
) -> Path:
    """A copy of a safetensors file in which only the position table differs.

    Names, types, order and metadata stay, byte for byte, so that the model's own library loads
    the copy. It is written in pieces: a file larger than the memory is no trouble.

    Args:
        source: The .safetensors file, or a folder with one.
        out: The file to write; one that is there already is replaced, never the source.
        positions: One row a position, `T x D`, as `read_tables` returned them: rows that are
            padding are not among them and stay as they were.
        name: The position tensor; None to recognise it.

    Returns:
        The path of the copy.

    Raises:
        ShapeError: `positions` has another shape than the table in the file.
        DataError: not finite (also after rounding to the type of the file), no position table, or
            a model in several files, of which one has to be named.
        ConfigError: `out` is the source, or a folder.
        StorageError: the disk is full or the place cannot be written; nothing was changed.

    >>> from tempfile import TemporaryDirectory
    >>> from safetensors.torch import load_file, save_file
    >>> with TemporaryDirectory() as folder:
    ...     old, new = Path(folder, "old.safetensors"), Path(folder, "new.safetensors")
    ...     save_file({"wpe.weight": torch.zeros(2, 2), "other": torch.ones(1)}, old)
    ...     load_file(save_positions(old, new, torch.eye(2)))["wpe.weight"].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    path, target = _weights(Path(source)), Path(out)
    if target.is_dir():
        raise ConfigError(f"{target}: is a folder; name the file to write.")
    if target.exists() and target.samefile(path):
        raise ConfigError(f"{target}: is the source itself, which is never overwritten.")
    if not target.parent.is_dir():
        raise ConfigError(f"{target.parent}: is no folder; make it, or name another file.")
    entry, first_row, num_rows = _place(path, name, positions)
    check_table(positions, "positions")
    body = _bytes(positions, entry, path)
    start = entry.start + first_row * (entry.stop - entry.start) // num_rows
    with path.open("rb") as old, committed_file(target) as new:
        _copy(old, new, start)
        new.write(body)
        old.seek(start + len(body))
        _copy(old, new, None)
    return target


def _weights(source: Path) -> Path:
    if source.is_dir():
        source = weights_file([p.name for p in source.iterdir()], source)
    if not source.is_file():
        raise DataError(f"{source}: no such file.")
    if source.suffix == ".json":
        raise DataError(
            f"{source}: the model lies in several files; name the .safetensors file that holds "
            "its position table."
        )
    return source


def _place(path: Path, name: str | None, positions: Tensor) -> tuple[Entry, int, int]:
    """The entry of the position tensor, the first row to replace, and its number of rows."""
    table = position_table(open_model(path), name, None, [])
    if table is None:
        raise DataError(f"{path}: holds no position table that is recognised; give name=.")
    expected = (table.length, table.width)
    if tuple(positions.shape) != expected:
        raise ShapeError(
            f"{path}: '{table.name}' holds positions of shape {expected}, got "
            f"{tuple(positions.shape)}."
        )
    return read_header(path)[table.name], table.start, table.start + table.length


def _bytes(positions: Tensor, entry: Entry, path: Path) -> bytes:
    if entry.dtype not in TYPES:
        raise DataError(f"{path}: positions stored as {entry.dtype} cannot be written.")
    values = positions.detach().cpu().to(TYPES[entry.dtype]).contiguous()
    if not bool(values.isfinite().all()):
        raise DataError(f"{path}: stores positions as {entry.dtype}, in which these are infinite.")
    return values.view(torch.uint8).numpy().tobytes()


def _copy(old: BinaryIO, new: BinaryIO, stop: int | None) -> None:
    while stop is None or old.tell() < stop:
        chunk = old.read(CHUNK_BYTES if stop is None else min(CHUNK_BYTES, stop - old.tell()))
        if not chunk:
            return
        new.write(chunk)
