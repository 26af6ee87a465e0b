"""A data set of the Hugging Face hub, streamed; needs the extra `hf` and the network."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

from orthogan.data.catalogue import HUBS, SPLIT_NAMES, LoadOptions
from orthogan.data.collection import gather, image_set
from orthogan.data.entries import Entry
from orthogan.data.image_set import ImageSet
from orthogan.errors import DataError, MissingExtraError

# How `datasets` begins its sentence when a split is missing, streamed or not.
NO_SPLIT = ("Bad split", "Unknown split")
MAX_IMAGES = 100_000  # streamed into memory; 64 x 64 RGB take 1.2 GB, 128 x 128 take 4.9


@HUBS.register("hf")
def load_hub(name: str, options: LoadOptions) -> ImageSet:
    """The first image column of a hub data set, labelled by its first class column.

    Pictures arrive compressed and go through the same decoder as a folder; code from the hub is
    never run.

    Raises:
        MissingExtraError: `datasets` is not installed.
        DataError: no such data set or split, no network, or no image column.
    """
    try:
        datasets = importlib.import_module("datasets")
    except ImportError:
        raise MissingExtraError("datasets", "hf") from None
    where = f"hf:{name}"
    try:
        rows = _rows(datasets, name, options)
        features = rows.features or {}
        column = _first_of(features, datasets.Image)
        if column is None:
            raise DataError(f"{where}: has no image column, only: {', '.join(features)}.")
        label = _first_of(features, datasets.ClassLabel)
        names = features[label].names if label else []
        rows = rows.cast_column(column, datasets.Image(decode=False))
        found = gather(_entries(rows, column, label, names), options)
    except DataError:
        raise
    except (OSError, ValueError, LookupError, RuntimeError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        if why.startswith(NO_SPLIT):
            options.only_split(where)
        raise DataError(f"{where}: cannot be loaded: {why}") from None
    if len(found.names) + len(found.skipped) == MAX_IMAGES:
        found.remarks["read, which is the limit for a hub data set"] = len(found.names)
    return image_set(found, where, options)


def _rows(datasets: Any, name: str, options: LoadOptions) -> Any:
    """The rows of the split, under the first of its names that the data set has."""
    names = SPLIT_NAMES[options.split]
    for number, split in enumerate(names):
        try:
            return datasets.load_dataset(name, split=split, streaming=True)
        except ValueError as error:
            if number + 1 == len(names) or not str(error).startswith(NO_SPLIT):
                raise
    raise AssertionError


def _first_of(features: dict[str, Any], kind: type) -> str | None:
    return next((name for name, feature in features.items() if isinstance(feature, kind)), None)


def _entries(rows: Any, column: str, label: str | None, names: Sequence[str]) -> Iterator[Entry]:
    for number, row in enumerate(islice(rows, MAX_IMAGES)):
        # -1 marks a row without a class on the hub.
        known = label is not None and row[label] is not None and row[label] >= 0
        yield Entry(
            f"row {number}",
            partial(_content, row[column]),
            names[row[label]] if known else None,
        )


def _content(cell: dict[str, Any] | None) -> bytes:
    content = (cell or {}).get("bytes")
    if not isinstance(content, bytes):
        raise ValueError("no picture in this row")
    return content
