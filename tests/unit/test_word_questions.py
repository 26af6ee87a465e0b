"""Files of questions about words, and what is asked of which table."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from orthogan.embeddings import ENGLISH, Tables, Tests, find_tests, packages, word_meanings
from orthogan.embeddings.questions import Analogy, Judged, read_analogies, read_similarity
from orthogan.errors import DataError, MissingExtraError
from orthogan.geometry.identity import analogy_hits, similarity_score
from orthogan.rng import normal, stream

FEW = "; fewer than 10 say nothing."
WORDS = (*sorted(ENGLISH), *(f"w{i}" for i in range(15)))
TABLE = Tables(normal((20, 4), stream(0, "words")), labels=WORDS)
TABLE.tokens[9, 0] = 0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands in for the folder that gensim ships."""
    data = tmp_path / "gensim" / "test" / "test_data"
    data.mkdir(parents=True)
    lines = [f"W{i} w{i + 1} w{i + 2} w{i + 3}" for i in range(12)]
    grammar = [f"w{i} w{i + 2} w{i + 1} w{i + 3}" for i in range(11)]
    text = "\n".join([": family", *lines, ": gram1-plural", *grammar, "w0 w1 w2 missing"])
    (data / "questions-words.txt").write_text(text)
    pairs = [f"w{i}\tW{i + 1}\t{i % 5}.5" for i in range(14)]
    (data / "wordsim353.tsv").write_text("\n".join(["# heading", *pairs, "w0\tnone\t1"]))
    (data / "simlex999.txt").write_text("\n".join([*pairs[:9], "x\ty\t2"]))

    class Installed:
        def locate_file(self, name: str) -> Path:
            return tmp_path / name

    monkeypatch.setattr(packages.metadata, "distribution", lambda _: Installed())
    return data


def test_english_words_are_asked_the_questions_that_gensim_ships(folder: Path) -> None:
    tests = find_tests(WORDS)
    assert (len(tests.analogies), set(tests.similarity)) == (24, {"wordsim353", "simlex999"})
    assert tests.analogies[0].section == "family"
    codes = normal((3, 4), stream(0, "codes"))
    found, notes = word_meanings(TABLE, tests, {"plain": None, "coded": codes}, seed=3)
    assert set(found) == {"analogies (meaning)", "analogies (grammar)", "wordsim353"}
    assert [found[f"analogies ({kind})"]["plain"].n for kind in ("meaning", "grammar")] == [12, 11]
    assert notes == (f"simlex999: left out, the vocabulary covers 9 of its 10 questions{FEW}",)
    rows = torch.tensor([[5 + i, 6 + i] for i in range(14)])
    judged = torch.tensor([i % 5 + 0.5 for i in range(14)])
    for name, code in (("plain", None), ("coded", codes)):
        expected = similarity_score(TABLE.tokens, rows, judged, code, seed=3)
        assert found["wordsim353"][name] == expected
    asked = torch.tensor([[5 + i, 6 + i, 7 + i, 8 + i] for i in range(12)])
    assert found["analogies (meaning)"]["plain"].value == pytest.approx(
        analogy_hits(TABLE.tokens, asked).double().mean().item()
    )


def test_other_vocabularies_are_asked_nothing_unless_told(folder: Path) -> None:
    assert find_tests(("a", "b")) == find_tests(None) == Tests()
    assert find_tests(WORDS, "none", "none") == Tests()
    told = find_tests(("a", "b"), "gensim", str(folder / "simlex999.txt"))
    assert (len(told.analogies), list(told.similarity)) == (24, ["simlex999"])
    found, notes = word_meanings(Tables(torch.eye(2), labels=("a", "b")), told, {"plain": None})
    assert found == {}
    assert notes[0] == f"analogies: left out, the vocabulary covers 0 of its 24 questions{FEW}"


def test_without_gensim_a_sentence_says_how_to_get_it(monkeypatch, tmp_path: Path) -> None:
    def missing(_: str) -> None:
        raise packages.metadata.PackageNotFoundError

    monkeypatch.setattr(packages.metadata, "distribution", missing)
    tests = find_tests(WORDS)
    assert not tests.analogies
    assert "pip install 'orthogan[lab]'" in tests.notes[0]
    own = tmp_path / "own.csv"
    own.write_text("Word 1,Word 2,Human\nman,woman,8\n")
    assert list(find_tests(WORDS, similarity=str(own)).similarity) == ["own"]
    with pytest.raises(MissingExtraError):
        find_tests(WORDS, "gensim")


