"""Word and position: planted dependence is found, chance is not, and bad input is one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from orthogan.cli.entry import run as command
from orthogan.errors import ConfigError, DataError, ShapeError
from orthogan.geometry.spectra import mutual_information
from orthogan.language.corpus import Corpus
from orthogan.language.organizing import is_text, organize_text
from orthogan.rng import stream

WORDS = [f"{a}{b}" for a in "bcdfgklm" for b in "aeiou"]


def sentence(number: int, *, first: str | None = None) -> str:
    drawn = stream(number, "sentence").choice(WORDS, size=8).tolist()
    if first is not None:
        drawn[0] = first
    return " ".join(drawn) + "."


def test_information_of_a_planted_table_is_exact() -> None:
    # p(0,0) = p(1,1) = 3/8, p(0,1) = p(1,0) = 1/8: 1 - H(1/4) bits.
    left = torch.tensor([0] * 4 + [1] * 4).repeat(200)
    right = torch.tensor([0, 0, 0, 1, 1, 1, 1, 0]).repeat(200)
    found = mutual_information(left, right)
    assert found.value == pytest.approx(1 - 0.8112781244591328)
    assert found.is_beyond_null
    assert mutual_information(right, left).value == pytest.approx(found.value)


def test_the_excess_of_chance_is_millers() -> None:
    draws = stream(0, "labels")
    left = torch.from_numpy(draws.integers(0, 20, size=3000))
    right = torch.from_numpy(draws.integers(0, 6, size=3000))
    found = mutual_information(left, right)
    assert found.null == pytest.approx(19 * 5 / (2 * 3000 * 0.6931), rel=0.1)
    assert not found.is_beyond_null
    with pytest.raises(ShapeError, match="number of labels"):
        mutual_information(left, right[1:])
    with pytest.raises(DataError, match="below 0"):
        mutual_information(left - 1, right)


def test_words_without_a_place_are_independent_of_it() -> None:
    text = " ".join(sentence(number) for number in range(300))
    found = organize_text(Corpus(name="drawn", text=text), positions=8)
    assert (found.num_sequences, found.num_words, found.num_pairs) == (300, 2400, 2400)
    assert not found.orders["sentences"].is_beyond_null
    assert "may be independent" in found.sentences()[1]
    assert "lines" not in found.orders  # there is one line only


def test_a_word_that_opens_sentences_is_found_and_cropping_hides_it() -> None:
    text = "\n".join(sentence(number, first="lo") for number in range(300))
    found = organize_text(Corpus(name="planted", text=text), positions=8)
    assert found.orders["sentences"].is_beyond_null
    assert found.orders["lines"].value == found.orders["sentences"].value
    assert not found.orders["windows from anywhere"].is_beyond_null
    assert not found.orders["words of each sentence shuffled"].is_beyond_null
    first = found.bound[0]
    assert (first.word, first.position) == ("lo", 0)
    assert first.ratio > 5
    assert "is not independent" in found.sentences()[1]


def test_the_order_of_sentences_changes_nothing() -> None:
    lines = [sentence(number, first="lo") for number in range(50)]
    one = organize_text(Corpus(name="a", text="\n".join(lines)), positions=4)
    other = organize_text(Corpus(name="a", text="\n".join(lines[::-1])), positions=4)
    assert one.orders["sentences"].value == pytest.approx(other.orders["sentences"].value)


def test_a_corpus_of_one_line_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "one.txt"
    path.write_text("a single line without an end\n")
    assert command(["organize", str(path)]) == 3
    assert "holds 1 sentence of 2 words or more in 1 line" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="at least 2, got 1"):
        organize_text(Corpus(name="a", text="a b. c d. e f."), positions=1)


def test_what_is_a_text(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.TXT").write_text("a")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"")
    (tmp_path / "images" / "labels.txt").write_text("a")
    (tmp_path / "empty").mkdir()
    assert is_text("austen")
    assert is_text(str(tmp_path / "texts"))
    assert is_text(str(tmp_path / "texts" / "a.TXT"))
    for name in ("images", "empty", "missing", "images/a.png"):
        assert not is_text(str(tmp_path / name))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "text.txt", tmp_path / "found.json"
    path.write_text("\n".join(sentence(number, first="lo") for number in range(40)))
    assert command(["organize", str(path), "--out", str(out)]) == 0
    assert "Words that depend on it most: 'lo' at 0" in capsys.readouterr().out
    assert json.loads(out.read_text())["orders"]["sentences"]["is_beyond_null"]
    assert command(["organize", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(out.read_text())
    for words, sentence_said in (
        (["--size", "32"], "--size is of images"),
        (["--batch-size", "8"], "--batch-size is of images"),
        (["--out", str(tmp_path / "a.html")], "written as .json"),
    ):
        assert command(["organize", str(path), *words]) == 2
        assert sentence_said in capsys.readouterr().err
