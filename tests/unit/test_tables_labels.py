"""Labels from the vocabulary files beside a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from orthogan.embeddings import Tables, json_file, read_tables
from orthogan.errors import DataError

TOKENS = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))


def read(folder: Path, name: str, content: Any, **options: Any) -> Tables:
    save_file({"wte.weight": TOKENS}, folder / "model.safetensors")
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(text, encoding="utf-8", newline="")
    return read_tables(folder, **options)


BPE = {
    "model": {"vocab": {"a": 0, "b": 1, "\u0120c": 2}},
    "added_tokens": [{"id": 3, "content": "<s>"}],
}
UNIGRAM = {"model": {"vocab": [["a", 0.0], ["b", -1.5], ["\u0120c", -2], ["<s>", 0]]}}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("vocab.txt", "a\nb\n\u0120c\n<s>\n"),
        ("vocab.txt", "a\r\nb\r\n\u0120c\r\n<s>"),
        ("vocab.json", {"<s>": 3, "a": 0, "b": 1, "\u0120c": 2}),
        ("tokenizer.json", BPE),
        ("tokenizer.json", UNIGRAM),
        ("tokenizer.json", UNIGRAM | {"added_tokens": None}),
    ],
)
def test_vocabularies(tmp_path: Path, name: str, content: Any) -> None:
    assert read(tmp_path, name, content).labels == ("a", "b", "\u0120c", "<s>")
    assert read_tables(tmp_path, limit=2).labels == ("a", "b")


def test_only_line_feeds_separate_tokens(tmp_path: Path) -> None:
    content = "a\u2028x\n\u0085\n\n\u00a0\n"
    assert read(tmp_path, "vocab.txt", content).labels == ("a\u2028x", "\u0085", "", "\u00a0")


def test_rows_without_a_token_are_named_after_their_row(tmp_path: Path) -> None:
    tables = read(tmp_path, "vocab.json", {"a": 0, "b": 2, "beyond": 9})
    assert tables.labels == ("a", "[row 1]", "b", "[row 3]")
    assert tables.notes[-1] == "2 rows have no token in vocab.json; they are named [row i]."


def test_the_tokenizer_comes_before_the_lists(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("w\nx\ny\nz\n")
    assert read(tmp_path, "tokenizer.json", BPE).labels == ("a", "b", "\u0120c", "<s>")


def test_a_named_table_has_labels_only_if_the_counts_agree(tmp_path: Path) -> None:
    four = read(tmp_path, "vocab.txt", "a\nb\nc\nd\n", embedding="wte.weight", limit=2)
    assert four.labels == ("a", "b")
    tables = read(tmp_path, "vocab.txt", "a\nb\nc\n", embedding="wte.weight")
    assert tables.labels is None
    assert tables.notes[-1].endswith("vocab.txt has 3 tokens, the named table 4 rows.")


def test_no_labels_are_noted(tmp_path: Path) -> None:
    tables = read(tmp_path, "unrelated.txt", "a")
    assert tables.labels is None
    assert "none of tokenizer.json, vocab.txt, vocab.json" in tables.notes[-1]
    assert "spiece.model is not read" in read(tmp_path, "spiece.model", "a").notes[-1]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tokenizer.json", "{", "not valid JSON"),
        ("tokenizer.json", {}, "has no vocabulary under model.vocab"),
        ("tokenizer.json", {"model": {"vocab": 3}}, "has no vocabulary under model.vocab"),
        ("tokenizer.json", {"model": {"vocab": [3]}}, "no list of pieces and scores"),
        ("tokenizer.json", {"model": {"vocab": ["ab"]}}, "no list of pieces and scores"),
        ("tokenizer.json", {"model": {"vocab": [[3, 0.5]]}}, "no list of pieces and scores"),
        ("tokenizer.json", BPE | {"added_tokens": 3}, "are a list, got a int"),
        ("tokenizer.json", BPE | {"added_tokens": [{"id": 3}]}, "added token 3 has no text"),
        ("tokenizer.json", BPE | {"added_tokens": [{"id": 2**70}]}, "an added token has no id"),
        ("tokenizer.json", {"model": {"vocab": {"a": "b"}}}, "maps every token to the number"),
        ("tokenizer.json", BPE | {"added_tokens": [3]}, "an added token has no id"),
        ("vocab.json", [1], "is a JSON object"),
        ("vocab.json", {"a": 1.5}, "maps every token to the number"),
        ("vocab.json", {"a": 7}, "holds none of the model's 4 tokens"),
        ("vocab.txt", "", "holds none of the model's 4 tokens"),
    ],
)
def test_damaged_vocabularies(tmp_path: Path, name: str, content: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path, name, content)
    assert name in str(caught.value)


def test_a_list_of_words_that_is_no_text(tmp_path: Path) -> None:
    read(tmp_path, "vocab.txt", "a\n")
    (tmp_path / "vocab.txt").write_bytes(b"a\nb\n\xff\xfe\n")
    with pytest.raises(DataError, match=r"vocab\.txt: line 3: not UTF-8 text"):
        read_tables(tmp_path)


def test_oversized_json_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_file, "MAX_BYTES", 20)
    with pytest.raises(DataError, match="the limit of a JSON file is 20"):
        read(tmp_path, "vocab.json", {"a": 0, "b": 1, "c": 2})


COUNTED = "the 1061396\nof 593677\nNew York 593677\nin 12\n"


@pytest.mark.parametrize("separator", [" ", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_counts_beside_words_are_no_labels(tmp_path: Path, separator: str, end: str) -> None:
    pairs = [line.rsplit(" ", 1) for line in COUNTED.splitlines()]
    text = "".join(separator.join(pair) + end for pair in pairs)
    tables = read(tmp_path, "vocab.txt", text)
    assert tables.labels == ("the", "of", "New York", "in")
    assert "Every line of vocab.txt ends in a number" in tables.notes[-1]


def test_scores_and_unsorted_counts_are_no_labels(tmp_path: Path) -> None:
    scores = "<s>\t0\n\u2581the\t-3.25\n\u2581of\t-3.5\nx\t-9\n"
    assert read(tmp_path, "vocab.txt", scores).labels == ("<s>", "\u2581the", "\u2581of", "x")
    unsorted = "a 7\nb 900\nc 3\nd 4\n"
    assert read(tmp_path, "vocab.txt", unsorted).labels == ("a", "b", "c", "d")


@pytest.mark.parametrize(
    "labels",
    [
        ["class 1", "class 2", "class 3", "class 4"],
        ["route 66", "route 66 west", "of 3", "x 1"],
        ["page 4", "page 3", "page 2", "page 1"],
        ["Jan 1", "Feb 2", "Mar 3", "Apr 4"],
        ["1", "2", "3", "4"],
    ],
)
def test_labels_that_end_in_numbers_are_kept(tmp_path: Path, labels: list[str]) -> None:
    tables = read(tmp_path, "vocab.txt", "\n".join(labels) + "\n")
    assert tables.labels == tuple(labels)
    assert not any("number" in note for note in tables.notes)


def test_equal_labels_and_control_characters_are_said(tmp_path: Path) -> None:
    tables = read(tmp_path, "vocab.txt", "a\nb\x1b[2J\na\nb\x1b[2J\n")
    assert tables.labels == ("a", "b\x1b[2J", "a", "b\x1b[2J")
    assert tables.notes[-2:] == (
        "2 labels stand for several rows, the first 'a' for rows 0 and 2.",
        r"2 labels hold control characters, the first 'b\x1b[2J' (row 1).",
    )
    one = read(tmp_path, "vocab.txt", "a\n\u0085\nc\nd\n")
    assert one.notes[-1] == r"1 label holds control characters, the first '\x85' (row 1)."


@pytest.mark.parametrize("value", [[], {}, ["bert"], 3, True, float("nan"), 10**40, None])
@pytest.mark.parametrize(
    "key", ["model_type", "num_attention_heads", "pad_token_id", "text_config"]
)
def test_settings_of_another_type_do_not_end_the_reading(
    tmp_path: Path, key: str, value: Any
) -> None:
    settings = {"model_type": "roberta"} | {key: value}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    assert len(read(tmp_path, "vocab.txt", "a\nb\nc\nd\n").tokens) == 4


@pytest.mark.parametrize("name", ["tokenizer.json", "vocab.json", "config.json"])
@pytest.mark.parametrize(
    "content",
    ["[" * 200_000, '{"a": ' * 200_000, '{"a": 1, "a": 2}', '{"\\ud800": 1}', "[1]", "", "\ufeff"],
    ids=["brackets", "braces", "twice", "half", "list", "empty", "mark"],
)
def test_foreign_json_is_one_sentence(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(DataError, match=name) as caught:
        read(tmp_path, name, content)
    assert "\n" not in str(caught.value)
