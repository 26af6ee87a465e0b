"""Networks trained here as tables: what is drawn, what displaces it, and the way back."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import orthogan
from orthogan import rng
from orthogan.analysis.api import analyze
from orthogan.analysis.network_tables import read_network, save_codes
from orthogan.analysis.trained import is_trained, load_trained
from orthogan.cli.entry import run as command
from orthogan.data import load
from orthogan.embeddings import Tables
from orthogan.errors import (
    BundleError,
    ConfigError,
    DataError,
    ShapeError,
    UnknownNameError,
)
from orthogan.models import bundle
from orthogan.networks import CLASSIFIERS, GENERATORS, network_config
from orthogan.networks.content import content_tokens
from orthogan.networks.network import normalise
from orthogan.training.checkpoint import load_checkpoint

GENERATOR = {"kind": "attention", "size": 16, "latent_size": 8, "hidden": 16, "width": 8,
             "channels": 4}  # fmt: skip
CLASSIFIER = {"kind": "attention", "size": 16, "channels": 4, "width": 8, "heads": 2, "classes": 4}


@pytest.fixture
def stored(tmp_path: Path, tiny_file: Path) -> Callable[..., Path]:
    """A bundle of an untrained network with these settings."""

    def store(role: str = "generator", **settings: Any) -> Path:
        registry = GENERATORS if role == "generator" else CLASSIFIERS
        defaults = GENERATOR if role == "generator" else CLASSIFIER
        if settings.get("kind", "attention") != "attention":
            defaults = {"size": 16, "latent_size": 8}
        config = network_config(registry, defaults | settings)
        with rng.initialization(0, "test"):
            network = config.build()
        facts = {
            "tensors": network.state_dict(),
            "data": {"source": str(tiny_file), "size": 16, "colours": 1},
            "card": {"title": "tiny", "scores": {"fd": {"value": 1.0}}, "verdict": "Good."},
        }
        return bundle.save_bundle(
            tmp_path / role, role=role, network_config=config.to_dict(), **facts
        )

    return store


def place(label: str) -> tuple[int, int, int]:
    found = re.fullmatch(r"(?:seed|image) (\d+) \((\d+), (\d+)\)", label)
    assert found, label
    return int(found[1]), int(found[2]), int(found[3])


def test_a_generator_gives_the_tokens_of_its_latents(stored) -> None:
    folder = stored()
    found = read_network(folder, limit=50)
    network = load_trained(folder).network
    assert (found.tokens.shape, found.positions.shape) == ((50, 8), (16, 8))
    assert torch.equal(found.positions, network.positions.codes)
    numbers, rows, cols = zip(*map(place, found.labels), strict=True)
    assert len(set(found.labels)) == 50 > len(set(numbers)) > 25
    with torch.no_grad():
        made = network.dense(normalise(rng.latents(numbers, 8)))
    expected = made[torch.arange(50), torch.tensor(rows) * 4 + torch.tensor(cols)]
    torch.testing.assert_close(found.tokens, expected)
    assert (len(found.heads), len(found.heads[0])) == (1, 2)
    assert "50 of the 4,096 contents that 256 generated images" in found.notes[0]


def test_the_seed_and_the_limit_decide_what_is_drawn(stored) -> None:
    folder = stored()
    first = read_network(folder, limit=40)
    assert torch.equal(first.tokens, read_network(folder, limit=40).tokens)
    other = read_network(folder, limit=40, seed=300)
    assert not set(other.labels) & set(first.labels)
    assert "seeds 300-555" in other.notes[0]
    assert len(read_network(folder).tokens) == 1000
    assert len(read_network(folder, limit=5000).tokens) == 5000


def test_a_classifier_gives_the_patches_of_real_images(stored, tiny_file: Path) -> None:
    folder = stored("classifier", positions="sinusoidal")
    found = read_network(folder, limit=30)
    network, images = load_trained(folder).network, load(str(tiny_file))
    numbers, rows, cols = zip(*map(place, found.labels), strict=True)
    with torch.no_grad():
        read = network.stem(images.floats(torch.tensor(numbers)))
    side = network.grid
    expected = read[torch.arange(30), torch.tensor(rows) * side + torch.tensor(cols)]
    torch.testing.assert_close(found.tokens, expected)
    assert torch.equal(found.positions, network.positions.codes)
    assert found.source.endswith("(classifier)")
    assert "sinusoidal" in found.notes[-1]


def test_a_run_has_two_players(train_tiny, tmp_path: Path, tiny_file: Path) -> None:
    run = tmp_path / "run"
    train_tiny(run, images=32)
    kept = load_checkpoint(run).tensors
    judge = read_network(run, network="discriminator", limit=20)
    assert torch.equal(judge.positions, kept["discriminator/positions.codes"])
    network, images = load_trained(run, "discriminator").network, load(str(tiny_file))
    number, row, col = place(judge.labels[7])
    with torch.no_grad():
        read = network.stem(network.emphasised(images.floats(torch.tensor([number]))))
    torch.testing.assert_close(judge.tokens[7], read[0, 2 * row + col])
    maker = read_network(run, limit=20)
    assert torch.equal(maker.positions, kept["average/positions.codes"])
    shutil.rmtree(run / "bundle")  # as if it were still training
    assert is_trained(run)
    assert torch.equal(read_network(run, network="generator", limit=20).tokens, maker.tokens)
    with pytest.raises(BundleError, match="no bundle yet"):
        save_codes(run, tmp_path / "new", maker.positions, "none")
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(BundleError, match="no trained model yet"):
        read_network(run)


def test_an_unfinished_classification_run_is_read(classify_tiny, tmp_path: Path) -> None:
    run = tmp_path / "run"
    classify_tiny(run, images=32)
    from_bundle = read_network(run, limit=20)
    shutil.rmtree(run / "bundle")
    assert torch.equal(read_network(run, limit=20).tokens, from_bundle.tokens)
    with pytest.raises(ConfigError, match="single network"):
        read_network(run, network="discriminator")


def test_without_a_code_there_is_no_displacement(stored) -> None:
    found = analyze(stored(positions="none"), corrections=())
    assert (found.flip_count, found.tables.positions) == (None, None)
    assert any("no displacement" in note for note in found.notes)
    assert "none moves" in found.notes[-1]
    assert len(found.heads) == 1
    stand_in = analyze(stored(positions="none"), num_positions=3, limit=20, corrections=())
    assert (stand_in.own, stand_in.flip_count.positions) == (False, 3)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kind": "conv", "width": 8, "channels": 4}, "no tokens"),
        ({"positions": "none", "blocks": 0}, "nothing to analyse"),
    ],
)
def test_where_nothing_can_be_displaced_it_is_said(stored, settings: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        analyze(stored(**settings), corrections=())


@pytest.mark.parametrize(
    ("role", "options", "error", "words"),
    [
        ("generator", {"network": "discriminator"}, BundleError, "checkpoints"),
        ("generator", {"network": "generater"}, UnknownNameError, "generator"),
        ("classifier", {"network": "generator"}, ConfigError, "single network"),
        ("generator", {"limit": 1}, ConfigError, "at least 2"),
        ("generator", {"embedding": "dense"}, ConfigError, "needs no embedding"),
        ("generator", {"num_heads": 2}, ConfigError, "needs no num_heads"),
    ],
)
def test_wrong_requests_are_refused(
    stored, role: str, options: dict, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        analyze(stored(role), corrections=(), **options)


def test_other_sources_have_no_players(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("a 1.0 2.0\nb 2.0 1.0\n")
    assert not is_trained(path)
    assert not is_trained("hf:someone/model")
    assert not is_trained("a" * 5000)
    with pytest.raises(ConfigError, match="leave it out"):
        analyze(path, network="generator")


def test_damaged_weights_are_refused(stored) -> None:
    folder = stored()
    config = json.loads((folder / "config.json").read_text())
    config["generator"]["hidden"] = 17
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BundleError, match="do not fit"):
        read_network(folder)


@pytest.mark.parametrize("role", ["generator", "classifier"])
def test_changed_codes_make_a_bundle(stored, tmp_path: Path, role: str) -> None:
    folder = stored(role, positions="sinusoidal")
    codes = read_network(folder, limit=20).positions
    out = save_codes(folder, tmp_path / "new", 2 * codes, "doubled")
    again = read_network(out, limit=20)
    assert torch.equal(again.positions, 2 * codes)
    assert torch.equal(again.tokens, read_network(folder, limit=20).tokens)
    card = json.loads((out / "config.json").read_text())["card"]
    assert card == {"title": "tiny", "position codes": "doubled"}
    with pytest.raises(ShapeError, match="16, 8"):
        save_codes(folder, tmp_path / "other", codes[:1], "cut")


def test_the_command_repairs_a_network(
    stored, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = stored(), tmp_path / "rotated"
    words = ["geometry", str(folder), "--limit", "40", "--network", "generator", "--json"]
    assert command([*words, "--save", str(out)]) == 0
    tree = json.loads(capsys.readouterr().out)
    assert (tree["tokens"], tree["positions"], tree["own_codes"]) == (40, 16, True)
    assert tree["worst"] == [] or tree["worst"][0]["token"].startswith("seed ")
    old, new = (read_network(path, limit=20).positions for path in (folder, out))
    assert not torch.allclose(old, new)
    torch.testing.assert_close(old @ old.T, new @ new.T)  # rotated as a whole
    assert not torch.equal(orthogan.sample(out, seeds=[1]), orthogan.sample(folder, seeds=[1]))
    words[5] = "discriminator"
    assert command([*words, "--save", str(out)]) == 2
    assert "no discriminator" in capsys.readouterr().err


def test_tables_at_hand_are_no_network() -> None:
    with pytest.raises(ConfigError, match="leave it out"):
        analyze(torch.nn.Embedding(3, 2), network="generator")
    tables = Tables(torch.eye(3), torch.eye(3))
    with pytest.raises(ConfigError, match="leave it out"):
        analyze(tables, network="generator")


def test_what_has_no_code_or_is_never_reached_is_refused() -> None:
    with pytest.raises(ValueError, match="no position code"):
        content_tokens(torch.nn.Linear(1, 1), lambda: None)
    network = network_config(GENERATORS, GENERATOR).build()
    with pytest.raises(ValueError, match="reached"):
        content_tokens(network, lambda: None)
