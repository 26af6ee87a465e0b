"""`orthogan train` as people and schedulers meet it: a process, its signals, its exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orthogan.cli import main

pytestmark = pytest.mark.usefixtures("one_thread")

# 800 steps: long enough to be interrupted, a few seconds when left alone.
LONG_RUN = ("--images", "12800", "--set", "checkpoint_every_s=0.2")
# Where it is not the scores that are looked at: the general extractor takes longer than the runs.
QUICK = ("--num-images", "160", "--metrics", "fd", "--extractor", "digits-cls", "--json")


@pytest.fixture
def words(
    scored_file: Path,
    tiny_settings: Callable[..., tuple[str, ...]],
    feature_cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[str, ...]:
    """`train` with tiny networks into `run`; the settings of a subprocess's thread count too."""
    monkeypatch.setenv("ORTHOGAN_CACHE", str(feature_cache))
    monkeypatch.chdir(tmp_path)
    settings = [word for setting in tiny_settings() for word in ("--set", setting)]
    return ("train", str(scored_file), "--run", "runs/mine", "--threads", "1", *settings)


@pytest.fixture
def start(words: tuple[str, ...]) -> Any:
    """Starts the command in a process of its own, and sees to it that none is left behind."""
    started: list[subprocess.Popen[str]] = []

    def process(*more: str) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "orthogan.cli", *words, *more],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield process
    for child in started:
        child.kill()
        child.communicate()


def wait_for_progress(child: subprocess.Popen[str]) -> str:
    """What was said on stderr up to the first line of progress: the loop is running."""
    assert child.stderr is not None
    said = ""
    for line in child.stderr:
        said += line
        if "% " in line and " left" in line:
            return said
    raise AssertionError(f"no progress, only: {said}")


def images_at(run: Path) -> int:
    return int((run / "checkpoints" / "latest").read_text())


