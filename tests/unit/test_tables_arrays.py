"""Tables in NumPy files: mapped, never unpickled, labelled by a list of words."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.lib import format as npy_format

from orthogan.embeddings import read_tables
from orthogan.errors import ConfigError, DataError, ShapeError, UnknownNameError

VECTORS = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
WORDS = "the\nof\nna\u00efve\nx y\n"


def npy(folder: Path, array: np.ndarray = VECTORS, words: str | None = None) -> Path:
    np.save(folder / "vectors.npy", array, allow_pickle=True)
    if words is not None:
        (folder / "vectors.txt").write_text(words, encoding="utf-8")
    return folder / "vectors.npy"


@pytest.mark.parametrize("array", [VECTORS, np.asfortranarray(VECTORS), VECTORS.astype(">f4")])
def test_an_array_with_its_words(tmp_path: Path, array: np.ndarray) -> None:
    tables = read_tables(npy(tmp_path, array, WORDS))
    np.testing.assert_array_equal(tables.tokens.numpy(), VECTORS)
    assert tables.labels == ("the", "of", "na\u00efve", "x y")
    assert tables.notes == ("Words are read from vectors.txt.",)
    assert read_tables(tmp_path / "vectors.npy", limit=2).labels == ("the", "of")


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_types_of_numbers(tmp_path: Path, dtype: str) -> None:
    tables = read_tables(npy(tmp_path, VECTORS.astype(dtype)))
    assert tables.tokens.dtype == (torch.float64 if dtype == "f8" else torch.float32)
    np.testing.assert_array_equal(tables.tokens.numpy(), VECTORS.astype(dtype))
    assert "no vectors.txt with a word a line" in tables.notes[0]


@pytest.mark.parametrize("name", ["vectors.vocab", "vectors.vocab.txt", "vocab.txt", "words.txt"])
def test_names_of_word_lists(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(WORDS, encoding="utf-8")
    assert read_tables(npy(tmp_path)).labels is not None


def test_counts_beside_the_words_of_rows(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("the 1061396\nof 593677\nand 541446\nin 1\n")
    tables = read_tables(npy(tmp_path))
    assert tables.labels == ("the", "of", "and", "in")
    assert "as in 'the 1061396'" in tables.notes[1]


def test_as_many_words_as_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"vectors\.txt: 3 words for the 4 rows of .*vectors\.npy"):
        read_tables(npy(tmp_path, VECTORS, "a\nb\nc\n"))


def test_the_first_of_equal_words_is_kept(tmp_path: Path) -> None:
    tables = read_tables(npy(tmp_path, VECTORS, "a\nb\na\nc\n"))
    assert tables.labels == ("a", "b", "c")
    np.testing.assert_array_equal(tables.tokens.numpy(), VECTORS[[0, 1, 3]])
    assert tables.notes[1].startswith("1 rows repeat the word of a row before")
    limited = read_tables(tmp_path / "vectors.npy", limit=3)
    np.testing.assert_array_equal(limited.tokens.numpy(), VECTORS[[0, 1, 3]])


class Bomb:
    """Unpickling this would end the test run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (SystemExit, ("unpickled",))


