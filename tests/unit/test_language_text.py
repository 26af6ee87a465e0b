"""Texts, what is held out of them, scores, and how text goes on."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from orthogan import rng
from orthogan.errors import ConfigError, DataError
from orthogan.language import corpus as module
from orthogan.language import scoring
from orthogan.language.config import TextConfig
from orthogan.language.corpus import Corpus, read_corpus, resolved_source
from orthogan.language.generation import choose, continue_tokens
from orthogan.language.scoring import bits_of_pieces, frequency_bits, pieces_of, score_text
from orthogan.language.split import split_of, split_text
from orthogan.language.tokenizer import Tokenizer
from orthogan.language.transformer import LanguageNetworkConfig, LanguageTransformer

LETTERS = Tokenizer("characters", ("a", "b", "c", "d", "e"))

pytestmark = pytest.mark.usefixtures("one_thread")


def network(**settings: Any) -> LanguageTransformer:
    tiny = {"vocabulary": 5, "context": 4, "width": 8, "heads": 2, "blocks": 1}
    with rng.initialization(0, "language test"):
        return LanguageNetworkConfig(**(tiny | settings)).build().eval().requires_grad_(False)


def tokens(count: int, vocabulary: int = 5) -> Tensor:
    return torch.from_numpy(rng.stream(0, "text").integers(0, vocabulary, count))


# ---- sources


def test_a_file_and_a_folder(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes(b"\xef\xbb\xbfsecond\r\nline")
    (tmp_path / "a.txt").write_text("first")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "c.txt").write_text("third")
    (tmp_path / "notes.md").write_text("left out")
    file = read_corpus(tmp_path / "b.txt")
    assert (file.name, file.text, file.notes) == ("b", "second\nline", ())
    folder = read_corpus(tmp_path)
    assert folder.text == "first\nsecond\nline\nthird"
    assert "3 .txt files" in folder.notes[0]
    assert (
        folder.fingerprint() != file.fingerprint() == read_corpus(tmp_path / "b.txt").fingerprint()
    )


def test_a_folder_holds_more_than_texts(tmp_path: Path) -> None:
    (tmp_path / "A.TXT").write_text("one two")
    (tmp_path / "b.txt").write_text("three")
    (tmp_path / "._b.txt").write_bytes(b"\x00\x05\x16\x07\x00\xff")
    (tmp_path / "sub.txt").mkdir()
    (tmp_path / "sub.txt" / "c.Txt").write_text("four")
    corpus = read_corpus(tmp_path)
    assert corpus.text == "one two\nthree\nfour"
    assert corpus.notes == (
        f"3 .txt files of {tmp_path}.",
        "Left out: ._b.txt (metadata of macOS), sub.txt (a folder).",
    )


def test_a_folder_without_texts_says_what_it_left_out(tmp_path: Path) -> None:
    for n in range(7):
        (tmp_path / f"._{n}.txt").write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"no \.txt files\. Left out: \._0\.txt .* and 2 more\."):
        read_corpus(tmp_path)


def test_a_damaged_file_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("fine")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.txt").write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=r"deep/b\.txt: is not a text in UTF-8 \(byte 3\)"):
        read_corpus(tmp_path)


def test_a_folder_that_cannot_be_listed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shut").mkdir()
    (tmp_path / "a.txt").write_text("fine")
    listed = os.scandir

    def scandir(path: Any) -> Any:
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DataError, match="shut: cannot be read: Permission denied"):
        read_corpus(tmp_path)


def test_a_named_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.CORPORA, "_parts", {"demo": lambda: "to be"})
    assert read_corpus("demo") == Corpus(name="demo", text="to be")
    assert resolved_source("demo") == "demo"
    assert Path(resolved_source("demo.txt")).is_absolute()
    with pytest.raises(DataError, match="Did you mean 'demo'"):
        read_corpus("demos")


def test_unusable_texts_are_refused(tmp_path: Path) -> None:
    (tmp_path / "blank.txt").write_text(" \n")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "empty").mkdir()
    for name, words in {
        "nowhere.txt": "neither an existing text file or folder",
        "blank.txt": "holds no text",
        "latin.txt": r"is not a text in UTF-8 \(byte 3\)",
        "empty": r"holds no \.txt files",
    }.items():
        with pytest.raises(DataError, match=words):
            read_corpus(tmp_path / name)


# ---- what is held out


@settings(max_examples=30)
@given(text=st.text("ab \n", min_size=2, max_size=60), share=st.floats(0.05, 0.95))
def test_the_end_is_held_out(text: str, share: float) -> None:
    first, last = split_text(text, share)
    assert first + last == text
    assert last == "" or last[0].isspace() or len(last) <= math.ceil(share * len(text)) + 1


def test_the_vocabulary_knows_nothing_of_the_held_out_text() -> None:
    config = TextConfig(held_out=0.5)
    split = split_of(Corpus(name="x", text="aa bb aa zz yy zz"), config, context=4)
    assert "z" not in split.tokenizer.entries
    assert split.tokenizer.decode(split.train.tolist()) == "aa bb aa"
    assert split.test.tolist().count(0) == 6  # z and y are unknown
    assert "8 tokens to learn from" in split.notes[-1]


def test_a_run_of_another_rule_of_words_has_another_fingerprint() -> None:
    def mark(text: str, kind: str = "words") -> str:
        config = TextConfig(tokenizer=kind, min_count=1, held_out=0.5)
        corpus = Corpus(name="x", text=text * 4)
        return split_of(corpus, config, 2).fingerprint.removeprefix(corpus.fingerprint())

    assert mark("the caf\u00e9 \u20ac, ") == ""
    assert mark("the cafe\u0301, ") == "-rule-2"
    assert mark("the cafe\u0301, ", "characters") == ""


def test_rare_words_are_unknown_and_said() -> None:
    text = "the cat and the dog and the cat and a bird. " * 3 + "the end of it"
    split = split_of(Corpus(name="x", text=text), TextConfig(tokenizer="words"), context=4)
    assert "bird" in split.tokenizer.entries
    assert "3 times" in split.notes[-1]
    few = TextConfig(tokenizer="words", min_count=9)
    assert split_of(Corpus(name="x", text=text), few, 4).tokenizer.entries == (
        "<unk>", "and", "the",
    )  # fmt: skip


@pytest.mark.parametrize(("text", "context"), [("abcdefghij", 9), ("abcdefghi ", 3)])
def test_short_texts_are_refused(text: str, context: int) -> None:
    with pytest.raises(DataError, match=r"are too few for network\.context="):
        split_of(Corpus(name="short", text=text), TextConfig(), context)


# ---- scores


@settings(max_examples=30)
@given(count=st.integers(2, 60), context=st.integers(2, 12))
def test_every_token_but_the_first_is_predicted_once(count: int, context: int) -> None:
    pieces = pieces_of(count, context)
    predicted = [place for _, first, end in pieces for place in range(first, end)]
    assert predicted == list(range(1, count))
    assert all(end - start <= context + 1 for start, _, end in pieces)
    assert all(first - start >= context // 2 for start, first, _ in pieces[1:])


def test_the_score_of_a_text_token_by_token() -> None:
    net, text = network(), tokens(12)
    sums, counts = bits_of_pieces(net, text, pieces_of(12, 4))
    expected = []
    for start, first, end in pieces_of(12, 4):
        bits = 0.0
        for place in range(first, end):
            logits = net(text[None, start:place])[0, -1].double()
            bits -= float(logits.log_softmax(0)[text[place]]) / math.log(2)
        expected.append(bits)
    torch.testing.assert_close(sums, torch.tensor(expected, dtype=torch.float64), rtol=1e-6, atol=0)
    assert counts.sum() == 11
    score = score_text(net, text, text, LETTERS)
    assert score.bits == pytest.approx(sum(expected) / 11)
    assert score.low < score.bits < score.high
    assert (score.name, score.num_tokens, score.value) == ("bits_per_character", 11, score.bits)
    words = score_text(net, text, text, Tokenizer("words", LETTERS.entries))
    assert words.to_dict()["scores"]["perplexity"]["value"] == pytest.approx(2**score.bits)
    assert net.training is False


def test_a_score_on_some_pieces_and_on_one() -> None:
    net, text = network(), tokens(200)
    some = score_text(net, text, text, LETTERS, most_pieces=5)
    assert some.num_tokens == 4 + 4 * 3  # later pieces reread two tokens
    single = score_text(net, tokens(3), text, LETTERS)
    assert single.low == single.bits == single.high
    with pytest.raises(ConfigError, match="at least 2 tokens, got 1"):
        score_text(net, tokens(1), text, LETTERS)


def test_intervals_of_few_pieces_are_wide_and_stay_possible(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Student's t with one degree of freedom; no bits below 0, no perplexity below 1."""
    bits = torch.tensor([0.1, 1.0], dtype=torch.float64)
    monkeypatch.setattr(scoring, "bits_of_pieces", lambda *_: (bits * 4, torch.tensor([4.0, 4.0])))
    net, text = network(), tokens(9)
    score = score_text(net, text, text, Tokenizer("words", LETTERS.entries))
    assert (score.low, score.high) == (0.0, pytest.approx(0.55 + 12.7062047 * 0.45))
    assert score.to_dict()["scores"]["perplexity"]["low"] == 1.0