def test_train_sample_evaluate_list(
    start, words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    child = start("--images", "320", "--json")
    out, err = child.communicate(timeout=300)
    assert child.returncode == 0, err
    result = json.loads(out)
    assert (result["status"], result["images_seen"], result["path"]) == ("done", 320, "runs/mine")
    assert "Traceback" not in err
    assert err.splitlines()[-1] == f"{result['reason']} Next: orthogan sample runs/mine"

    assert main(["sample", "runs/mine", "--seeds", "0-159", "--out", "images.npz"]) == 0
    assert capsys.readouterr().out == "images.npz\n"
    with np.load("images.npz", allow_pickle=False) as stored:
        assert (stored["images"].shape, stored["images"].dtype) == ((160, 16, 16, 1), np.uint8)

    assert main(["evaluate", "runs/mine", "--num-images", "160", "--metrics", "fd", "--json"]) == 0
    tree = json.loads(capsys.readouterr().out)
    ((name, score),) = tree["scores"].items()
    assert name.startswith("fd[general@")
    assert set(score) == {"value", "low", "high", "floor", "n"}
    assert tree["verdict"]

    assert main(["runs", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["run"], row["status"], row["images_seen"]) == ("runs/mine", "done", 320)
    assert row["scores"] == result["scores"]

    assert main([*words, "--images", "320", "--json"]) == 0  # the same command again
    again = capsys.readouterr()
    assert json.loads(again.out)["seconds"] == result["seconds"]
    assert again.err.splitlines()[-1].startswith("runs/mine is already trained to the end of its ")


def checkpoint_used(run: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What 'orthogan sample' and 'orthogan evaluate' say about the checkpoint that they use."""
    capsys.readouterr()
    assert main(["sample", run, "--seeds", "0-3", "--out", "drawn.npz"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "drawn.npz\n"
    said = printed.err.splitlines()
    assert main(["evaluate", run, *QUICK]) == 0
    printed = capsys.readouterr()
    tree = json.loads(printed.out)
    assert set(said) <= set(tree["notes"])
    assert (tree["compared"]["source"], tree["compared"]["num_real"]) == (run, 320)
    assert tree["compared"]["checkpoint"] == images_at(Path(run))
    return said


def test_a_run_survives_every_way_to_stop_it(
    start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "runs" / "mine"

    child = start(*LONG_RUN)
    wait_for_progress(child)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=300)
    assert child.returncode == 130, err
    first = images_at(run)
    assert first > 0
    assert err.splitlines()[-1] == (
        f"Stopped at {first:,} images; everything is saved. Next: orthogan train --run runs/mine"
    )
    assert "Traceback" not in err
    assert "status" in out
    used = f"the checkpoint at {first:,} images is used."
    assert checkpoint_used("runs/mine", capsys) == [f"runs/mine was interrupted: {used}"]

    child = start(*LONG_RUN, "--json")
    assert f"Resuming from {first:,} images." in wait_for_progress(child)
    child.send_signal(signal.SIGTERM)
    out, err = child.communicate(timeout=300)
    assert child.returncode == 75, err
    assert json.loads(out)["status"] == "preempted"
    second = images_at(run)
    assert second > first
    used = f"the checkpoint at {second:,} images is used."
    assert checkpoint_used("runs/mine", capsys) == [f"runs/mine was preempted: {used}"]

    child = start(*LONG_RUN)
    wait_for_progress(child)
    child.send_signal(signal.SIGSTOP)  # so that it cannot finish before its rival has started
    rival = start(*LONG_RUN)
    out, err = rival.communicate(timeout=300)
    assert (rival.returncode, out) == (6, "")
    assert "another process is training into this run folder" in err
    used = f"the checkpoint at {images_at(run):,} images is used."
    assert checkpoint_used("runs/mine", capsys) == [f"runs/mine is still running: {used}"]
    child.kill()
    child.communicate(timeout=300)
    assert child.returncode == -signal.SIGKILL
    used = f"the checkpoint at {images_at(run):,} images is used."
    assert checkpoint_used("runs/mine", capsys) == [f"runs/mine was interrupted: {used}"]

    assert main(["train", "--run", "runs/mine", "--json"]) == 0  # its own budget and settings
    assert json.loads(capsys.readouterr().out)["images_seen"] == 12_800
    assert not list((run / "checkpoints").glob(".*"))
    assert checkpoint_used("runs/mine", capsys)[1:] == []

    assert main(["train", "--run", "runs/mine", "--images", "12832", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["images_seen"] == 12_832
    assert "was 12,800 images and is now 12,832 images: schedules are planned anew" in printed.err
    assert main(["train", "--run", "runs/mine", "--images", "12800"]) == 6
    assert "has trained for 12,832 images already" in capsys.readouterr().err


def test_a_diverged_run_says_so(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    huge = ("--set", "generator_optimizer.learning_rate=1e30")
    assert main([*words, "--images", "320", "--json", *huge]) == 4
    printed = capsys.readouterr()
    assert printed.out == ""
    last = printed.err.splitlines()[-1]
    assert last.startswith("orthogan: Diverged at ")
    assert last.endswith("is kept in runs/mine.")
    assert main(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["status"] == "diverged"


def test_other_settings_on_the_same_folder(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--images", "32"]) == 0
    capsys.readouterr()
    assert main([*words, "--images", "32", "--seed", "4"]) == 6
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("orthogan: runs/mine was made with other settings: seed 0 -> 4.")
    assert printed.err.count("\n") == 1


def test_when_it_ends_and_whether_it_goes_back_can_be_chosen(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    dry = ["--dry-run", "--json"]
    assert main([*words, *dry]) == 0
    usual = json.loads(capsys.readouterr().out)
    assert (usual["until"], usual["rollbacks"]) == ("budget", 3)
    assert main([*words, "--no-rollback", *dry]) == 0
    assert json.loads(capsys.readouterr().out)["rollbacks"] == 0
    assert main([*words, "--until", "converged", *dry]) == 2  # 200 images are too few
    assert "Leave out --until" in capsys.readouterr().err
    assert main([*words, "--until", "tomorrow", *dry]) == 2
    assert "'until' = 'tomorrow'" in capsys.readouterr().err


def test_compiled_steps_can_be_asked_for(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--images", "32", "--compile", "off", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["compile"] == "off"
    assert main([*words, "--images", "32", "--compile", "maybe"]) == 2
    assert "'compile' = 'maybe'" in capsys.readouterr().err
    refused = ("--compile", "on", "--set", "penalty.kind=finite-difference")
    assert main([*words, "--images", "32", *refused]) == 2
    assert "compile=on is impossible here" in capsys.readouterr().err


def test_a_dry_run_shows_settings_that_train_the_same(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--images", "32", "--dry-run", "--json"]) == 0
    settings = capsys.readouterr().out
    assert not (tmp_path / "runs").exists()
    assert main([*words, "--images", "32"]) == 0
    record = json.loads((tmp_path / "runs" / "mine" / "run.json").read_text())
    shown = json.loads(settings)
    (inspection,) = shown.pop("inspection")
    assert inspection["images"] == sum(inspection["classes"].values()) > 0
    assert record["config"] == shown