@pytest.mark.parametrize(
    ("array", "error", "message"),
    [
        (np.array([[Bomb()]], dtype=object), DataError, "never unpickled"),
        (VECTORS[0], ShapeError, r"got shape \(3,\)"),
        (np.zeros((0, 3), "f4"), ShapeError, "at least one column"),
        (np.zeros((3, 0), "f4"), ShapeError, "at least one column"),
        (np.ones((3, 3), int), DataError, "floating point numbers, got int64"),
        (np.where(VECTORS[2, 1] == VECTORS, np.nan, VECTORS), DataError, "first in row 2"),
        (np.where(VECTORS[2, 1] == VECTORS, np.inf, VECTORS), DataError, "first in row 2"),
    ],
)
def test_unusable_arrays(
    tmp_path: Path, array: np.ndarray, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        read_tables(npy(tmp_path, array))
    assert "\n" not in str(caught.value)
    np.savez(tmp_path / "a.npz", vectors=array)
    with pytest.raises(error, match=message):
        read_tables(tmp_path / "a.npz")


def head(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    fields = {"descr": "<f4", "fortran_order": False, "shape": shape}
    npy_format.write_array_header_1_0(stream, fields)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (head((4, 3)) + b"x" * 47, "truncated: the header promises 48 bytes, the body has 47"),
        (head((4, 3))[:40], "not a NumPy array"),
        (b"\x93NUMPY\x09\x00" + head((4, 3))[8:], "not a NumPy array"),
        (head((10**6, 10**6)), "the limit is"),
        (head((-1, 3)), "a negative axis"),
    ],
)
def test_damaged_arrays(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_tables(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("vectors.npy", content)
    with pytest.raises(DataError, match=message):
        read_tables(tmp_path / "a.npz")


def test_ten_gigabytes_are_mapped(tmp_path: Path) -> None:
    start = head((10 * 2**30 // 16, 4))
    with (tmp_path / "a.npy").open("wb") as file:
        file.write(start)
        file.truncate(len(start) + 10 * 2**30)
    assert read_tables(tmp_path / "a.npy", limit=2).tokens.tolist() == [[0.0] * 4] * 2


@pytest.mark.parametrize("compressed", [True, False])
def test_tables_with_positions_and_labels(tmp_path: Path, compressed: bool) -> None:
    save = np.savez_compressed if compressed else np.savez
    labels = np.array(["a", "b", "c", "d"])
    save(tmp_path / "a.npz", tokens=VECTORS, positions=VECTORS[:2] + 1, labels=labels)
    tables = read_tables(tmp_path / "a.npz")
    np.testing.assert_array_equal(tables.tokens.numpy(), VECTORS)
    assert tables.positions is not None
    np.testing.assert_array_equal(tables.positions.numpy(), VECTORS[:2] + 1)
    assert tables.labels == ("a", "b", "c", "d")
    limited = read_tables(tmp_path / "a.npz", limit=2)
    assert (limited.labels, len(limited.tokens)) == (("a", "b"), 2)
    assert limited.positions is not None


def test_arrays_can_be_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", one=VECTORS, two=VECTORS + 1, words=np.array([b"a", b"b"] * 2))
    with pytest.raises(DataError, match=r"it holds: one, two, words\. Name one with"):
        read_tables(tmp_path / "a.npz")
    tables = read_tables(tmp_path / "a.npz", embedding="one", positions="two")
    assert tables.positions is not None
    assert tables.labels == ("a", "b")
    with pytest.raises(UnknownNameError, match="Did you mean 'one'"):
        read_tables(tmp_path / "a.npz", embedding="onne")
    with pytest.raises(ConfigError, match="leave out num_heads"):
        read_tables(tmp_path / "a.npz", num_heads=2)


def test_tables_that_do_not_belong_together(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", tokens=VECTORS, positions=VECTORS[:, :2])
    with pytest.raises(ShapeError, match="tokens have width 3, positions 2"):
        read_tables(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", tokens=VECTORS, labels=np.array(["a"]))
    with pytest.raises(DataError, match="1 words for the 4 rows"):
        read_tables(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", tokens=VECTORS, labels=np.arange(4))
    with pytest.raises(DataError, match="labels are one text a row, got int64"):
        read_tables(tmp_path / "c.npz")


def test_damaged_archives(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", tokens=VECTORS)
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "b.npz").write_bytes(content[:-30])
    flipped = bytearray(content)
    flipped[60] ^= 0xFF
    (tmp_path / "c.npz").write_bytes(flipped)
    for name in ("b.npz", "c.npz"):
        with pytest.raises(DataError, match=r"damaged"):
            read_tables(tmp_path / name)
    np.savez(tmp_path / "d.npz")
    with pytest.raises(DataError, match="it holds: nothing"):
        read_tables(tmp_path / "d.npz")


@pytest.mark.parametrize("value", ["1e4000", "-1e4000", "inf"])
def test_numbers_beyond_float64_are_refused_without_a_warning(tmp_path: Path, value: str) -> None:
    if np.finfo(np.longdouble).max < np.longdouble("1e300") ** 2:
        pytest.skip("this machine's long double is float64")
    np.save(tmp_path / "x.npy", np.full((3, 2), np.longdouble(value)))
    with pytest.raises(DataError, match="finite"):
        read_tables(tmp_path / "x.npy")
