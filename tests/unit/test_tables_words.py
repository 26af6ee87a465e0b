"""Word vectors: forms, damage, duplicates; each refusal is one sentence with its place."""

from __future__ import annotations

import gzip
import pickle
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch

from orthogan.errors import ConfigError, DataError
from orthogan.tables import read_tables, word_rows, word_text

VECTORS = np.array([[1, 2, 3], [4, 5, 6], [-0.5, 1e-3, 7]], np.float32)
TEXT = b"3 3\nthe 1 2 3\nof 4 5 6\nna\xc3\xafve -0.5 1e-3 7\n"
BINARY = b"3 3\n" + b"".join(
    word + b" " + vector.tobytes() + b"\n"
    for word, vector in zip([b"the", b"of", b"na\xc3\xafve"], VECTORS, strict=True)
)


def write(folder: Path, content: bytes, name: str = "vectors.bin") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize("content", [TEXT, TEXT[4:], BINARY], ids=["word2vec", "glove", "binary"])
@pytest.mark.parametrize("name", ["a.txt", "a.vec", "a.bin", "a"])
def test_the_form_is_told_by_content_not_by_name(tmp_path: Path, content: bytes, name: str) -> None:
    for data in (content, gzip.compress(content)):
        tables = read_tables(write(tmp_path, data, name))
        assert tables.labels == ("the", "of", "na\u00efve")
        np.testing.assert_array_equal(tables.tokens.numpy(), VECTORS)
        assert tables.tokens.dtype == torch.float32
        assert (tables.positions, len(tables.heads), tables.notes) == (None, 0, ())
        assert tables.source == str(tmp_path / name)


@pytest.mark.parametrize("content", [TEXT, TEXT[4:], BINARY], ids=["word2vec", "glove", "binary"])
def test_the_limit(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, content[:-2])  # what lies behind the limit is not looked at
    assert read_tables(path, limit=2).labels == ("the", "of")
    assert read_tables(path, limit=1).tokens.tolist() == [[1, 2, 3]]
    with pytest.raises(ConfigError, match="limit is at least 1"):
        read_tables(path, limit=0)


@pytest.mark.parametrize("option", ["embedding", "positions", "num_heads"])
def test_options_without_effect_are_refused(tmp_path: Path, option: str) -> None:
    value = {"num_heads": 2}.get(option, "x")
    with pytest.raises(ConfigError, match=f"leave out {option}"):
        read_tables(write(tmp_path, TEXT), **{option: value})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"3 3\nthe 1 2 3\nof 4 5\n", r"line 3: a word without spaces and 3 numbers .* got 3 f"),
        (b"3 3\nthe 1 2 3\nof 4 x 6\n", "line 3: 'x' is no number"),
        (b"3 3\nthe 1 2 3\nof 4 1_0 6\n", "line 3: '1_0' is no number"),
        (b"3 3\nthe 1 2 3\nbig apple 4 5 6\n", "line 3: a word without spaces"),
        (b"3 3\nthe 1 2 3\n 4 5 6\n", "line 3: a word without spaces"),
        (b"3 3\nthe 1 2 3\n\nof 4 5 6\n", "line 3: is empty"),
        (b"3 3\nthe 1 2 3\nof 4 nan 6\n", "line 3: the vector of 'of' holds NaN or infinite"),
        (b"3 3\nthe 1 2 3\nof 4 1e39 6\n", "line 3: the vector of 'of' holds NaN or infinite"),
        (b"3 3\nthe 1 2 3\nof 4 5 6\n", "truncated: the header promises 3 words, the file has 2"),
        (b"1 3\nthe 1 2 3\nof 4 5 6\n", "the header promises 1 words, more follow"),
        (b"0 3\n", "the header promises 0 words of width 3"),
        (b"3 0\nthe\n", "the header promises 3 words of width 0"),
        (b"the 1 2 3\nof 4 5\n", "line 2: a word and 3 numbers were expected, got 3 fields"),
        (b"the 1 2 3\nof 4 x 6\n", "line 2: 'x' is no number"),
        (b"the 1 2 3\nof 4 -inf 6\n", "line 2: the vector of 'of' holds NaN or infinite"),
        (b"", "is empty"),
        (b"\n\n", "is of no known form"),
        (b"To be, or not to be\n", "is of no known form"),
        (b"\x00" * 64, "is of no known form"),
        (b"\xba\x16\x4f\x2f" + b"\x00" * 64, "fastText's own binary model; read the .vec file"),
    ],
)
def test_malformed_text(tmp_path: Path, content: bytes, message: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(DataError, match=message) as caught:
        read_tables(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    if content.strip():
        packed = write(tmp_path, gzip.compress(content), "a.gz")
        with pytest.raises(DataError, match=message):
            read_tables(packed)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BINARY[:-8], "truncated: the header promises 3 words, the file ends within word 3"),
        (BINARY[:25], "truncated: 3 words of width 3 take at least 39 bytes, the file has 25"),
        (b"2" + BINARY[1:], "promises 2 words, more bytes follow"),
        (b"900000000 300\n" + BINARY[4:], "truncated: 900,000,000 words of width 300"),
        (b"1 3\nthe " + np.float32([1, np.nan, 3]).tobytes(), "word 1: the vector of 'the'"),
        (b"1 3\n " + VECTORS[0].tobytes(), "word 1 is empty"),
        (b"1 1000\nthe" + b"\x00" * 9000, "word 1 has no end within 4096 bytes"),
        (b"1 1\n" + b"\x01" * 8, "the file ends within word 1"),
    ],
)
def test_damaged_binary(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_tables(write(tmp_path, content))
    assert "\n" not in str(caught.value)


def test_a_compressed_header_that_lies_costs_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, gzip.compress(b"900000000 300\n" + BINARY[4:]))
    with pytest.raises(DataError, match="ends within word 1"):
        read_tables(path)


