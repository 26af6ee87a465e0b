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
    """The records of a `metrics.jsonl` in order of `images_seen`; [] if there is no file.

    A resumed run repeats what came after its checkpoint: of several records with one image count
    and one `event`, the last counts. Half-written lines are skipped.
    """
    records: dict[tuple[int, str], dict[str, Any]] = {}
    if not path.exists():
        return []
    for line in path.read_bytes().splitlines():
        try:
            record = json.loads(line)
            images_seen = int(record["images_seen"])
        except (ValueError, KeyError, TypeError):
            continue
        records[images_seen, str(record.get("event", ""))] = record
    return [records[key] for key in sorted(records)]


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