def test_a_uniform_model_needs_the_logarithm_and_frequencies_need_the_entropy() -> None:
    net, text = network(), tokens(50)
    for parameter in net.parameters():
        nn.init.zeros_(parameter)
    score = score_text(net, text, text, LETTERS)
    assert score.bits == pytest.approx(math.log2(5))
    counts = torch.bincount(text, minlength=5).double() + 1
    shares = counts / counts.sum()
    expected = -float(sum(shares[t].log2() for t in text.tolist())) / 50
    assert frequency_bits(text, text, 5) == pytest.approx(expected, abs=1e-12)


# ---- going on


def test_a_seed_decides_the_text() -> None:
    net, start = network(), tokens(6)

    def follows(**options: Any) -> list[int]:
        found: list[int] = continue_tokens(net, start, 12, **options).tolist()
        return found

    assert follows() == follows(seed=0)
    assert follows(seed=1) != follows()
    assert continue_tokens(net, start, 5).tolist() == follows()[:5]
    assert follows(temperature=0.0) == follows(temperature=0.0, seed=5)
    assert follows(temperature=0.0) == follows(top=1, seed=3)
    assert follows(temperature=0.0) == follows(temperature=1e-300)
    assert follows(temperature=0.05) != follows(temperature=20.0)
    assert 2 not in follows(never=2, temperature=5.0)
    assert 2 in follows(temperature=5.0)
    assert follows(temperature=20.0, top=2) != follows(temperature=20.0)