def test_a_damaged_archive(tmp_path: Path) -> None:
    packed = gzip.compress(TEXT * 50)
    for damage in (packed[:-20], packed[:40] + b"\xff" * 20 + packed[60:]):
        with pytest.raises(DataError, match="compressed file is damaged or truncated"):
            read_tables(write(tmp_path, damage, "a.gz"))


def test_the_first_of_equal_words_is_kept(tmp_path: Path) -> None:
    text = b"a 1 2\nb 3 4\na 5 6\nb 7 8\nc 9 9\nb 0 0\n"
    tables = read_tables(write(tmp_path, text))
    assert tables.labels == ("a", "b", "c")
    assert tables.tokens.tolist() == [[1, 2], [3, 4], [9, 9]]
    assert tables.notes == (
        "2 words occur more than once, the first 'a'; the first vector of each was kept.",
    )
    assert read_tables(write(tmp_path, text), limit=3).labels == ("a", "b", "c")


def test_words_that_are_not_utf8_are_kept_and_noted(tmp_path: Path) -> None:
    text = b"4 1\nna\xc3\xafve 1\n\xc3\xa9 2\ncaf\xc3 3\ncaf\xe2 4\n"
    tables = read_tables(write(tmp_path, text))
    assert tables.labels == ("na\u00efve", "\u00e9", "caf\ufffd", "caf\\xe2")
    assert tables.tokens.tolist() == [[1], [2], [3], [4]]  # other bytes, other words
    assert "2 words are not whole UTF-8" in tables.notes[0]
    assert len(tables.notes) == 1
    cut = b"x" * 95 + b"\xc3"  # as word2vec.c cuts a long word
    assert read_tables(write(tmp_path, b"1 1\n" + cut + b" 1\n")).labels == ("x" * 95 + "\ufffd",)


@pytest.mark.parametrize(
    ("content", "labels", "encoding"),
    [
        (b"1 3\nna\xefve " + VECTORS[0].tobytes() + b"\n", ["na\u00efve"], "cp1252"),
        (b"2 1\na\xe9 1\na\xe8 2\n", ["a\u00e9", "a\u00e8"], "cp1252"),
        (b"a\xe9 1 2\na\xe8 2 1\nit\x92s 3 1\n", ["a\u00e9", "a\u00e8", "it\u2019s"], "cp1252"),
        (b"\x81\xe9 1 2\nb\xe8 2 1\n", ["\x81\u00e9", "b\u00e8"], "latin-1"),
    ],
)
def test_words_in_latin_1_are_read(
    tmp_path: Path, content: bytes, labels: list[str], encoding: str
) -> None:
    tables = read_tables(write(tmp_path, content))
    assert tables.labels == tuple(labels)
    assert f"all are read as {encoding}" in tables.notes[0]


def packed(words: list[str], vectors: np.ndarray, end: bytes) -> bytes:
    head = b"%d %d\n" % vectors.shape
    rows = zip(words, vectors.astype("<f4"), strict=True)
    return head + b"".join(word.encode() + b" " + row.tobytes() + end for word, row in rows)


