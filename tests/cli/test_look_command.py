"""`orthogan look`: what it draws, prints and refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from orthogan.cli import main


@pytest.fixture
def run(train_tiny: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    train_tiny(tmp_path / "run", images=64)
    monkeypatch.chdir(tmp_path)
    return "run"


def test_the_picture_and_the_words(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["look", run, "--seeds", "0-4", "--shown", "2"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == "generator (attention), over the images of seeds 0-4:"
    assert lines[1].startswith("  block 1 head 1: attends ")
    assert any(line.startswith("discriminator (attention), over 5 training") for line in lines)
    assert lines[-1] == "attention-run.png"
    assert "generator: Asked: the patch in row" in err
    with Image.open("attention-run.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 400


def test_numbers_for_programs(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["look", run, "--seeds", "0-4", "--json", "--network", "generator", "--query", "1,2"]
    assert main([*words, "--out", "new/maps.png"]) == 0
    out, _ = capsys.readouterr()
    tree = json.loads(out)
    assert tree["out"] == "new/maps.png"
    (network,) = tree["looks"][0]["networks"]
    assert (network["role"], network["query"]) == ("generator", [1, 2])
    assert Path("new/maps.png").is_file()


def test_several_runs_stand_side_by_side(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    shutil.copytree(run, hostile)
    assert main(["look", run, hostile, "--seeds", "0-2", "--out", "maps.html"]) == 0
    out, _ = capsys.readouterr()
    assert out.splitlines()[0] == "run"
    assert hostile in out
    page = Path("maps.html").read_text()
    assert "How do they differ?" in page
    assert hostile[:10] not in page
    assert "orthogan look run" in page  # what writes it again


def test_own_images(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.png", "b.png"):
        Image.fromarray(np.zeros((50, 30, 3), np.uint8)).save(name)
    words = ["look", run, "--image", "a.png", "--image", "b.png", "--seeds", "0-1", "--json"]
    assert main(words) == 0
    tree = json.loads(capsys.readouterr().out)
    assert [each["images"] for each in tree["looks"][0]["networks"]] == [2, 2]
    assert tree["looks"][0]["networks"][1]["seen"] == "2 pictures"


def test_the_demo_says_where_its_discriminator_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["look", "mnist-demo", "--seeds", "0-1", "--generated"]) == 0
    out, err = capsys.readouterr()
    assert "discriminator (" not in out
    assert "a bundle holds the generator alone, so that is all that is shown" in err


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["--query", "9,9"], 2, "9,9 lies outside of the generator's 4 x 4 grid of patches"),
        (["--query", "1"], 2, "--query is row,column such as 3,4, counted from 0, or class"),
        (["--query", "-1,2"], 2, "--query is row,column"),
        (["--query", "class"], 2, "no class token"),
        (["--out", "maps.pdf"], 2, "--out is a .png or .html file, got 'maps.pdf'."),
        (["--out", "."], 2, ". is a folder; name a file in it, such as maps.png."),
        (["--seeds", "0-99999"], 2, "At most 10,000 seeds"),
        (["--image", "a.png", "--generated"], 2, "exclude one another"),
        (["--network", "judge"], 2, "Unknown network of a GAN 'judge'"),
        (["--image", "none.png"], 3, "there is no such folder or picture"),
        (["--out", "run/run.json/maps.png"], 3, "run.json"),
    ],
)
def test_bad_input_is_one_sentence(
    run: str, words: list[str], code: int, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(Path().rglob("*"))
    assert main(["look", run, "--seeds", "0-1", *words]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert reason in err
    assert err.splitlines()[-1].startswith("orthogan: ")
    assert sorted(Path().rglob("*")) == before


def test_networks_without_attention(
    train_tiny: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train_tiny(tmp_path / "conv", model="conv-gan", images=32)
    assert main(["look", str(tmp_path / "conv"), "--out", str(tmp_path / "m.png")]) == 3
    _, err = capsys.readouterr()
    assert "The conv generator has no attention" in err
    assert "take a run with attention." in err
    assert not (tmp_path / "m.png").exists()
