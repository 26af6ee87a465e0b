"""The analysis of words: amplitudes, examples, the recommendation, meanings; and its command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from orthogan.analysis.api import NUM_POSITIONS, WORD_AMPLITUDES, analyze
from orthogan.cli.entry import run as command
from orthogan.embeddings import Tables, read_tables
from orthogan.errors import ConfigError
from orthogan.geometry.identity import linear_r2
from orthogan.report import geometry_report
from orthogan.rng import normal, stream

LABELS = tuple(f"w{i}" for i in range(40))
WORDS = Tables(normal((40, 6), stream(0, "words")), labels=LABELS)


@pytest.fixture
def similarity(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.tsv"
    unit = torch.nn.functional.normalize(WORDS.tokens)
    judged = (unit[:-1] * unit[1:]).sum(1).tolist()  # people who see what the vectors say
    path.write_text("\n".join(f"w{i}\tw{i + 1}\t{judged[i]}" for i in range(30)))
    return path


@pytest.fixture
def analogies(tmp_path: Path) -> Path:
    path = tmp_path / "analogies.txt"
    path.write_text("\n".join(f"w{i} w{i + 1} w{i + 2} w{i + 3}" for i in range(30)))
    return path


def test_words_are_shortened_and_counted_at_several_amplitudes() -> None:
    found = analyze(WORDS, num_positions=16)
    assert tuple(found.counts) == tuple(found.amplitudes) == WORD_AMPLITUDES
    assert found.amplitudes[0.5] == found.counts[0.5].kept < found.amplitudes[0.1]
    names = [one.name for one in found.scale_limits]
    assert names == ["rotate", "scale", "remove-mean", "remove-mean, rotate"]
    assert all(one.flip_count.kept >= 0.99 for one in found.scale_limits)
    best = max(found.scale_limits, key=lambda one: one.position_r2)
    assert found.recommendation is best
    assert found.readable == linear_r2(WORDS.tokens, found.codes)
    token, position, becomes, flip = found.examples(0.5)[0]
    moved = WORDS.tokens[flip.token] + 0.5 * found.codes[position]
    nearest = (WORDS.tokens - moved).norm(dim=1).argmin()
    assert (token, becomes) == (f"w{flip.token}", f"w{nearest}")
    assert len({one[0] for one in found.examples(0.5)}) == 3


def test_tables_with_codes_of_their_own_are_asked_only_when_told() -> None:
    own = Tables(WORDS.tokens, normal((5, 6), stream(0, "codes")), LABELS)
    plain = analyze(own)
    assert (plain.amplitudes, plain.scale_limits, plain.recommendation) == ({}, (), None)
    told = analyze(own, amplitudes=(0.3,), within=0.05)
    assert list(told.amplitudes) == [0.3]
    assert {one.share for one in told.scale_limits} == {0.05}
    assert analyze(WORDS, num_positions=16, amplitudes=(), within=1.0).scale_limits == ()


def test_meanings_are_asked_before_with_codes_and_after(similarity, analogies) -> None:
    found = analyze(WORDS, num_positions=16, similarity=str(similarity), analogies=str(analogies))
    assert set(found.meanings) == {"pairs", "analogies (meaning)"}
    names = list(found.meanings["pairs"])
    best = found.recommendation
    assert names == ["as they are", "with the codes", f"{best.name}, x {best.factor:.3g}"]
    values = [one.value for one in found.meanings["pairs"].values()]
    assert values[0] == pytest.approx(1)
    assert values[0] > values[2] > values[1]
    unshortened = analyze(WORDS, num_positions=16, similarity=str(similarity), within=1.0, seed=1)
    assert list(unshortened.meanings["pairs"])[2] == "repair: rotate"
    assert unshortened.meanings["pairs"]["with the codes"].value != values[1]
    tree = json.loads(json.dumps(found.to_dict()))
    assert tree["meanings"]["pairs"]["as they are"]["n"] == 30
    assert tree["prescription"] in tree["allowances"]
    assert len(tree["counts"]["0.5"]["examples"]) == 3


@pytest.mark.parametrize("share", [0.0, 1.5])
def test_an_impossible_share_is_refused(share: float) -> None:
    with pytest.raises(ConfigError, match="'within' must be above 0"):
        analyze(WORDS, num_positions=16, within=share)


def test_a_share_needs_the_euclidean_reader() -> None:
    with pytest.raises(ConfigError, match="euclidean reader"):
        analyze(WORDS, num_positions=16, within=0.1, reader="cosine", corrections=())
    assert analyze(WORDS, num_positions=16, reader="cosine", corrections=()).scale_limits == ()


def test_the_command_answers_for_words(tmp_path, similarity, analogies, capsys) -> None:
    path = tmp_path / "vectors.txt"
    rows = zip(LABELS, WORDS.tokens.tolist(), strict=True)
    path.write_text("\n".join(f"{label} {' '.join(map(str, row))}" for label, row in rows))
    options = ["--similarity", str(similarity), "--analogies", str(analogies), "--within", "0.02"]
    assert (
        command(["geometry", str(path), "--num-positions", "16", "--amplitudes", "0.5", *options])
        == 0
    )
    out = capsys.readouterr().out
    assert "the codes x 0.5" in out
    assert "Prescription: " in out
    assert "aim: at most 0.02" in out
    assert "analogies (meaning)" in out
    assert out.count("x 0.5 ") >= 4  # its count and three words that turn into others


def test_the_shipped_words_are_read_and_mean_something() -> None:
    tables = read_tables("words", limit=1000)
    assert tables.tokens.shape == (1000, 50)
    rows = [tables.labels.index(word) for word in ("brother", "sister", "evening", "morning")]
    unit = torch.nn.functional.normalize(tables.tokens[rows])
    cosines = unit @ unit.T
    assert min(cosines[0, 1], cosines[2, 3]) > cosines[:2, 2:].max()
    assert analyze(tables, num_positions=2, within=1.0, amplitudes=()).codes.shape == (2, 50)
    assert NUM_POSITIONS == 512
    with pytest.raises(ConfigError, match="leave out embedding"):
        read_tables("words", embedding="x")


def test_the_report_answers_what_words_become_and_still_mean(
    analogies: Path, similarity: Path
) -> None:
    found = analyze(WORDS, num_positions=16, analogies=str(analogies), similarity=str(similarity))
    text = geometry_report(found)
    for question in ("examples", "allowances", "meanings"):
        assert f'id="{question}"' in text
    assert f"{found.recommendation.factor:.3g}"[:4] in text
    assert found.examples(0.5)[0][0] in text
    for test, answers in found.meanings.items():
        assert test in text
        assert all(words in text for words in answers)
    plain = geometry_report(analyze(WORDS, num_positions=3, amplitudes=(), within=1.0))
    for question in ("examples", "allowances", "meanings"):
        assert f'id="{question}"' not in plain
