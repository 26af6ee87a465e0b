"""The token of every row, from the vocabulary files beside a model, read as text and JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from orthogan.embeddings.json_file import MAX_BYTES, read_object
from orthogan.embeddings.result import Tables
from orthogan.errors import DataError

FILES = ("tokenizer.json", "vocab.txt", "vocab.json")
COUNTED = re.compile(r"(\S.*?)[ \t](-?\d{1,15}(?:\.\d{1,15})?)")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
NOT_READ = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "tiktoken.model")


def read_labels(
    folder: Path, num_rows: int, exactly: int | None, notes: list[str]
) -> tuple[str, ...] | None:
    """The labels of the first `num_rows` tokens of the model in a folder, or None with a note.

    Rows that no token has (tables are often padded) are labelled `[row i]`.

    Args:
        folder: Where vocabulary files are looked for.
        num_rows: How many labels to give.
        exactly: The number of tokens a vocabulary must have to belong to the table; None if the
            table is known to be the vocabulary's.
        notes: Gets a sentence on what is missing.
    """
    path = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if path is None:
        closed = next((name for name in NOT_READ if (folder / name).is_file()), None)
        why = f"{closed} is not read" if closed else f"none of {', '.join(FILES)} lies beside it"
        notes.append(f"Tokens have no labels: {why}.")
        return None
    if path.suffix == ".txt":
        ids = dict(enumerate(without_counts(read_words(path), path, notes)))
    else:
        ids = _ids(read_object(path), path)
    if exactly is not None and max(ids, default=-1) + 1 != exactly:
        notes.append(
            f"Tokens have no labels: {path.name} has {max(ids, default=-1) + 1:,} tokens, the "
            f"named table {exactly:,} rows."
        )
        return None
    labels = [ids.get(row) for row in range(num_rows)]
    missing = sum(label is None for label in labels)
    if missing == num_rows:
        raise DataError(f"{path}: holds none of the model's {num_rows:,} tokens.")
    if missing:
        notes.append(f"{missing:,} rows have no token in {path.name}; they are named [row i].")
    return tuple(f"[row {row}]" if label is None else label for row, label in enumerate(labels))


def read_words(path: Path) -> list[str]:
    """The lines of a text file: the word of every row, split at line feeds only."""
    if path.stat().st_size > MAX_BYTES:
        raise DataError(f"{path}: larger than {MAX_BYTES >> 20} MiB, so no list of words.")
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}: line {line}: not UTF-8 text.") from None
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return lines[:-1] if lines[-1] == "" else lines


def without_counts(words: list[str], path: Path, notes: list[str]) -> list[str]:
    """The words alone, where every line of a list is a word and a number.

    So the vocabularies of GloVe, of word2vec and of SentencePiece are written: counts or scores
    beside different words. Numbers that rise from line to line may as well belong to the labels.

    Args:
        words: The lines.
        path: Where they come from, for the note.
        notes: Gets a sentence if there were numbers.
    """
    split = [COUNTED.fullmatch(word) for word in words]
    found = [match for match in split if match is not None]
    if len(words) < 2 or len(found) < len(words):
        return words
    alone, numbers = [match[1] for match in found], [float(match[2]) for match in found]
    if len(set(alone)) < len(alone) or all(a < b for a, b in pairwise(numbers)):
        return words
    notes.append(
        f"Every line of {path.name} ends in a number, as in '{words[0][:60]}'; these are taken for "
        "counts and are no part of the words."
    )
    return alone


def _ids(content: Mapping[str, Any], path: Path) -> dict[int, str]:
    model = content.get("model")
    if path.name == "vocab.json":
        return _inverted(content, path)
    if not isinstance(model, dict) or not isinstance(model.get("vocab"), (dict, list)):
        raise DataError(f"{path}: has no vocabulary under model.vocab.")
    ids = _listed(model["vocab"], path)
    extra = content.get("added_tokens") or []
    if not isinstance(extra, list):
        raise DataError(f"{path}: its added tokens are a list, got a {type(extra).__name__}.")
    for added in extra:
        if not isinstance(added, dict) or type(added.get("id")) is not int:
            raise DataError(f"{path}: an added token has no id.")
        if not isinstance(added.get("content"), str):
            raise DataError(f"{path}: the added token {added['id']} has no text.")
        ids[added["id"]] = added["content"]
    return ids


def _listed(vocabulary: dict[str, Any] | list[Any], path: Path) -> dict[int, str]:
    if isinstance(vocabulary, dict):
        return _inverted(vocabulary, path)
    pieces = [entry for entry in vocabulary if isinstance(entry, list) and len(entry) == 2]
    if len(pieces) < len(vocabulary) or not all(isinstance(piece, str) for piece, _ in pieces):
        raise DataError(f"{path}: its vocabulary is no list of pieces and scores.")
    return {row: piece for row, (piece, _) in enumerate(pieces)}


def _inverted(vocabulary: Mapping[str, Any], path: Path) -> dict[int, str]:
    if any(type(row) is not int for row in vocabulary.values()):
        raise DataError(f"{path}: a vocabulary maps every token to the number of its row.")
    return {row: token for token, row in vocabulary.items()}


def noted(tables: Tables) -> Tables:
    """The tables with a note on labels that stand twice or hold control characters."""
    found = odd_labels(tables.labels or ())
    return replace(tables, notes=(*tables.notes, *found)) if found else tables


def odd_labels(labels: Sequence[str]) -> tuple[str, ...]:
    r"""A sentence on labels that stand for several rows, and one on control characters.

    >>> odd_labels(["a", "b", "a"])
    ("1 label stands for several rows, the first 'a' for rows 0 and 2.",)
    """
    return (*_repeated(labels), *_with_controls(labels))


def _repeated(labels: Sequence[str]) -> list[str]:
    if len(set(labels)) == len(labels):
        return []
    repeated = [label for label, count in Counter(labels).items() if count > 1]
    first = labels.index(repeated[0])
    second = labels.index(repeated[0], first + 1)
    verb = "label stands" if len(repeated) == 1 else "labels stand"
    where = f"rows {first:,} and {second:,}"
    return [f"{len(repeated):,} {verb} for several rows, the first {repeated[0]!a} for {where}."]


def _with_controls(labels: Sequence[str]) -> list[str]:
    if CONTROL.search("".join(labels)) is None:
        return []
    rows = [row for row, label in enumerate(labels) if CONTROL.search(label)]
    verb = "label holds" if len(rows) == 1 else "labels hold"
    first = f"{labels[rows[0]]!a} (row {rows[0]:,})"
    return [f"{len(rows):,} {verb} control characters, the first {first}."]