def test_the_last_tokens_of_the_context_are_read() -> None:
    net, start = network(), tokens(9)
    short = continue_tokens(net, start[-4:], 1, temperature=0.0)
    assert torch.equal(continue_tokens(net, start, 1, temperature=0.0), short)
    logits = net(start[None, -4:])[0, -1]
    assert int(short) == int(logits.argmax())


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    logits = torch.tensor([0.1, 0.6, 0.3]).log().double()
    draws = torch.linspace(0, 1, 201)[:-1].tolist()
    chosen = torch.bincount(torch.tensor([choose(logits, draw) for draw in draws]), minlength=3)
    assert (chosen - torch.tensor([20, 120, 60])).abs().max() <= 1
    sharp = [choose(logits, draw, temperature=0.5) for draw in draws]
    assert sharp.count(1) == pytest.approx(200 * 0.36 / 0.46, abs=1)
    assert {choose(logits, draw, top=2) for draw in draws} == {1, 2}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"length": 0}, "At least 1 token"),
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top": 0}, "at least 1 token, got 0"),
    ],
)
def test_impossible_wishes_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        continue_tokens(network(), tokens(3), **({"length": 3} | options))
    with pytest.raises(ConfigError, match="at least 1 token; give a longer beginning"):
        continue_tokens(network(), tokens(0), 3)
