"""JSON of other people's models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orthogan import files
from orthogan.errors import DataError

MAX_BYTES = 256 * 2**20  # the largest tokenizers take about 35 MB
ADVICE = "; download it again"


def read_json(path: Path) -> Any:
    """The value in a JSON file."""
    return files.read_json(
        path, error=DataError, advice=ADVICE, max_bytes=MAX_BYTES, only_text=True
    )


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise DataError(f"{path}: is a JSON object in a model, got a {type(value).__name__}.")
    return value
