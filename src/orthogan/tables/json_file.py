"""JSON files of other people's models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from orthogan.errors import DataError

MAX_BYTES = 256 * 2**20  # the largest tokenizers take about 35 MB


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        DataError: unreadable, too large, or not JSON.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise DataError(f"{path}: {size:,} bytes; the limit of a JSON file is {MAX_BYTES:,}.")
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise DataError(f"{path}: is not valid JSON; download it again.") from None


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        DataError: unreadable, too large, not JSON, or not an object.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise DataError(f"{path}: is a JSON object in a model, got a {type(value).__name__}.")
    return value
