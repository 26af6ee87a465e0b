"""Bundles: round trip, the card, names, and every way one can be unusable."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from orthogan.errors import BundleError, UnknownNameError
from orthogan.models.bundle import (
    is_bundle,
    load_bundle,
    names,
    resolve,
    save_bundle,
    shipped_names,
)
from orthogan.models.bundle.tensors import pack

GENERATOR = {"kind": "attention", "width": 32}
CARD = {
    "title": "Digits",
    "summary": "Draws digits.",
    "command": "orthogan train --seed 0",
    "seed": 7,
    "scores": {"fd": {"value": 1.23456, "low": 1.1, "high": 1.3, "floor": 0.065, "n": 10000}},
}


def make(folder: Path) -> Path:
    return save_bundle(
        folder,
        network_config=GENERATOR,
        tensors={"w": torch.arange(6.0).reshape(2, 3)},
        data={"size": 28, "class_names": ["0", "1"]},
        card=CARD,
    )


def change(folder: Path, **fields: object) -> None:
    file = folder / "config.json"
    tree = json.loads(file.read_text()) | fields
    file.write_text(json.dumps({name: value for name, value in tree.items() if value != "drop"}))


def test_round_trip(tmp_path: Path) -> None:
    bundle = load_bundle(make(tmp_path / "model"))
    assert bundle.network_config == GENERATOR
    assert bundle.tensors["w"].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert bundle.data["class_names"] == ["0", "1"]
    assert bundle.card == CARD
    assert {path.name for path in bundle.path.iterdir()} == {
        "config.json",
        "generator.safetensors",
        "README.md",
    }


def test_same_model_same_bytes(tmp_path: Path) -> None:
    first, second = make(tmp_path / "a"), make(tmp_path / "b")
    for name in ("config.json", "generator.safetensors", "README.md"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_the_card_shows_the_measured_numbers(tmp_path: Path) -> None:
    folder = make(tmp_path / "model")
    text = (folder / "README.md").read_text()
    assert "| `fd` | 1.235 | 1.1 to 1.3 | 0.065 | 10000 |" in text
    assert "orthogan train --seed 0" in text
    assert load_bundle(folder).sha256 in text
    assert "- class_names: 0, 1" in text


def test_saving_replaces_a_bundle_but_nothing_else(tmp_path: Path) -> None:
    make(make(tmp_path / "model"))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"")
    with pytest.raises(BundleError, match="not a bundle"):
        make(tmp_path / "photos")
    assert (tmp_path / "photos" / "a.png").exists()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "config.json").unlink(), "has no config.json, so .* half of one"),
        (lambda folder: truncate(folder / "config.json"), ""),
        (lambda folder: (folder / "config.json").write_text("{"), "not valid JSON"),
        (lambda folder: (folder / "config.json").write_text("[1]"), "not the configuration"),
        (lambda folder: change(folder, kind="other"), "not the configuration"),
        (lambda folder: change(folder, format="drop"), "no format number"),
        (lambda folder: change(folder, format=99), "newer orthogan .*pip install"),
        (lambda folder: change(folder, generator="drop"), "'generator' is missing"),
        (lambda folder: change(folder, data=[]), "'data' is missing or damaged"),
        (lambda folder: (folder / "generator.safetensors").unlink(), "missing"),
        (lambda folder: truncate(folder / "generator.safetensors"), "checksum"),
        (lambda folder: change(folder, sha256="0" * 64), "checksum"),
    ],
)
def test_unusable_bundles(tmp_path: Path, damage, words: str) -> None:
    folder = make(tmp_path / "model")
    damage(folder)
    if not words:
        load_bundle(folder)  # only the final line feed is gone
        return
    with pytest.raises(BundleError, match=words) as caught:
        load_bundle(folder)
    assert str(folder) in str(caught.value)
    assert caught.value.exit_code == 3


def test_every_digit_of_the_checksum_counts(tmp_path: Path) -> None:
    folder = make(tmp_path / "model")
    sha256 = load_bundle(folder).sha256
    for place in (0, 31, 63):
        other = "0" if sha256[place] != "0" else "1"
        change(folder, sha256=sha256[:place] + other + sha256[place + 1 :])
        with pytest.raises(BundleError, match="damaged: checksum"):
            load_bundle(folder)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ((2**60).to_bytes(8, "little") + b"{}", "its header claims"),
        (b"\x02\0\0\0\0\0\0\0{]", "not a safetensors file"),
        (b"", "not a safetensors file"),
        (pack({"w": torch.zeros(4)})[:-4], "not a safetensors file"),
    ],
)
def test_weights_that_are_not_safetensors(tmp_path: Path, data: bytes, words: str) -> None:
    import hashlib

    folder = make(tmp_path / "model")
    (folder / "generator.safetensors").write_bytes(data)
    change(folder, sha256=hashlib.sha256(data).hexdigest())
    with pytest.raises(BundleError, match=words):
        load_bundle(folder)


def test_names_of_folders_and_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = Path("runs") / "mnist-0"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    with pytest.raises(BundleError, match="no trained model yet"):
        resolve(run)
    make(run / "bundle")
    assert resolve(run) == run / "bundle"
    assert resolve("mnist-0") == run / "bundle"
    assert resolve(run / "bundle") == run / "bundle"
    with pytest.raises(UnknownNameError, match="Did you mean 'runs/mnist-0'"):
        resolve("runs/mnist-9")
    with pytest.raises(BundleError, match="neither a run folder nor a bundle"):
        resolve(tmp_path)
    with pytest.raises(BundleError, match="cannot be read"):
        resolve("x" * 5000)


def test_half_of_a_model_is_named_so_that_loading_tells_what_is_missing(tmp_path: Path) -> None:
    run = tmp_path / "run"
    make(run / "bundle")
    (run / "run.json").write_text("{}")
    (run / "bundle" / "config.json").write_text('{"format"')
    assert resolve(run) == run / "bundle"
    assert resolve(run / "bundle") == run / "bundle"
    (run / "bundle" / "config.json").unlink()
    assert resolve(run) == run / "bundle"
    (run / "bundle" / "generator.safetensors").unlink()
    with pytest.raises(BundleError, match="no trained model yet"):
        resolve(run)


def test_a_healthy_model_is_preferred_to_a_foreign_file(tmp_path: Path) -> None:
    make(tmp_path / "bundle")
    (tmp_path / "config.json").write_text("{}")
    assert resolve(tmp_path) == tmp_path / "bundle"


def test_a_shipped_name_wins_over_a_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "assets" / "demo")
    (tmp_path / "assets" / "mnist").mkdir()
    monkeypatch.setattr(names, "ASSETS", tmp_path / "assets")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    assert shipped_names() == ["demo"]
    assert resolve("demo") == tmp_path / "assets" / "demo"
    with pytest.raises(BundleError, match="neither"):
        resolve("./demo/")


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_models_are_healthy(name: str) -> None:
    assert load_bundle(resolve(name)).card["scores"]


def test_is_bundle(tmp_path: Path) -> None:
    assert not is_bundle(tmp_path / "none")
    assert is_bundle(make(tmp_path / "model"))


def make_classifier(folder: Path) -> Path:
    return save_bundle(
        folder,
        role="classifier",
        network_config={"kind": "attention", "width": 8},
        tensors={"w": torch.arange(6.0)},
        data={"class_names": ["cat", "dog"], "label_parts": 1},
        card={"scores": {"accuracy": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 10}}},
    )


def test_classifiers_round_trip(tmp_path: Path) -> None:
    bundle = load_bundle(make_classifier(tmp_path / "model"), "classifier")
    assert bundle.network_config == {"kind": "attention", "width": 8}
    assert bundle.tensors["w"].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert bundle.data["class_names"] == ["cat", "dog"]
    names = {path.name for path in bundle.path.iterdir()}
    assert names == {"config.json", "classifier.safetensors", "README.md"}
    text = (bundle.path / "README.md").read_text()
    assert text.startswith("# An orthogan classifier\n")
    assert "- classifier: attention" in text


def test_one_kind_is_not_taken_for_the_other(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="holds a generator, not a classifier; use it with"):
        load_bundle(make(tmp_path / "generator"), "classifier")
    with pytest.raises(BundleError, match="holds a classifier, not a generator; use it with"):
        load_bundle(make_classifier(tmp_path / "classifier"))
    folder = make_classifier(tmp_path / "classifier")
    change(folder, classifier="drop")
    with pytest.raises(BundleError, match="'classifier' is missing"):
        load_bundle(folder, "classifier")


def test_a_bundle_tells_what_it_holds(tmp_path: Path) -> None:
    from orthogan.models.bundle import role_of

    assert role_of(make(tmp_path / "generator")) == "generator"
    parts = {"tensors": {"w": torch.zeros(1)}, "data": {}, "card": {}}
    assert role_of(make_classifier(tmp_path / "classifier")) == "classifier"
    words = {"tokeniser": "words", "entries": ["\u00e9", "b"]}
    parts |= {"role": "language", "network_config": {"width": 8}, "vocabulary": words}
    folder = save_bundle(tmp_path / "l", **parts)
    assert role_of(folder) == "language"
    assert role_of(tmp_path) is None
    found = load_bundle(folder, "language")
    assert (found.vocabulary, found.network_config) == (words, {"width": 8})
    assert "An orthogan language model" in (folder / "README.md").read_text()


def test_drawing_needs_no_compiler() -> None:
    """PyTorch would import it for a random fill on the device `meta`: a second of a cold start."""
    code = (
        "import sys, orthogan; orthogan.load('mnist-demo').sample(range(2)); "
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