@pytest.mark.parametrize(
    ("read", "text", "sentence"),
    [
        (read_analogies, "a b c", "line 1: four words were expected, got 'a b c'"),
        (read_analogies, ": only a heading", "holds no question"),
        (read_similarity, "a\tb\t1\na\tb", "line 2: two words and a number"),
        (read_similarity, "a\tb\t1\na\tb\tnan", "line 2"),
        (read_similarity, "first,second,human", "holds no pair"),
    ],
)
def test_a_malformed_file_is_one_sentence(read, text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "questions.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=sentence):
        read(path)


def test_a_missing_or_binary_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        find_tests(WORDS, str(tmp_path / "nothing"), "none")
    path = tmp_path / "binary"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read as text"):
        read_analogies(path)


def analogies_of(counts: dict[str, int]) -> Tests:
    """So many questions of each section that can be asked, and one of each that cannot."""
    asked = [
        Analogy(section, (f"w{i}", f"w{i + 1}", f"w{i + 2}", f"w{i + 3}"))
        for section, count in counts.items()
        for i in range(count)
    ]
    known = [Analogy(section, ("w0", "w1", "w2", "none")) for section in counts]
    return Tests([*asked, *known])


@pytest.mark.parametrize(
    ("counts", "kept", "notes"),
    [
        ({"family": 4, "gram1": 4}, [], ["meaning 4 of its 5", "grammar 4 of its 5"]),
        ({"family": 9}, [], ["meaning 9 of its 10"]),
        ({"family": 10, "gram1": 3}, ["meaning"], ["grammar 3 of its 4"]),
        ({"family": 3, "capital": 8}, ["meaning"], []),
        ({"family": 10, "gram1": 0}, ["meaning"], ["grammar 0 of its 1"]),
    ],
)
def test_the_covered_questions_are_counted_by_kind(
    counts: dict[str, int], kept: list[str], notes: list[str]
) -> None:
    found, said = word_meanings(TABLE, analogies_of(counts), {"plain": None})
    assert list(found) == [f"analogies ({kind})" for kind in kept]
    told = [note.split(" ", 1) for note in notes]
    assert said == tuple(
        f"analogies ({kind}): left out, the vocabulary covers {count} questions{FEW}"
        for kind, count in told
    )


@pytest.mark.parametrize("row", [0, 7, 20])
def test_a_zero_vector_is_left_out_and_named(row: int) -> None:
    parts = (TABLE.tokens[:row], torch.zeros(1, 4), TABLE.tokens[row:])
    labels = (*WORDS[:row], "void\x1b", *WORDS[row:])
    with_zero = Tables(torch.cat(parts), labels=labels)
    assert (with_zero.tokens == 0).any(1).sum() == 2  # one row only begins with a zero
    judged = [Judged((f"w{i}", f"w{i + 1}"), float(i % 5)) for i in range(12)]
    asked = Tests(analogies_of({"family": 12}).analogies, {"judged": judged})
    codes = {"plain": None, "coded": normal((3, 4), stream(0, "codes"))}
    expected, _ = word_meanings(TABLE, asked, codes, seed=1)
    found, notes = word_meanings(with_zero, asked, codes, seed=1)
    assert found == expected
    assert len(found) == 2
    rule = "Zero vectors have no direction, so questions about words leave them out: "
    assert notes == (rule + f"'void\\x1b' (row {row}).",)


def test_a_question_about_a_zero_vector_is_not_asked() -> None:
    tokens = TABLE.tokens.clone()
    tokens[WORDS.index("w3")] = 0
    judged = [Judged((f"w{i}", f"w{i + 1}"), float(i % 5)) for i in range(14)]
    found, _ = word_meanings(
        Tables(tokens, labels=WORDS), Tests(similarity={"judged": judged}), {"plain": None}
    )
    assert found["judged"]["plain"].n == 12
