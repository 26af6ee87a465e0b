"""Runs, bundles and ONNX files of version 0.1 are read, resumed and sampled as it did."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import orthogan
from orthogan.cli import main
from orthogan.network_tables import read_network
from orthogan.training.run_folder import list_runs

OLD = Path(__file__).parents[1] / "fixtures" / "version-0.1"
SEEDS = range(8)
# One level of rounding in a picture; what is trained on moves further with a processor's rounding.
PIXEL, TRAINED_PIXEL, CHANCE, TRAINED_CHANCE, BITS = 1, 6, 1e-4, 0.02, 0.02


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    with np.load(OLD / "expected.npz") as file:
        return dict(file)


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Path]:
    """A copy: resuming writes into it."""
    before = torch.get_num_threads()
    yield Path(shutil.copytree(OLD, tmp_path / "old"))
    torch.set_num_threads(before)


def distance(found: Any, wanted: np.ndarray) -> float:
    assert found.shape == wanted.shape
    return float(np.abs(np.asarray(found, dtype=float) - wanted).max())


def repeat(train: Callable[..., Any], old: Path, kind: str, source: str) -> Any:
    """The command that made a run, given again."""
    run = old / f"{kind}-stopped"
    config = json.loads((run / "run.json").read_text())["config"]
    settings = old / "settings.json"
    settings.write_text(json.dumps(config))
    options: dict[str, Any] = {"show_progress": False, "device": "cpu", "config": settings}
    return train(old / source, run=run, **options)


def test_a_bundle_draws_its_images(expected: dict[str, Any], old: Path) -> None:
    for place in (old / "gan", old / "gan" / "bundle"):
        model = orthogan.load(place)
        assert distance(model.sample(SEEDS), expected["gan"]) <= PIXEL
        assert distance(model.sample(SEEDS, classes=[2, 0]), expected["gan_classes"]) <= PIXEL
    assert expected["gan"].std() > 1  # and no blank ones


def test_an_onnx_file_draws_its_images(expected: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "gan.onnx"
    file.write_bytes(gzip.decompress((OLD / "gan.onnx.gz").read_bytes()))
    made = orthogan.load_exported(file).sample(SEEDS)
    assert distance(made, expected["onnx"]) <= PIXEL
    assert distance(made.transpose(0, 3, 1, 2), expected["gan"]) <= PIXEL


def test_a_stopped_gan_goes_on_to_the_same_end(expected: dict[str, Any], old: Path) -> None:
    run = repeat(orthogan.train, old, "gan", "blobs.npz")
    assert (run.status, run.images_seen) == ("done", 640)
    assert distance(run.sample(SEEDS), expected["gan"]) <= TRAINED_PIXEL


def test_a_classifier_answers_and_goes_on(expected: dict[str, Any], old: Path) -> None:
    def chances(place: Path) -> torch.Tensor:
        told = orthogan.load_classifier(place, device="cpu")
        return told.predict(told.images_of(old / "blobs.npz").images[:16]).probabilities

    assert distance(chances(old / "classifier"), expected["classifier"]) <= CHANCE
    run = repeat(orthogan.classify, old, "classifier", "blobs.npz")
    assert (run.status, run.images_seen) == ("done", 640)
    assert distance(chances(run.path), expected["classifier"]) <= TRAINED_CHANCE


def test_a_language_model_goes_on(expected: dict[str, Any], old: Path) -> None:
    model = orthogan.load_language(old / "language", device="cpu")
    assert model.generate("the cat ", length=40, temperature=0.0) == str(expected["language"])
    assert model.score(old / "rhyme.txt").value == pytest.approx(float(expected["bits"]), abs=1e-4)
    run = repeat(orthogan.train_language, old, "language", "rhyme.txt")
    assert (run.status, run.tokens_seen) == ("done", 6400)
    found = run.model().score(old / "rhyme.txt").value
    assert found == pytest.approx(float(expected["bits"]), abs=BITS)


def test_finished_runs_are_listed_and_looked_into(old: Path, capsys) -> None:
    statuses = {run.path.name: run.status for run in list_runs(old)}
    assert statuses == {
        f"{kind}{suffix}": status
        for kind in ("gan", "classifier", "language")
        for suffix, status in (("", "done"), ("-stopped", "interrupted"))
    }
    assert main(["runs", str(old)]) == 0
    assert "language-stopped" in capsys.readouterr().out
    for network in ("generator", "discriminator"):
        if network == "discriminator":  # which reads real images: where they lie has changed
            file = old / "gan" / "run.json"
            moved = json.loads(file.read_text())
            moved["config"]["data"]["source"] = str(old / "blobs.npz")
            file.write_text(json.dumps(moved))
        assert len(read_network(old / "gan", network=network, limit=20).tokens) == 20


def test_the_classifier_bundle_serves_as_features(old: Path) -> None:
    told = orthogan.load_classifier(old / "classifier" / "bundle", device="cpu")
    assert told.scheme.names == ("0", "1", "2", "3")
    assert told.features(told.images_of(old / "blobs.npz").images[:3]).shape == (3, 8)
