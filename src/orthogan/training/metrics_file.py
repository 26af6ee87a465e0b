"""`metrics.jsonl`: one JSON record a line, only ever appended to."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from orthogan.errors import DataError
from orthogan.files import parse_json, storage_errors

# A line of ours takes a few kilobytes; what is longer is read piece by piece and skipped.
MAX_LINE_BYTES = 2**20
SHOWN_LINES = 5  # a sentence stays readable


def append_metrics(path: Path, record: Mapping[str, Any]) -> None:
    """Adds one line to the file at `path`; numbers that are not finite become null.

    Raises:
        StorageError: the file cannot be written.
    """
    line = json.dumps(_finite(record), allow_nan=False).encode() + b"\n"
    with storage_errors(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            # A kill in the middle of a line must not spoil the next one as well.
            if os.lseek(handle, 0, os.SEEK_END):
                os.lseek(handle, -1, os.SEEK_END)
                line = line if os.read(handle, 1) == b"\n" else b"\n" + line
            while line:  # normally one call, so that readers see whole lines
                line = line[os.write(handle, line) :]
        finally:
            os.close(handle)


def flush_metrics(path: Path) -> None:
    """Flushes the lines so far to disk: a power cut loses none of those before a checkpoint.

    Raises:
        StorageError: the file cannot be written.
    """
    with storage_errors(path):
        try:
            handle = os.open(path, os.O_RDWR)
        except FileNotFoundError:  # nothing has been measured yet
            return
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_metrics(
    path: Path, note: Callable[[str], object] = lambda _: None
) -> list[dict[str, Any]]:
    """The records that led to where the run stands, in order of `images_seen`; [] without a file.

    Left out are those of an `attempt` that was given up, those that a resumed run has overtaken
    (a record of a lower image count stands below them; of several with one count and one `event`
    the last counts), and lines that are half-written or not ours: the file is open to appending
    by anybody, and a foreign line costs the run nothing.

    Args:
        path: The file.
        note: Is told in one sentence which lines were skipped, if any were.

    Raises:
        StorageError: the file cannot be read.
    """
    lines, skipped = _lines(path)
    if skipped:
        note(_skipped_sentence(path, skipped))
    attempt = lines[-1][1] if lines else 0
    records: dict[tuple[int, str], dict[str, Any]] = {}
    for seen, its_attempt, record in lines:
        if its_attempt == attempt:
            while records and next(reversed(records))[0] > seen:
                records.popitem()
            records[seen, record.get("event", "")] = record
    return [records[key] for key in sorted(records)]


def written_metrics(path: Path) -> list[dict[str, Any]]:
    """Every record of ours as it stands in the file, also those of a course that was given up.

    Raises:
        StorageError: the file cannot be read.
    """
    return [record for _, _, record in _lines(path)[0]]


def _lines(path: Path) -> tuple[list[tuple[int, int, dict[str, Any]]], list[int]]:
    """Image count, attempt and record of each line of ours as written; the numbers of others."""
    lines: list[tuple[int, int, dict[str, Any]]] = []
    skipped: list[int] = []
    for number, line in enumerate(_pieces(path), start=1):
        try:
            record = parse_json(line, path, error=DataError)
        except DataError:
            record = None
        if _is_ours(record):
            lines.append((record["images_seen"], record.get("attempt", 0), record))
        elif line.strip():
            skipped.append(number)
    return lines, skipped


def _pieces(path: Path) -> Iterator[bytes]:
    if not path.exists():
        return
    with storage_errors(path, "read"), path.open("rb") as file:
        while piece := file.readline(MAX_LINE_BYTES):
            yield piece


def _is_ours(record: object) -> bool:
    if not isinstance(record, dict):
        return False
    counts = (record.get("images_seen"), record.get("attempt", 0))
    # Not isinstance: True is an int.
    whole = all(type(count) is int and count >= 0 for count in counts)
    return whole and isinstance(record.get("event", ""), str)


def _skipped_sentence(path: Path, skipped: list[int]) -> str:
    more = len(skipped) - SHOWN_LINES
    shown = ", ".join(map(str, skipped[:SHOWN_LINES])) + (f" and {more} more" if more > 0 else "")
    lines = "line" if len(skipped) == 1 else "lines"
    return f"{path}: {lines} {shown} skipped: half-written, or no record of a run."


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