SPACED = [
    ["</s>", "New York", "of", "and", "in"],
    ["New York", "Los Angeles", "a"],
    ["the", "at Jan 12", "1 2 3"],
    ["na\u00efve caf\u00e9", "\u6771 \u4eac", "x"],
    ["a", "b", "last one"],
]


@pytest.mark.parametrize("end", [b"\n", b""], ids=["lines", "packed"])
@pytest.mark.parametrize("words", SPACED, ids=str)
def test_words_with_spaces_in_a_binary_file(tmp_path: Path, words: list[str], end: bytes) -> None:
    ramp = 0.1 * np.arange((4 if words[0] == "</s>" else 20) * len(words)).reshape(len(words), -1)
    noise = np.random.default_rng(0).normal(size=(len(words), 25))
    for vectors in (ramp, noise, np.round(noise, 1), 1e-4 * noise):
        tables = read_tables(write(tmp_path, packed(words, vectors, end)))
        assert tables.labels == tuple(words)
        np.testing.assert_array_equal(tables.tokens.numpy(), vectors.astype(np.float32))
        spaced = [word for word in words if " " in word]
        assert f"{len(spaced)} word" in tables.notes[0]
        assert f"the first {spaced[0]!a}:" in tables.notes[0]


def test_spaces_that_cannot_be_told_from_numbers_are_refused_or_read_rightly(
    tmp_path: Path,
) -> None:
    source = np.random.default_rng(1)
    parts = ["New", "York", "of", "I", "na\u00efve", "2020", "the"]
    refused = 0
    for _ in range(300):
        count, width = source.integers(1, 8), source.integers(4, 9)
        words = [f"{n} {' '.join(source.choice(parts, 2 - n % 2))}" for n in range(count)]
        vectors = source.normal(size=(count, width)).astype(np.float32)
        path = write(tmp_path, packed(words, vectors, b""))
        with suppress(DataError):
            assert read_tables(path).labels == tuple(words)
            continue
        refused += 1
    assert refused < 100
    absurd = np.float32([1e30]).tobytes() + b"\x01c " + np.float32([1]).tobytes()
    with pytest.raises(DataError, match=r"word 1: 'a': it cannot be told where its numbers begin"):
        read_tables(write(tmp_path, b"2 1\na " + absurd))


def test_odd_numbers_are_read_where_nothing_speaks_for_spaces(tmp_path: Path) -> None:
    vectors = np.array([[1e30, 1], [1e-30, 0], [0, 0], [-1e30, 1e-38]], np.float32)
    for end in (b"\n", b""):
        tables = read_tables(write(tmp_path, packed(["a", "b", "c", "d"], vectors, end)))
        assert tables.labels == ("a", "b", "c", "d")
        np.testing.assert_array_equal(tables.tokens.numpy(), vectors)


@pytest.mark.parametrize("end", [b"\n", b""], ids=["lines", "packed"])
@pytest.mark.parametrize("width", [2, 3, 5, 8])
def test_a_wrong_width_is_refused(tmp_path: Path, width: int, end: bytes) -> None:
    words, vectors = [f"w{n}" for n in range(40)], np.random.default_rng(0).normal(size=(40, 4))
    content = packed(words, vectors, end).replace(b"40 4\n", b"40 %d\n" % width)
    with pytest.raises(DataError, match=r"width|truncated|NaN"):
        read_tables(write(tmp_path, content))


def test_a_wrong_width_is_refused_under_a_limit(tmp_path: Path) -> None:
    content = packed([f"w{n}" for n in range(40)], np.ones((40, 4)), b"")
    path = write(tmp_path, content.replace(b"40 4\n", b"40 3\n"))
    with pytest.raises(DataError, match=r"9 of the first 10 words hold control ch.* width 3"):
        read_tables(path, limit=10)


def test_control_characters_in_words_are_said(tmp_path: Path) -> None:
    words = [f"w{n}" for n in range(30)] + ["a\x07b"]
    vectors = np.random.default_rng(0).normal(size=(31, 10))
    for end in (b"\n", b""):
        tables = read_tables(write(tmp_path, packed(words, vectors, end)))
        assert tables.labels == tuple(words)
        assert tables.notes == (r"1 label holds control characters, the first 'a\x07b' (row 30).",)


