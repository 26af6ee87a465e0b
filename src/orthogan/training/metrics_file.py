"""`metrics.jsonl`: one JSON record a line, only ever appended to."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orthogan.files import storage_errors


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


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The records that led to where the run stands, in order of `images_seen`; [] without a file.

    Left out are those of an `attempt` that was given up, those that a resumed run has overtaken
    (a record of a lower image count stands below them; of several with one count and one `event`
    the last counts), and half-written lines.
    """
    lines = _lines(path)
    attempt = lines[-1][1] if lines else 0
    records: dict[tuple[int, str], dict[str, Any]] = {}
    for seen, its_attempt, record in lines:
        if its_attempt == attempt:
            while records and next(reversed(records))[0] > seen:
                records.popitem()
            records[seen, str(record.get("event", ""))] = record
    return [records[key] for key in sorted(records)]


def _lines(path: Path) -> list[tuple[int, int, dict[str, Any]]]:
    """Image count, attempt and record of each whole line, in the order written."""
    lines: list[tuple[int, int, dict[str, Any]]] = []
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            record = json.loads(line)
            lines.append((int(record["images_seen"]), int(record.get("attempt", 0)), record))
        except (ValueError, KeyError, TypeError, OverflowError):
            continue
    return lines


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
