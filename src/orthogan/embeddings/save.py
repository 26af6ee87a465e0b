"""Writing a position table back into a copy of its model: a safetensors file, or several."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from orthogan.embeddings.folder import open_model, weights_file
from orthogan.embeddings.labels import FILES
from orthogan.embeddings.load_options import LoadOptions
from orthogan.embeddings.model import embedding_name
from orthogan.embeddings.positions import PositionTable, position_table
from orthogan.embeddings.result import check_table
from orthogan.embeddings.safetensors_file import INDEX_SUFFIX, Entry, read_header, shard_names
from orthogan.embeddings.tensors import Model
from orthogan.errors import ConfigError, DataError, ShapeError
from orthogan.files import committed_file, committed_folder

TYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
CHUNK_BYTES = 4 * 2**20


def save_positions(
    source: str | Path, out: str | Path, positions: Tensor, *, name: str | None = None
) -> Path:
    """A copy of a model in which only the position table differs.

    Names, types, order and metadata stay, byte for byte, so that the model's own library loads
    the copy. It is written in pieces: a file larger than the memory is no trouble. The copy of a
    model in several files is a folder with all of them, their index, and its configuration and
    vocabulary.

    Args:
        source: The .safetensors file, the index of several, or a folder with either.
        out: The file to write, or the folder for a model in several files; one that is there
            already is replaced, never the source.
        positions: One row a position, `T x D`, as `read_tables` returned them: rows that are
            padding are not among them and stay as they were.
        name: The position tensor; None to recognise it.

    Returns:
        The path of the copy.

    Raises:
        ShapeError: `positions` has another shape than the table in the file.
        DataError: not finite (also after rounding to the type of the file), a file of several is
            missing, or no position table is stored, because the family computes or has none.
        ConfigError: `out` is the source, or a folder where a file is written and the reverse.
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
    model = open_model(path)
    table = _table(model, path, name, positions)
    check_table(positions, "positions")
    if path.name.endswith(INDEX_SUFFIX):
        return _save_sharded(path, target, table, positions)
    if target.is_dir():
        raise ConfigError(f"{target}: is a folder; name the file to write.")
    if target.exists() and target.samefile(path):
        raise ConfigError(f"{target}: is the source itself, which is never overwritten.")
    if not target.parent.is_dir():
        raise ConfigError(f"{target.parent}: is no folder; make it, or name another file.")
    with committed_file(target) as new:
        _write(path, new, table, positions)
    return target


def _save_sharded(index: Path, target: Path, table: PositionTable, positions: Tensor) -> Path:
    """A folder with all files of a model, of which the one with the positions is changed."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(
            f"{target}: a model in several files is written into a folder of its own; name one "
            "that is new or empty."
        )
    places = shard_names(index)
    with committed_folder(target) as folder:
        for shard in sorted(set(places.values())):
            source = index.parent / shard
            with (folder / shard).open("xb") as new:
                if shard == places[table.name]:
                    _write(source, new, table, positions)
                else:
                    with source.open("rb") as old:
                        _copy(old, new, None)
        for beside in (index.name, "config.json", *FILES):
            if (index.parent / beside).is_file():
                shutil.copyfile(index.parent / beside, folder / beside)
    return target


def _weights(source: Path) -> Path:
    if source.is_dir():
        source = weights_file([p.name for p in source.iterdir()], source)
    if not source.is_file():
        raise DataError(f"{source}: no such file.")
    return source


def _table(model: Model, path: Path, name: str | None, positions: Tensor) -> PositionTable:
    """The table to replace, which has the shape of the positions."""
    try:
        embedding = embedding_name(model, LoadOptions(), [])
    except DataError:  # a file of positions alone
        embedding = ""
    family = model.family(embedding) if name is None else None
    if family is not None and family.codes == "none":
        raise DataError(f"{path}: no positions can be written: {family.why}.")
    table = position_table(model, name, embedding, [])
    if table is None and family is not None and family.formula is not None:
        raise DataError(
            f"{path}: no positions can be written: the library of '{model.kind(embedding)}' "
            "computes them."
        )
    if table is None:
        raise DataError(f"{path}: holds no position table that is recognised; give name=.")
    expected = (table.length, table.width)
    if tuple(positions.shape) != expected:
        raise ShapeError(
            f"{path}: '{table.name}' holds positions of shape {expected}, got "
            f"{tuple(positions.shape)}."
        )
    return table


def _write(path: Path, new: BinaryIO, table: PositionTable, positions: Tensor) -> None:
    """The bytes of a file, with those of the positions in their place."""
    entry = read_header(path)[table.name]
    body = _bytes(positions, entry, path)
    num_rows = table.start + table.length
    start = entry.start + table.start * (entry.stop - entry.start) // num_rows
    with path.open("rb") as old:
        _copy(old, new, start)
        new.write(body)
        old.seek(start + len(body))
        _copy(old, new, None)


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