@pytest.mark.parametrize(
    ("content", "labels"),
    [
        (b"the\t1\t2\nof\t3\t4\n", ("the", "of")),
        (b"New York\t1\t2\nof\t3\t4\n", ("New York", "of")),
        (b"the\t1 2\r\nNew York\t3 4\t\r\n", ("the", "New York")),
        (b"2 2\nthe\t1\t2\nof 3 4 \n", ("the", "of")),
        (b"New York 1 2\nof 3 4\n", ("New York", "of")),
        (b"1961 1 2\n7 3 4\n", ("1961", "7")),
        (b"nan 1 2\ninf 3 4\n", ("nan", "inf")),
    ],
)
def test_separators_and_odd_words(tmp_path: Path, content: bytes, labels: tuple[str, ...]) -> None:
    tables = read_tables(write(tmp_path, content))
    assert (tables.labels, tables.notes) == (labels, ())
    assert tables.tokens.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("separator", [b" ", b"\t"])
def test_a_vocabulary_with_counts_is_no_table_of_vectors(tmp_path: Path, separator: bytes) -> None:
    counts = [b"the", b"1061396", b"of", b"593677", b"and", b"593677", b"x", b"1"]
    lines = zip(counts[::2], counts[1::2], strict=True)
    content = b"".join(separator.join(line) + b"\n" for line in lines)
    with pytest.raises(DataError, match="holds words with counts, the most frequent first"):
        read_tables(write(tmp_path, content, "vocab.txt"))
    assert len(read_tables(write(tmp_path, content + b"y 2\n")).tokens) == 5  # falls no more


def test_only_line_feeds_end_a_line(tmp_path: Path) -> None:
    words = ["a\u0085b", "c\u2028d", "e\u00a0f"]
    text = "".join(f"{word} {n}\n" for n, word in enumerate(words))
    assert read_tables(write(tmp_path, text.encode())).labels == tuple(words)


def test_words_of_glove_with_spaces(tmp_path: Path) -> None:
    tables = read_tables(write(tmp_path, b"the 1 2\n. . . 3 4\nat name@domain.com 5 6\n"))
    assert tables.labels == ("the", ". . .", "at name@domain.com")
    assert tables.tokens.tolist() == [[1, 2], [3, 4], [5, 6]]


def test_a_byte_order_mark_is_no_part_of_a_word(tmp_path: Path) -> None:
    mark = b"\xef\xbb\xbf"
    assert read_tables(write(tmp_path, mark + TEXT[4:])).labels[0] == "the"
    assert read_tables(write(tmp_path, mark + TEXT)).labels[0] == "the"


def test_wide_vectors_and_many_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_rows, "BLOCK_BYTES", 3 * 4 * 3000)
    vectors = np.random.default_rng(0).normal(size=(10, 3000)).astype(np.float32)
    rows = [f"w{n} {' '.join(map(repr, v.tolist()))}\n" for n, v in enumerate(vectors)]
    for head in ("", "10 3000\n"):
        tables = read_tables(write(tmp_path, (head + "".join(rows)).encode()))
        np.testing.assert_array_equal(tables.tokens.numpy(), vectors)
    packed = b"10 3000\n" + b"".join(b"w%d " % n + v.tobytes() for n, v in enumerate(vectors))
    tables = read_tables(write(tmp_path, packed))
    np.testing.assert_array_equal(tables.tokens.numpy(), vectors)


def test_a_line_without_end_is_not_read_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(word_text, "MAX_LINE_BYTES", 2**20)
    with pytest.raises(DataError, match="line 2: longer than 1 MiB"):
        read_tables(write(tmp_path, b"2 2\n" + b"x" * 2**21))


class Bomb:
    """Unpickling this would end the test run."""

    def __reduce__(self) -> tuple[object, ...]:
        return (SystemExit, ("unpickled",))


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ["vectors.kv", "model.bin", "vectors.kv.gz"])
def test_pickles_are_refused_unopened(tmp_path: Path, protocol: int, name: str) -> None:
    content = pickle.dumps({"vectors": Bomb()}, protocol)
    path = write(tmp_path, gzip.compress(content) if name.endswith("gz") else content, name)
    with pytest.raises(DataError, match=r"kv\.save_word2vec_format\(path, binary=True\)"):
        read_tables(path)


def test_checkpoints_of_torch_are_refused_unopened(tmp_path: Path) -> None:
    torch.save({"weight": torch.eye(3)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(DataError, match=r"pickle of PyTorch: .*save_pretrained\('converted'\)"):
        read_tables(tmp_path / "pytorch_model.bin")
