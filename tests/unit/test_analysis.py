"""The analysis: own codes, stand-ins, controls, amplitudes, corrections, heads; and its command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from orthogan.analysis.api import NUM_POSITIONS, analyze
from orthogan.cli.entry import run as command
from orthogan.embeddings import Tables
from orthogan.errors import ConfigError, DataError, UnknownNameError
from orthogan.rng import normal, stream

AXIS = torch.eye(8)
# Two tokens two apart along the first axis, others far away; the second code reaches past half.
TOKENS = torch.cat([0 * AXIS[:1], 2 * AXIS[:1], 50 * AXIS[1:5]])
CODES = torch.stack([0.9 * AXIS[0], 1.2 * AXIS[0], 0.5 * AXIS[7]])
NAMES = ("river", "bank", "a", "b", "c", "d")


@pytest.fixture
def tables() -> Tables:
    return Tables(TOKENS, CODES, NAMES, source="planted")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_file({"wte.weight": TOKENS.clone(), "wpe.weight": CODES.clone()}, path)
    return path


def test_planted_flips_are_named(tables: Tables) -> None:
    found = analyze(tables, corrections=())
    assert (found.flip_count.flips, found.own) == (1, True)
    (token, position, becomes, flip) = found.worst()[0]
    assert (token, position, becomes) == ("river", 1, "bank")
    assert flip.margin == pytest.approx(-0.2)
    tree = json.loads(json.dumps(found.to_dict()))
    assert (tree["tokens"], tree["positions"], tree["flips"]) == (6, 3, 1)
    assert tree["kept"] == pytest.approx(1 - 1 / 18)
    assert tree["worst"][0]["becomes"] == "bank"
    assert set(tree["controls"]) == {"rotated", "isotropic", "sinusoidal"}


def test_every_count_reports_its_progress(tables: Tables) -> None:
    heard: list[tuple[int, int]] = []
    found = analyze(
        tables,
        amplitudes=(2.0,),
        corrections=("scale",),
        progress=lambda done, total: heard.append((done, total)),
    )
    # Before and after the repair, the controls, the amplitude: six tokens are one tile each.
    draws = sum(len(control.counts) for control in found.control_draws.values())
    assert draws == 20 + 20 + 1
    assert heard == [(6, 6)] * (2 + draws + 1)
    heard.clear()
    analyze(tables, corrections=(), progress=lambda done, total: heard.append((done, total)))
    assert heard == [(6, 6)] * (1 + draws)


def test_a_repair_removes_them(tables: Tables) -> None:
    found = analyze(tables, corrections=("rotate", "scale"))
    assert [repair.after.flips for repair in found.corrections] == [0, 0]
    assert found.flip_count.flips == 1


def test_larger_codes_keep_less(tables: Tables) -> None:
    found = analyze(tables, amplitudes=(0.5, 1.0, 2.0), corrections=())
    assert found.amplitudes[0.5] == 1.0
    assert found.amplitudes[1.0] == found.flip_count.kept > found.amplitudes[2.0]


def test_the_reader_decides() -> None:
    tokens = normal((40, 6), stream(0, "tokens"))
    codes = normal((5, 6), stream(0, "codes"))
    tables = Tables(tokens, codes)
    flips = {
        reader: analyze(tables, reader=reader, corrections=()).flip_count.flips
        for reader in ("euclidean", "cosine", "logits")
    }
    assert len(set(flips.values())) > 1


def test_the_seed_decides_the_random_controls() -> None:
    tables = Tables(normal((60, 6), stream(0, "tokens")), normal((9, 6), stream(0, "codes")))
    counts = [
        [control.flips for control in analyze(tables, corrections=(), seed=seed).controls.values()]
        for seed in (0, 0, 1)
    ]
    assert counts[0] == counts[1] != counts[2]


@pytest.mark.parametrize("width", [5, 6])
def test_word_vectors_meet_sinusoids(width: int) -> None:
    found = analyze(Tables(normal((30, width), stream(0, "words"))), corrections=())
    assert (found.own, found.flip_count.positions) == (False, NUM_POSITIONS)
    assert found.codes[0, :4].tolist() == [0, 1, 0, 1]
    assert "sinusoidal" not in found.controls
    assert "sinusoids" in found.notes[-1]


def test_sinusoids_can_replace_the_own_codes(tables: Tables) -> None:
    found = analyze(tables, num_positions=7, corrections=())
    assert (found.own, found.flip_count.positions) == (False, 7)


def test_where_no_code_is_added_nothing_moves() -> None:
    linear = torch.nn.MultiheadAttention(8, 2)
    network = torch.nn.ModuleDict({"tokens": torch.nn.Embedding(5, 8), "attention": linear})
    found = analyze(network, corrections=())
    assert found.flip_count is None
    assert found.to_dict()["kept"] == 1.0
    assert "none moves" in found.notes[-1]
    (table,) = found.heads.values()
    assert len(table.heads) == 2


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"corrections": ("rotat",)}, UnknownNameError, "rotate"),
        ({"reader": "cosine"}, ConfigError, "euclidean reader"),
        ({"reader": "cosin", "corrections": ()}, UnknownNameError, "cosine"),
        ({"amplitudes": (0.0,)}, ConfigError, "positive"),
        ({"num_positions": 0}, ConfigError, "at least 1"),
    ],
)
def test_wrong_options_are_refused(
    tables: Tables, options: dict, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        analyze(tables, **options)


def test_a_missing_source_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.safetensors"):
        analyze(tmp_path / "nothing.safetensors")


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def invoke(*words: str) -> tuple[int, str, str]:
        code = command(["geometry", *words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return invoke


def test_the_command_shows_what_becomes_what(shown, model: Path) -> None:
    code, out, _ = shown(str(model), "--amplitudes", "2")
    assert code == 0
    assert "1 of 18 (token, position) pairs change identity" in out
    assert "repair: rotate" in out
    assert "the codes x 2.0" in out


def test_the_command_answers_in_json(shown, model: Path) -> None:
    code, out, _ = shown(str(model), "--json", "--limit", "2", "--repair", "none")
    tree = json.loads(out)
    assert (code, tree["tokens"], tree["flips"], tree["repairs"]) == (0, 2, 1, [])
    assert {"tokens", "positions", "kept", "flips", "certified", "controls"} <= set(tree)


@pytest.mark.parametrize(
    ("rule", "expected"), [("kept>=0.9", 0), ("kept > 0.99", 7), ("flips<1", 7)]
)
def test_a_requirement_is_a_gate(shown, model: Path, rule: str, expected: int) -> None:
    code, _, err = shown(str(model), "--require", rule)
    assert code == expected
    assert ("Required" in err) == (expected == 7)


def test_an_infinite_tolerance_meets_any_bound(shown, tmp_path: Path) -> None:
    path = tmp_path / "safe.safetensors"
    save_file({"wte.weight": TOKENS.clone(), "wpe.weight": CODES[2:].clone()}, path)
    assert shown(str(path), "--require", "tolerance>=5")[0] == 0


def test_the_repaired_model_is_written_and_clean(shown, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "repaired.safetensors"
    code, _, err = shown(str(model), "--save", str(out))
    assert code == 0
    assert "Wrote" in err
    assert torch.equal(load_file(out)["wte.weight"], TOKENS)
    assert shown(str(out), "--require", "flips<=0")[0] == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--require", "kept=1"], "--require takes"),
        (["--require", "kept>=x"], "--require takes"),
        (["--amplitudes", "1,two"], "--amplitudes takes"),
        (["--save", "x", "--repair", "none"], "--save writes repaired codes"),
        (["--embedding", "wte.wait"], "wte.weight"),
        (["--save", "x", "--num-positions", "3"], "no position codes of its own"),
    ],
)
def test_a_wrong_option_is_one_sentence(
    shown, model: Path, words: list[str], sentence: str
) -> None:
    code, out, err = shown(str(model), *words)
    assert code == 2
    assert sentence in err
    assert not out
