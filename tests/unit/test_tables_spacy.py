"""spaCy vectors without spaCy: hashes as its documentation gives them, MessagePack by hand."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from orthogan.embeddings import read_tables
from orthogan.embeddings.spacy_folder import murmur_hash, read_rows
from orthogan.errors import ConfigError, DataError, ShapeError

VECTORS = np.arange(12, dtype=np.float32).reshape(4, 3)
# What spacy.strings.hash_string returns.
HASHES = {
    "coffee": 3197928453018144401,
    "na\u00efve": 16224804062388677344,
    "apple": 8566208034543834098,
}


def packed(number: int) -> bytes:
    if number < 0:
        return b"\xff"
    if number < 128:
        return bytes([number])
    codes = ((0xCC, ">B"), (0xCD, ">H"), (0xCE, ">I"), (0xCF, ">Q"))
    code, form = next(cf for cf in codes if number < 256 ** struct.calcsize(cf[1]))
    return bytes([code]) + struct.pack(form, number)


def packed_map(pairs: list[tuple[int, int]]) -> bytes:
    length = len(pairs)
    short = struct.pack(">BH", 0xDE, length) if length < 2**16 else struct.pack(">BI", 0xDF, length)
    head = bytes([0x80 | length]) if length < 16 else short
    return head + b"".join(packed(key) + packed(row) for key, row in pairs)


def pipeline(
    folder: Path, pairs: list[tuple[int, int]] | bytes, words: list[str] | None = None
) -> Path:
    place = folder / "vocab"
    place.mkdir(exist_ok=True)
    with (place / "vectors").open("wb") as file:
        np.save(file, VECTORS)
    (place / "key2row").write_bytes(pairs if isinstance(pairs, bytes) else packed_map(pairs))
    strings = list(HASHES) if words is None else words
    (place / "strings.json").write_text(json.dumps(strings))
    (place / "vectors.cfg").write_text('{"mode": "default"}')
    return folder


@pytest.mark.parametrize("word", list(HASHES))
def test_hashes(word: str) -> None:
    assert murmur_hash(word) == HASHES[word]


@pytest.mark.parametrize("num", [0, 1, 15, 16, 300, 70_000])
def test_maps_of_any_length(num: int, tmp_path: Path) -> None:
    pairs = [(key * 2**40 % 2**64, key) for key in range(num)]
    assert list(read_rows(packed_map(pairs), tmp_path)) == pairs


def test_words_and_rows(tmp_path: Path) -> None:
    pairs = [(HASHES["coffee"], 2), (HASHES["na\u00efve"], 0), (HASHES["apple"], 3)]
    for source in (pipeline(tmp_path, pairs), tmp_path / "vocab"):
        tables = read_tables(source)
        assert tables.labels == ("na\u00efve", "coffee", "apple")
        np.testing.assert_array_equal(tables.tokens.numpy(), VECTORS[[0, 2, 3]])
        assert tables.notes == ()
    assert read_tables(tmp_path, limit=2).labels == ("na\u00efve", "coffee")
    with pytest.raises(ConfigError, match="leave out embedding"):
        read_tables(tmp_path, embedding="x")


def test_words_that_share_a_row_and_unknown_hashes(tmp_path: Path) -> None:
    pairs = [(HASHES["coffee"], 1), (HASHES["apple"], 1), (12345, 2), (HASHES["na\u00efve"], -1)]
    tables = read_tables(pipeline(tmp_path, pairs))
    assert tables.labels == ("coffee",)
    assert tables.notes == (
        "1 more words share the row of another word and were left out.",
        "1 rows belong to words that strings.json does not hold and were left out.",
    )


@pytest.mark.parametrize(
    ("pairs", "words", "message"),
    [
        ([(HASHES["coffee"], 4)], None, "names row 4 of 4"),
        ([(7, 1)], None, "no row of its vectors belongs to a word"),
        ([], None, "no row of its vectors belongs to a word"),
        (b"", None, "no MessagePack map of whole numbers"),
        (b"\x93\x01\x02\x03", None, "no MessagePack map of whole numbers"),
        (b"\x81\xa1a\x01", None, "no MessagePack map of whole numbers"),
        (b"\x82\x01\x02", None, "no MessagePack map of whole numbers"),
        (b"\x81\x01\x02\x03", None, "no MessagePack map of whole numbers"),
        (b"\xde\x00", None, "no MessagePack map of whole numbers"),
        (b"\x81\xcf\x00", None, "no MessagePack map of whole numbers"),
        ([(7, 1)], [3], "the list of strings is missing or damaged"),
    ],
)
def test_damaged_pipelines(
    tmp_path: Path,
    pairs: list[tuple[int, int]] | bytes,
    words: list[str] | None,
    message: str,
) -> None:
    with pytest.raises(DataError, match=message):
        read_tables(pipeline(tmp_path, pairs, words))


def test_hashed_vectors_and_missing_strings(tmp_path: Path) -> None:
    pipeline(tmp_path, [(HASHES["coffee"], 1)])
    (tmp_path / "vocab" / "vectors.cfg").write_text('{"mode": "floret"}')
    with pytest.raises(DataError, match=r"hashed \(floret\)"):
        read_tables(tmp_path)
    (tmp_path / "vocab" / "vectors.cfg").unlink()
    (tmp_path / "vocab" / "strings.json").unlink()
    with pytest.raises(DataError, match="list of strings is missing"):
        read_tables(tmp_path)


@pytest.mark.parametrize("shape", [(), (3,), (1, 3, 4)])
def test_vectors_of_another_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    pipeline(tmp_path, [(HASHES["coffee"], 0)])
    with (tmp_path / "vocab" / "vectors").open("wb") as file:
        np.save(file, np.ones(shape, np.float32))
    with pytest.raises(ShapeError, match="not one row a vector"):
        read_tables(tmp_path)
