"""The nearest image of a generator: found for its own, farther for others, beside both."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

import orthogan as og
from orthogan.cli.entry import run as command
from orthogan.errors import ConfigError, DataError
from orthogan.models import projection
from orthogan.models.projection import Projection, _starts, nearest_latents, project
from orthogan.networks.walks import Places, drawn

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "NUM_SCREENED", 64)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    pixels = og.sample("mnist-demo", seeds=[5])[0, 0].numpy()
    Image.fromarray(pixels).save(tmp_path / "own.png")
    return tmp_path / "own.png"


def test_its_own_image_is_found_again(own: Path) -> None:
    told: list[tuple[int, int]] = []
    found = project("mnist-demo", own, starts=10, steps=120, num_beside=1,
                    progress=lambda *each: told.append(each))  # fmt: skip
    assert found.distance < 20  # of 255; two digits differ by some 80
    assert told[-1][0] == told[-1][1]
    assert found.class_name == str(found.label)
    assert found.latent.square().mean() == pytest.approx(1.0, abs=1e-4)
    model = og.load("mnist-demo")
    assert model.generator.class_latents is not None
    shift = model.generator.class_latents(torch.tensor([found.label])).detach()
    again = drawn(model.generator, Places(found.latent[None], shift))
    assert torch.equal(again, found.nearest)


def test_searching_longer_is_never_worse() -> None:
    model = og.load("mnist-demo")
    targets = model.sample([1, 2])
    short, long = (nearest_latents(model.generator, targets, 2, steps) for steps in (1, 30))
    assert (long.distances <= short.distances).all()
    assert (short.distances > 0).all()
    assert all(weight.grad is None for weight in model.generator.parameters())


def test_starts_come_from_as_many_classes_as_possible() -> None:
    distances = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]])
    labels = torch.tensor([7, 7, 7, 8, 9])
    assert _starts(distances, labels, 4).tolist() == [[0, 3, 4, 1]]
    assert _starts(distances, None, 2).tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        (40.0, "it does not draw such an image."),
        (5.0, "As near as training images come."),
        (15.0, ""),
    ],
)
def test_it_is_told_beside_others(distance: float, words: str) -> None:
    pixels = torch.zeros(1, 1, 16, 16, dtype=torch.uint8)
    found = Projection("a.png", pixels, pixels, torch.ones(4), None, "", distance, (1.0, 2.0),
                       (10.0, 12.0, 20.0))  # fmt: skip
    assert "images of its own by 1.0 to 2.0 (median 1.5)" in found.sentence
    assert found.sentence.endswith(words or "(median 12.0).")
    assert found.to_dict()["distance"] == distance


def test_an_image_of_another_size_without_the_data(train_tiny, tmp_path: Path) -> None:
    run = train_tiny(tmp_path / "run", "condition=none", images=64).path
    config = json.loads((run / "bundle" / "config.json").read_text())
    config["data"]["source"] = "/nowhere.npz"
    (run / "bundle" / "config.json").write_text(json.dumps(config))
    Image.new("RGB", (50, 30), (9, 9, 200)).save(tmp_path / "wide.png")
    found = project(run, tmp_path / "wide.png", starts=2, steps=3, num_beside=2)
    assert found.real == ()
    assert found.label is None
    assert any("training images cannot be read" in note for note in found.notes)
    assert any("16 x 16" in note for note in found.notes)


def test_what_cannot_be_projected_is_refused(own: Path, tmp_path: Path) -> None:
    Image.new("L", (28, 28)).save(tmp_path / "two.png")
    with pytest.raises(DataError, match="holds 2 pictures; name one of them"):
        project("mnist-demo", tmp_path)
    with pytest.raises(DataError, match="no such folder or picture"):
        project("mnist-demo", tmp_path / "none.png")
    with pytest.raises(ConfigError, match="are 1 or more"):
        project("mnist-demo", own, steps=0)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_the_command(
    suffix: str, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(projection, "NUM_BESIDE", 1)
    out, save = tmp_path / "both.png", tmp_path / f"latent{suffix}"
    words = ["project", "mnist-demo", str(own), "--starts", "2", "--steps", "2", "--json"]
    assert command([*words, "--out", str(out), "--save", str(save)]) == 0
    answer = json.loads(capsys.readouterr().out)
    kept = np.load(save) if suffix == ".npz" else load_file(save)
    assert kept["latent"].tolist() == pytest.approx(answer["latent"])
    assert str(int(kept["label"])) == answer["class"]
    with Image.open(out) as picture:
        assert picture.size == (8 * 57, 8 * 28)
    assert command([*words, "--save", "a.txt"]) == ConfigError.exit_code
    assert "a .npz or .safetensors file" in capsys.readouterr().err
