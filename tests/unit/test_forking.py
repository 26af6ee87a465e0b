"""A run that begins from a checkpoint of another."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from orthogan.cli import main
from orthogan.errors import ConfigError, ResumeError
from orthogan.report.run_facts import read_run
from orthogan.training.checkpoint import image_counts, load_checkpoint
from orthogan.training.forking import Fork, fork_run
from orthogan.training.request import Request
from orthogan.training.task import Launch


@pytest.fixture(scope="module")
def first(
    tiny_file: Path, tiny_settings: Callable[..., tuple[str, ...]],
    feature_cache: Path, tmp_path_factory: pytest.TempPathFactory,
) -> Path:  # fmt: skip
    """A run with checkpoints after 0, 64, 128, ... images."""
    from orthogan.gan import api

    folder = tmp_path_factory.mktemp("runs") / "first"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORTHOGAN_CACHE", str(feature_cache))
        api.train(tiny_file, images=160, run=folder, threads=1, show_progress=False,
                  settings=tiny_settings("attention-gan", "checkpoint_every_s=1e-6"))  # fmt: skip
    return folder


@pytest.fixture(autouse=True)
def quietly(feature_cache: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None) -> None:
    monkeypatch.setenv("ORTHOGAN_CACHE", str(feature_cache))


def forked(first: Path, path: Path, at: int | None = None, **asked: Any) -> Path:
    launch = Launch(path=path, threads=1, show_progress=False)
    return fork_run(Fork(source=first, images_seen=at), Request(**asked), launch).path


def tensors(run: Path) -> dict[str, torch.Tensor]:
    found = load_checkpoint(run)
    assert found is not None
    return found.tensors


def test_without_a_change_it_is_the_run_that_went_on(first: Path, tmp_path: Path) -> None:
    at = image_counts(first)[-2]
    assert 0 < at < 160
    before = {path: path.read_bytes() for path in first.rglob("*") if path.is_file()}
    path = forked(first, tmp_path / "same", at=at)
    assert {each: each.read_bytes() for each in before} == before
    once, again = tensors(first), tensors(path)
    assert once.keys() == again.keys()
    assert all(torch.equal(once[name], again[name]) for name in once)
    record = json.loads((path / "run.json").read_text())
    assert record["status"] == "done"
    assert record["forked_from"] == {"run": "first", "images_seen": at}
    assert record["config"] == json.loads((first / "run.json").read_text())["config"]


def test_a_changed_setting_makes_another_run(first: Path, tmp_path: Path) -> None:
    path = forked(first, tmp_path / "other", count=192, settings=["penalty.gamma_end=3"])
    assert read_run(path).num_seen == 192
    kept = json.loads((path / "run.json").read_text())["config"]
    assert kept["penalty"]["gamma_end"] == 3
    assert kept["budget"]["images"] == 192
    events = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    assert events[0] == {"images_seen": 160, "event": "fork", "run": "first"}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"settings": ["generator.width=16"]}, r"these would change: generator.width 8 -> 16"),
        ({"settings": ["condition=none"]}, "these would change: condition"),
        ({"data": {"source": "mnist"}}, "these would change: data.source"),
        ({"settings": ["nothing=1"]}, "nknown setting"),
    ],
)
def test_what_the_checkpoint_does_not_fit_is_refused(
    asked: dict[str, Any], said: str, first: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=said):
        forked(first, tmp_path / "x", **asked)
    assert not (tmp_path / "x").exists()


def test_a_used_up_budget_and_no_such_checkpoint_are_refused(first: Path, tmp_path: Path) -> None:
    with pytest.raises(ResumeError, match="is used up"):
        forked(first, tmp_path / "x")  # the newest checkpoint is the end
    with pytest.raises(ResumeError, match=r"no whole checkpoint at 7; its checkpoints are at "):
        forked(first, tmp_path / "x", at=7)
    with pytest.raises(ResumeError, match=r"run\.json"):
        forked(tmp_path / "none", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_folder_that_is_there_is_left_alone(first: Path, tmp_path: Path) -> None:
    place = tmp_path / "x"
    place.mkdir()
    (place / "mine").write_text("x")
    with pytest.raises(ResumeError, match="begins in a new folder"):
        forked(first, place, count=320)
    with pytest.raises(ResumeError, match="begins in a new folder"):
        forked(first, first, count=320)
    assert (place / "mine").read_text() == "x"


def test_tensors_of_another_form_leave_no_folder(first: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd"
    shutil.copytree(first, odd)
    record = json.loads((odd / "run.json").read_text())
    record["config"]["generator"]["width"] = 16
    (odd / "run.json").write_text(json.dumps(record))
    with pytest.raises(ConfigError, match="cannot be forked like this"):
        forked(odd, tmp_path / "x", count=320)
    assert not (tmp_path / "x").exists()


def test_the_command(first: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = str(tmp_path / "new")
    assert main(["fork", str(first), "--run", place, "--images", "176", "--threads", "1",
                 "--json"]) == 0  # fmt: skip
    assert json.loads(capsys.readouterr().out)["images_seen"] == 176
    assert main(["fork", str(first), "--run", place, "--images", "192"]) == 6
    assert "begins in a new folder" in capsys.readouterr().err
