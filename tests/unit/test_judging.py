"""What a discriminator says of own images: in order, beside others, and only where there is one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pages import Page
from PIL import Image

import orthogan as og
from orthogan.analysis import judging
from orthogan.analysis.judged_sheet import CELL_PX, judged_sheet
from orthogan.cli.entry import run as command
from orthogan.errors import BundleError, ConfigError, DataError
from orthogan.networks import Discriminator


@pytest.fixture
def run(train_tiny, tmp_path: Path) -> Path:
    path: Path = train_tiny(tmp_path / "run", images=64).path
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Black, grey, white, and one that is wide and in colour, under a hostile name."""
    folder = tmp_path / "own"
    folder.mkdir()
    for name, value in (("black", 0), ("grey", 128), ("white", 255)):
        Image.new("L", (16, 16), value).save(folder / f"{name}.png")
    Image.new("RGB", (50, 30), (200, 40, 40)).save(folder / "<img src=x onerror=alert(1)>.png")
    return folder


@pytest.fixture
def by_brightness(monkeypatch: pytest.MonkeyPatch) -> None:
    """A discriminator that finds bright images more real: its logit is the mean pixel."""
    monkeypatch.setattr(Discriminator, "forward", lambda _, images, labels=None: images.mean(
        (1, 2, 3)))  # fmt: skip
    monkeypatch.setattr(judging, "_generated", lambda *_: torch.zeros(3, 1, 16, 16).byte())


def test_images_are_in_order_and_beside_others(run, pictures, by_brightness) -> None:
    found = og.judge(run, pictures)
    assert [each.name for each in found.images][::3] == ["white.png", "black.png"]
    white = found.images[0]
    assert white.logit == pytest.approx(1.0)
    assert white.probability == pytest.approx(1 / (1 + np.exp(-1)))
    assert white.beats_generated == pytest.approx(1 / (1 + np.exp(-2)))  # those are black
    assert found.generated == pytest.approx(1 / (1 + np.exp(1)))
    black = found.images[-1]
    assert black.beats_generated == pytest.approx(0.5)
    assert black.beats_real is not None
    assert black.beats_real < 0.5  # blobs are brighter
    assert found.pixels[0].float().mean() == 255


def test_what_it_means_is_said(run: Path, pictures: Path) -> None:
    found = og.judge(run, pictures)
    assert "only differences have a meaning" in found.meaning
    assert "no score of realism" in found.meaning
    record = json.loads((run / "run.json").read_text())
    record["config"]["loss"] = "hinge"
    (run / "run.json").write_text(json.dumps(record))
    assert "only differences" not in og.judge(run, pictures).meaning


def test_other_sizes_are_fitted_and_said(run: Path, pictures: Path) -> None:
    found = og.judge(run, pictures)
    assert found.pixels.shape == (4, 1, 16, 16)
    assert any("square crop" in note for note in found.notes)


def test_data_that_are_gone_are_said(run: Path, pictures: Path) -> None:
    record = json.loads((run / "run.json").read_text())
    record["config"]["data"]["source"] = "/nowhere.npz"
    (run / "run.json").write_text(json.dumps(record))
    found = og.judge(run, pictures)
    assert found.real is None
    assert found.images[0].beats_real is None
    assert any("training images cannot be read" in note for note in found.notes)


def test_what_has_no_discriminator_is_refused(run: Path, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="a bundle holds a generator alone"):
        og.judge("mnist-demo", pictures)
    with pytest.raises(DataError, match="there is no such folder or picture"):
        og.judge(run, tmp_path / "nothing")
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(BundleError, match="has no trained model yet"):
        og.judge(run, pictures)


def test_the_command(run, pictures, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, sheet = tmp_path / "own.html", tmp_path / "own.png"
    assert command(["judge", str(run), str(pictures), "--out", str(page), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert len(answer["images"]) == 4
    text = Page(page.read_text())
    assert [tag for tag, _ in text.tags].count("script") == 1  # the numbers
    assert "<img src=x onerror=alert(1)>.png" in text.text
    assert command(["judge", str(run), str(pictures), "--out", str(sheet)]) == 0
    out = capsys.readouterr()
    assert "black.png" in out.out
    assert "only differences have a meaning" in out.err
    with Image.open(sheet) as picture:
        assert picture.size[0] > 4 * CELL_PX
    assert command(["judge", str(run), str(pictures), "--out", "x.txt"]) == ConfigError.exit_code
    assert "a .png or .html file" in capsys.readouterr().err


def test_a_sheet_holds_each_image_above_its_number() -> None:
    pixels = torch.stack([torch.full((4, 8, 8), value).byte() for value in (0, 255)])
    picture: Any = np.asarray(judged_sheet(pixels, [0.1, 0.9]))
    assert picture.shape[2] == 3
    assert picture[60, 100 + CELL_PX].tolist() == [255, 255, 255]
    assert len(judged_sheet(pixels[:1].repeat(500, 1, 1, 1), [0.5] * 500).getbbox() or ()) == 4
