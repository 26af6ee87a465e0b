"""The parts of the MiniLM benchmark that need no MiniLM."""

from __future__ import annotations

import doctest

import minilm
import minilm_outputs
import minilm_tokens
import pytest
import torch
from safetensors.torch import load_file, save_file

from orthogan.embeddings import Tables
from orthogan.geometry import count_flips
from orthogan.rng import normal, stream


@pytest.mark.parametrize("module", [minilm_outputs, minilm_tokens])
def test_its_examples_hold(module) -> None:
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    found = doctest.testmod(module, optionflags=flags, extraglobs={"torch": torch})
    assert found.attempted > 0 == found.failed


@pytest.fixture
def tables() -> Tables:
    tokens, codes = normal((30, 8), stream(0, "tokens")), normal((5, 8), stream(0, "codes"))
    return Tables(tokens, codes, ("[PAD]", "[CLS]", *(f"word{i}" for i in range(28))))


def test_moved_tables_make_the_same_inputs(tables: Tables) -> None:
    segments = {minilm.SEGMENTS: normal((2, 8), stream(0, "segments"))}
    moved = minilm.folded_tables(tables, segments)
    ids = torch.tensor([1, 7, 3, 7, 29])  # [CLS] first and nowhere else
    old = tables.tokens[ids] + tables.positions + segments[minilm.SEGMENTS][1]
    new = moved["tokens"][ids] + moved["positions"] + moved["segments"][1]
    torch.testing.assert_close(new, old)
    assert moved["positions"][0].abs().max() == 0
    assert moved["positions"][1:].mean(0).abs().max() < 1e-6


def test_what_tokens_become_at_a_position_is_counted(tables: Tables) -> None:
    found = count_flips(tables.tokens, tables.positions)
    counted = minilm.becomes(tables, found, 2)
    assert counted["flips"] == int(found.flips_per_position[2]) > 0
    for part in ("into", "kinds"):
        assert sum(count for _, count in counted[part]) <= counted["flips"]
    assert sum(count for _, count in counted["kinds"]) == counted["flips"]
    (flip,) = [flip for flip in found.worst() if flip.position == 2][:1]
    assert tables.labels[flip.becomes] in dict(counted["into"])
    told = minilm.summary(found, tables)
    assert sum(count for _, count in told["most_flips_at"]) == found.flips
    assert told["worst"][0][2] == tables.labels[found.worst(1)[0].becomes]


def test_the_cosine_reader_is_layer_norm_without_gain(tables: Tables) -> None:
    ones, zeros = torch.ones(8), torch.zeros(8)
    weights = {
        minilm.SEGMENTS: normal((2, 8), stream(0, "segments")),
        minilm.NORM + ".weight": ones,
        minilm.NORM + ".bias": zeros,
    }
    found = minilm.layer_norm(tables, weights, [0, 1, 4])
    for counted in found["some_positions_float32"].values():
        assert counted["flips_with_gain"] == counted["flips_without_gain"]
    assert found["without_gain"]["flips"] > 0


def test_changed_tables_are_written_into_one_file(tables: Tables, tmp_path) -> None:
    folder, place = tmp_path / "old", tmp_path / "new"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "bert"}')
    tensors = {
        minilm.TOKENS: tables.tokens,
        minilm.POSITIONS: tables.positions,
        minilm.SEGMENTS: torch.ones(2, 8),
    }
    save_file(tensors, folder / "model.safetensors")
    changes = {minilm.TOKENS: 2 * tables.tokens, minilm.SEGMENTS: torch.zeros(2, 8)}
    copy = minilm_outputs.write(folder, place, changes)
    written = load_file(copy / "model.safetensors")
    assert torch.equal(written[minilm.TOKENS], 2 * tables.tokens)
    assert torch.equal(written[minilm.POSITIONS], tables.positions)
    assert written[minilm.SEGMENTS].abs().max() == 0
    assert sorted(path.name for path in copy.iterdir()) == ["config.json", "model.safetensors"]
    assert not minilm_outputs.is_same(folder, copy)
    again = minilm_outputs.write(folder, place, {minilm.POSITIONS: tables.positions})
    assert minilm_outputs.is_same(folder, again)


def test_embeddings_are_compared() -> None:
    one = torch.nn.functional.normalize(normal((6, 4), stream(0, "one")))
    same = minilm_outputs.compared(one, one)
    assert same["mean_cosine"] == pytest.approx(1)
    assert (same["largest_difference"], same["rank_correlation_of_pairs"]) == (0, 1)
    turned = minilm_outputs.compared(one, -one)
    assert turned["least_cosine"] == pytest.approx(-1)
    assert turned["rank_correlation_of_pairs"] == pytest.approx(1)


def test_samples_and_kinds_are_of_the_whole_table(tables: Tables) -> None:
    whole = count_flips(tables.tokens, tables.positions)
    part = minilm.sampled_tokens(tables, 0, 2.0)
    assert (part["tokens"], part["flips"], part["has_cls"]) == (30, whole.flips, True)
    low, high = minilm.sampled_pairs(tables, 0)["interval"]
    assert low < whole.kept < high
    kinds = minilm_tokens.by_kind(tables, torch.arange(30.0), {"own": whole})
    assert {kind: row["tokens"] for kind, row in kinds.items()} == {"word": 28, "special": 2}
    assert kinds["special"]["least_safe"] == ["[PAD]", 0.0]
    flips = sum(row["tokens"] * row["flips_a_token_own"] for row in kinds.values())
    assert flips == pytest.approx(whole.flips)
    assert sum(count for _, count in minilm_tokens.hubs(whole, tables)["into"]) == whole.flips
