"""Parquet files with compressed pictures, as the Hugging Face hub keeps its data sets.

Needs the extra `parquet`.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from orthogan.data.catalogue import FORMATS, LoadOptions
from orthogan.data.collection import gather, image_set
from orthogan.data.entries import Entry
from orthogan.data.file_parts import files_of_part
from orthogan.data.image_set import ImageSet
from orthogan.data.pictures import MAX_FILE_BYTES
from orthogan.errors import DataError, MissingExtraError

MAX_BYTES = 8 * 2**30  # of all pictures, as they are compressed
ROWS = 256  # read at a time: pictures are decoded and shrunk before the next ones come
LABELS = ("label", "labels", "class", "fine_label", "category")  # columns; the first one counts
# What pyarrow raises on damaged files: its own errors are of these kinds.
READ_ERRORS = (OSError, ValueError, LookupError, RuntimeError, TypeError, MemoryError)


def has_parquet(files: Sequence[Path]) -> bool:
    """Whether one of the files is named like a Parquet file."""
    return any(file.suffix.lower() == ".parquet" for file in files)


def write_example(path: Path) -> None:
    """Twenty noisy pictures with four classes."""
    import io

    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (20, 16, 16), dtype=np.uint8)
    rows = []
    for array in pixels:
        stream = io.BytesIO()
        Image.fromarray(array).save(stream, "PNG")
        rows.append({"bytes": stream.getvalue(), "path": None})
    arrow, parquet = _pyarrow()
    table = arrow.table({"image": rows, "label": [number % 4 for number in range(20)]})
    parquet.write_table(table, path)


def write_example_folder(path: Path) -> None:
    """The same as the one file of a folder."""
    path.mkdir()
    write_example(path / "train-00000-of-00001.parquet")


@FORMATS.register("parquet", suffixes=(".parquet",), example=write_example)
def load_parquet(path: Path, options: LoadOptions) -> ImageSet:
    """The first column of pictures in a Parquet file, with the classes in its column `label`.

    Pictures are PNG, JPEG and others in bytes, as a column or as the part `bytes` of one. The names
    of classes are those that Hugging Face's `datasets` has written down, else the labels.

    Raises:
        MissingExtraError: `pyarrow` is not installed.
        DataError: damaged, too large, or without a column of pictures.
    """
    return _load([path], path, options)


@FORMATS.register(
    "parquet-folder",
    is_folder=True,
    has_test_split=True,
    claims=has_parquet,
    example=write_example_folder,
)
def load_parquet_folder(path: Path, options: LoadOptions) -> ImageSet:
    """The Parquet files in a folder, as a data set of the hub has them: `test-*` is held out.

    Raises:
        MissingExtraError: `pyarrow` is not installed.
        DataError: a file is damaged or of other columns.
    """
    found = [file for file in path.iterdir() if has_parquet([file]) and file.is_file()]
    files, notes = files_of_part(found, path, options)
    return _load(files, path, options, notes)


def _load(
    files: Sequence[Path], where: Path, options: LoadOptions, notes: Sequence[str] = ()
) -> ImageSet:
    _, parquet = _pyarrow()
    with ExitStack() as open_files:
        try:
            tables = [open_files.enter_context(parquet.ParquetFile(file)) for file in files]
            total = sum(file.stat().st_size for file in files)
            if total > MAX_BYTES:
                raise DataError(f"{where}: takes {total:,} bytes; the limit is {MAX_BYTES:,}.")
            found = gather(_entries(tables, files), options)
        except DataError:
            raise
        except READ_ERRORS as error:
            why = (str(error).splitlines() or [type(error).__name__])[0][:120].rstrip(".")
            raise DataError(
                f"{where}: is no Parquet file, or a damaged one ({why}); download it again."
            ) from None
    found.layout.extend(notes)
    return image_set(found, str(where), options)


def _entries(tables: Sequence[Any], files: Sequence[Path]) -> Iterator[Entry]:
    for table, file in zip(tables, files, strict=True):
        schema = table.schema_arrow
        column = _picture_column(schema)
        if column is None:
            names = ", ".join(schema.names[:10])
            raise DataError(
                f"{file}: has no column of compressed pictures (bytes of .png, .jpg, ...), only: "
                f"{names}."
            )
        label = next((name for name in LABELS if name in schema.names), None)
        class_names = _class_names(schema, label)
        wanted = [column] + ([label] if label else [])
        number = 0
        for batch in table.iter_batches(ROWS, columns=wanted, use_threads=False):
            labels = batch.column(label).to_pylist() if label else [None] * batch.num_rows
            for row, kind in enumerate(labels):
                read = partial(_content, batch.column(column), row)
                yield Entry(f"{file.name} row {number}", read, _named(kind, class_names))
                number += 1


def _picture_column(schema: Any) -> str | None:
    arrow, _ = _pyarrow()
    for field in schema:
        kind = field.type
        if arrow.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            kind = kind.field("bytes").type
        if arrow.types.is_binary(kind) or arrow.types.is_large_binary(kind):
            name: str = field.name
            return name
    return None


def _class_names(schema: Any, label: str | None) -> list[str]:
    """The names that `datasets` has written into the schema; none if there are none."""
    try:
        tree = json.loads((schema.metadata or {})[b"huggingface"])
        names = tree["info"]["features"][label]["names"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return []
    return names if isinstance(names, list) and all(isinstance(n, str) for n in names) else []


def _named(label: object, names: Sequence[str]) -> str | None:
    """The name of a class; None for a row without one, which -1 marks on the hub."""
    if isinstance(label, str):
        return label
    if isinstance(label, bool) or not isinstance(label, int) or label < 0:
        return None
    return names[label] if label < len(names) else str(label)


def _content(column: Any, row: int) -> bytes:
    cell = column[row].as_py()
    content = cell.get("bytes") if isinstance(cell, dict) else cell
    if not isinstance(content, bytes):
        raise ValueError("no picture in this row")
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"larger than {MAX_FILE_BYTES:,} bytes")
    return content


def _pyarrow() -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise MissingExtraError("pyarrow", "parquet") from None
