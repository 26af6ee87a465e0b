"""`read_tables` and its result: sources that are not there, and tables made by hand."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
import torch

from orthogan.embeddings import NAMED, Tables, read, read_tables
from orthogan.errors import DataError, MissingExtraError, OrthoganError, ShapeError


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("minlm", "Did you mean 'minilm'"),
        ("glove-50", "Did you mean 'glove-50d'"),
        ("", "neither an existing file"),
        ("x" * 5000, "neither an existing file"),
        ("a\0b", "neither an existing file"),
        ("~nobody-of-this-name/x", "neither an existing file"),
    ],
)
def test_unknown_sources(source: str, hint: str) -> None:
    with pytest.raises(DataError, match=hint):
        read_tables(source)


def test_a_neighbour_is_proposed(tmp_path: Path) -> None:
    (tmp_path / "vectors.txt").write_text("a 1\n")
    with pytest.raises(DataError, match=r"Did you mean '.*/vectors\.txt'"):
        read_tables(tmp_path / "vector.txt")


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither a regular file nor a folder"):
        read_tables("/dev/null")


def test_what_cannot_be_read_or_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a 1\n")
    for error, message in (
        (PermissionError(13, "Permission denied"), "cannot be read: Permission denied"),
        (MemoryError(), "does not fit into memory; give limit="),
    ):

        def fail(*_: Any, error: BaseException = error) -> Tables:
            raise error

        monkeypatch.setattr(read, "_read_file", fail)
        with pytest.raises(DataError, match=message):
            read_tables(path)


@pytest.mark.parametrize("name", [name for name in NAMED if name != "words"])  # ours
def test_the_packages_of_named_sources_are_named(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("sys.path", [])
    gc.collect()
    with pytest.raises(MissingExtraError, match=r"pip install 'orthogan\[lab\]'"):
        read_tables(name)


TOKENS = torch.eye(3)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"tokens": torch.ones(3)}, ShapeError, "token table has one row a vector"),
        ({"tokens": torch.ones(0, 3)}, ShapeError, "token table has one row a vector"),
        ({"tokens": torch.ones(3, 3, dtype=torch.int64)}, DataError, "got torch.int64"),
        ({"tokens": TOKENS / 0}, DataError, "NaN or infinite"),
        ({"positions": torch.ones(2, 4)}, ShapeError, "tokens have width 3, positions 4"),
        ({"positions": TOKENS.log()}, DataError, "position table holds NaN or infinite"),
        ({"labels": ("a",)}, ShapeError, "1 labels for 3 tokens"),
    ],
)
def test_tables_that_contradict_themselves(
    fields: dict[str, Any], error: type[OrthoganError], message: str
) -> None:
    with pytest.raises(error, match=message):
        Tables(**({"tokens": TOKENS} | fields))


def test_the_bad_row_of_a_long_table_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = torch.zeros(70_000, 2)
    tokens[68_000, 1] = float("inf")
    with pytest.raises(DataError, match="first in row 68,000"):
        Tables(tokens)


def test_one_token_and_one_dimension_are_a_table() -> None:
    assert repr(Tables(torch.ones(1, 1), torch.ones(1, 1), ("a",), source="x")) == (
        "Tables(1 tokens x 1, 1 positions, labels, 0 layers, source='x')"
    )
