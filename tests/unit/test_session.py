"""A sitting of a run: finished, stopped, killed, resumed, refused."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from disturbances import EACH_STEP, NEVER, STEPS, Killed, at_step, die, final_bits, record
from PIL import Image

import orthogan
from orthogan.data.clusters import image_clusters
from orthogan.errors import ConfigError, ResumeError, StorageError
from orthogan.evaluation import LiveScore
from orthogan.gan import api, conditions, session
from orthogan.gan.trainer import Trainer
from orthogan.models.bundle import load_bundle
from orthogan.models.bundle.tensors import digest
from orthogan.training import session as sitting
from orthogan.training.checkpoint import load_checkpoint
from orthogan.training.lock import FolderLock
from orthogan.training.run_folder import read_metrics


def test_a_finished_run_leaves_everything(
    train_tiny, scored_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sitting, "METRICS_EVERY_S", 0.0)
    path = tmp_path / "runs" / "mine"
    run = train_tiny(path, source=scored_file)
    assert (run.path, run.status, run.images_seen) == (path, "done", 320)
    assert run.reason.startswith("Done: the budget is used up after 320 images")
    assert run.next_command == f"orthogan sample {path}"
    assert run.seconds > 0
    (name,) = [name for name in run.scores if name.startswith("fd[digits-cls@")]
    assert run.scores[name] > run.scores["floor"] > 0
    assert 0 <= run.scores["least class share"] <= run.scores["largest class share"] <= 1
    written = record(path)
    assert (written["status"], written["reason"], written["scores"]) == (
        "done",
        run.reason,
        run.scores,
    )
    records = read_metrics(path / "metrics.jsonl")
    steps = [line for line in records if line["event"] == "step"]
    assert [line["images_seen"] for line in steps] == list(range(16, 321, 16))
    assert all(np.isfinite(line["discriminator_loss"]) for line in steps)
    assert 0 < steps[0]["elapsed_s"] < steps[-1]["elapsed_s"] < run.seconds
    last = records[-2 if records[-1]["event"] == "step" else -1]
    assert (last["event"], last["images_seen"], last[name]) == ("score", 320, run.scores[name])
    with Image.open(path / "samples" / "000000320.png") as picture:
        assert (picture.format, picture.mode) == ("PNG", "L")
    bundle = load_bundle(path / "bundle")
    assert bundle.card["scores"][name]["value"] == run.scores[name]
    assert bundle.card["scores"][name]["floor"] == run.scores["floor"]
    assert bundle.card["images seen"] == 320
    assert bundle.data["size"] == 16
    assert bundle.data["class_names"] == ["0", "1", "2", "3"]
    assert name in (path / "bundle" / "README.md").read_text()


@pytest.mark.parametrize(
    ("last", "told"), [(2.0, True), (1.21, True), (1.19, False), (1.1, False), (0.9, False)]
)
def test_a_run_past_its_best_says_so(
    train_tiny, scored_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    last: float, told: bool,
) -> None:  # fmt: skip
    read, distances = LiveScore.read, [5.0, 1.0, 3.0]

    def scripted(score: LiveScore, fake: torch.Tensor) -> Any:
        distance = distances.pop(0) if distances else last
        return dataclasses.replace(read(score, fake), distance=distance)

    monkeypatch.setattr(LiveScore, "read", scripted)
    run = train_tiny(tmp_path / "run", "score_every_s=1e-6", source=scored_file, images=96)
    picture = tmp_path / "run" / "samples" / "000000032.png"
    sentence = (
        f" Its distance was lower before: 1 after 32 images ({picture}), {last:.3g} now; "
        "a shorter budget may end better."
    )
    assert run.reason.endswith(sentence) is told
    assert ("lower before" in run.reason) is told
    assert picture.exists()
    assert record(run.path)["reason"] == run.reason


def test_too_few_images_for_a_score_still_train(train_tiny, tmp_path: Path) -> None:
    run = train_tiny(tmp_path / "run")
    assert (run.status, run.scores) == ("done", {})
    assert (tmp_path / "run" / "samples" / "000000320.png").exists()


@pytest.mark.parametrize(
    "settings",
    [(), ("condition=classes", "precision=bfloat16"), ("penalty.kind=finite-difference",)],
    ids=["default", "classes", "finite-difference"],
)
def test_stopped_three_times_and_resumed_gives_the_same_bits(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: tuple[str, ...]
) -> None:
    train_tiny(tmp_path / "whole", *settings)
    stops = [(3, signal.SIGINT), (11, signal.SIGTERM), (12, signal.SIGINT)]
    for number, kind in stops:
        with monkeypatch.context() as patch:
            at_step(patch, number, lambda _, kind=kind: os.kill(os.getpid(), kind))
            run = train_tiny(tmp_path / "parts", *settings)
        assert run.status == ("preempted" if kind == signal.SIGTERM else "interrupted")
        assert run.images_seen == 16 * number
        assert run.reason == f"Stopped at {16 * number} images; everything is saved."
        assert run.next_command == f"orthogan train --run {tmp_path / 'parts'}"
        assert record(tmp_path / "parts")["status"] == run.status
    run = train_tiny(tmp_path / "parts", *settings)
    assert (run.status, run.images_seen) == ("done", 320)
    assert final_bits(tmp_path / "parts") == final_bits(tmp_path / "whole")


def test_handlers_of_signals_are_put_back(train_tiny, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    train_tiny(tmp_path / "run", images=32)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_second_interrupt_stops_at_once(
    train_tiny, whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice(_trainer: Trainer) -> None:
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        at_step(patch, 9, twice)
        with pytest.raises(KeyboardInterrupt):
            train_tiny(tmp_path / "run")
    assert train_tiny(tmp_path / "run").status == "done"
    assert final_bits(tmp_path / "run") == whole


@pytest.mark.parametrize(("setting", "kept"), [(EACH_STEP, 12), (NEVER, 0)])
def test_a_killed_run_goes_on_from_its_last_checkpoint(
    train_tiny, whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, kept: int
) -> None:
    with monkeypatch.context() as patch:
        at_step(patch, 13, die)
        with pytest.raises(Killed):
            train_tiny(tmp_path / "run", setting)
    checkpoint = load_checkpoint(tmp_path / "run")
    assert checkpoint is not None
    assert checkpoint.images_seen == 16 * kept
    assert record(tmp_path / "run")["status"] == "running"
    steps: list[float] = []
    step = Trainer.step
    monkeypatch.setattr(Trainer, "step", lambda *args: steps.append(args[1]) or step(*args))
    train_tiny(tmp_path / "run")  # how often to save may change
    assert len(steps) == STEPS - kept
    assert final_bits(tmp_path / "run") == whole


def test_clusters_are_found_again_only_without_a_checkpoint(
    train_tiny, whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []

    def counted(images: Any, num_clusters: int, seed: int) -> torch.Tensor:
        counts.append(num_clusters)
        return image_clusters(images, num_clusters, seed)

    monkeypatch.setattr(conditions, "image_clusters", counted)
    for number in (3, 11):
        with monkeypatch.context() as patch:
            at_step(patch, number, lambda _: signal.raise_signal(signal.SIGINT))
            assert train_tiny(tmp_path / "run").images_seen == 16 * number
        assert counts == [2]
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    train_tiny(tmp_path / "run")
    assert counts == [2, 2]
    assert final_bits(tmp_path / "run") == whole


def test_a_kill_between_the_end_and_the_bundle(
    train_tiny, whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_args: Any, **_options: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(session, "save_bundle", killed)
        with pytest.raises(Killed):
            train_tiny(tmp_path / "run")
    assert train_tiny(tmp_path / "run").status == "done"
    assert final_bits(tmp_path / "run") == whole


def test_a_damaged_checkpoint_costs_only_the_way_since_the_one_before(
    train_tiny, whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    with monkeypatch.context() as patch:
        at_step(patch, 13, die)
        with pytest.raises(Killed):
            train_tiny(tmp_path / "run", EACH_STEP)
    damaged = tmp_path / "run" / "checkpoints" / "000000192" / "tensors.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    train_tiny(tmp_path / "run", show_progress=True)
    assert "Resuming from 176 images instead." in capsys.readouterr().err
    assert final_bits(tmp_path / "run") == whole


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("watch", "steps"), None),
        (("watch", "looks"), -1),
        (("alarm", "looks", "mode_collapse"), None),
        (("health", "images"), 0.5),
        (("attempt",), None),
        (("attempt",), 2**53),
        (("attempt",), True),
    ],
)
def test_a_state_that_no_trainer_has_is_refused(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: tuple[str, ...], value: Any
) -> None:
    with monkeypatch.context() as patch:
        at_step(patch, 2, die)
        with pytest.raises(Killed):
            train_tiny(tmp_path / "run", EACH_STEP)
    for file in (tmp_path / "run" / "checkpoints").glob("*/state.json"):
        stored = json.loads(file.read_text())
        *parents, leaf = place
        part = stored["state"]
        for name in parents:
            part = part[name]
        part[leaf] = value
        stored["state_sha256"] = digest(json.dumps(stored["state"]).encode())
        file.write_text(json.dumps(stored))
    with pytest.raises(ResumeError, match=f"{place[0]}.*(damaged|above).*; remove that checkpoint"):
        train_tiny(tmp_path / "run")


def test_scores_and_checkpoints_do_not_change_the_weights(
    train_tiny, scored_file: Path, tmp_path: Path
) -> None:
    train_tiny(tmp_path / "plain", source=scored_file, images=96)
    often = ("score_every_s=1e-6", EACH_STEP)
    train_tiny(tmp_path / "often", *often, source=scored_file, images=96)
    records = read_metrics(tmp_path / "often" / "metrics.jsonl")
    scores = [line for line in records if line["event"] == "score"]
    assert [line["images_seen"] for line in scores] == [16, 32, 48, 64, 80, 96]
    assert all(line["floor"] > 0 for line in scores)
    assert len(list((tmp_path / "often" / "samples").iterdir())) == 6
    assert final_bits(tmp_path / "often") == final_bits(tmp_path / "plain")


def test_the_last_score_is_measured_once(
    train_tiny, scored_file: Path, tmp_path: Path, capsys
) -> None:
    often = ("score_every_s=1e-6", NEVER)
    train_tiny(tmp_path / "run", *often, source=scored_file, images=32, show_progress=True)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    scores = [json.loads(line) for line in lines if '"score"' in line]
    assert [line["images_seen"] for line in scores] == [16, 32]
    told = capsys.readouterr().err.splitlines()
    # The bar repeats the latest score; a line of its own tells each.
    assert sum("(real images: " in line and " left " not in line for line in told) == 2


def test_a_finished_run_is_left_alone(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train_tiny(tmp_path / "run")
    files = {
        path: path.read_bytes()
        for path in (tmp_path / "run").rglob("*")
        if path.is_file() and path.name != "run.json"
    }
    monkeypatch.setattr(Trainer, "step", die)
    again = train_tiny(tmp_path / "run")
    assert (again.status, again.images_seen, again.seconds) == ("done", 320, first.seconds)
    assert "is already trained to the end of its budget" in again.reason
    assert again.next_command == first.next_command
    assert {path: path.read_bytes() for path in files} == files


def test_other_settings_are_refused_by_name(train_tiny, tmp_path: Path) -> None:
    train_tiny(tmp_path / "run", images=32)
    with pytest.raises(ResumeError, match=r"penalty\.gamma_start 5\.0 -> 1\.0"):
        train_tiny(tmp_path / "run", "penalty.gamma_start=1", images=32)
    with pytest.raises(ResumeError, match="seed 0 -> 3"):
        train_tiny(tmp_path / "run", images=32, seed=3)


def test_other_data_is_refused(train_tiny, tiny_file: Path, tmp_path: Path) -> None:
    mine = Path(shutil.copy(tiny_file, tmp_path / "mine.npz"))
    train_tiny(tmp_path / "run", source=mine, images=32)
    with np.load(mine, allow_pickle=False) as stored:
        images, labels = stored["images"].copy(), stored["labels"]
    images[0, 0, 0] ^= 1
    np.savez(mine, images=images, labels=labels)
    with pytest.raises(ResumeError, match="was trained on other data"):
        train_tiny(tmp_path / "run", source=mine, images=32)


def test_a_run_finds_its_data_from_another_folder(
    train_tiny, scored_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    shutil.copy(scored_file, "mine.npz")
    run = train_tiny(Path("run"), source="mine.npz", images=32)
    found = str(tmp_path / "here" / "mine.npz")
    assert record(Path("run"))["config"]["data"]["source"] == found
    assert load_bundle(Path("run/bundle")).data["source"] == found
    assert "trained by orthogan on mine.npz." in Path("run/bundle/README.md").read_text()
    monkeypatch.chdir(tmp_path / "there")
    assert api.evaluate(tmp_path / "here" / "run", num_images=160, metrics=["fd"]).scores
    again = train_tiny(tmp_path / "here" / "run", source="../here/mine.npz", images=32)
    assert (again.status, again.seconds) == ("done", run.seconds)


def test_a_run_that_named_its_data_by_a_relative_path_goes_on(
    train_tiny, tiny_file: Path, whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(tiny_file, "mine.npz")
    with monkeypatch.context() as patch:
        at_step(patch, 9, lambda _: signal.raise_signal(signal.SIGINT))
        train_tiny(Path("run"), source="mine.npz")
    written = record(Path("run"))
    written["config"]["data"]["source"] = "mine.npz"
    Path("run/run.json").write_text(json.dumps(written))
    run = train_tiny(Path("run"), source="mine.npz")
    assert (run.status, run.images_seen) == ("done", 320)
    assert final_bits(Path("run")) == whole


def test_occupied_run_folders_are_refused(train_tiny, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"")
    with pytest.raises(ResumeError, match=r"not a run folder .*cat\.jpg"):
        train_tiny(tmp_path / "photos")
    assert [entry.name for entry in (tmp_path / "photos").iterdir()] == ["cat.jpg"]
    with pytest.raises(ResumeError, match="is a file, not a run folder"):
        train_tiny(tmp_path / "photos" / "cat.jpg")


def test_a_folder_that_cannot_be_made(train_tiny, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot be written") as caught:
        train_tiny(tmp_path / "file" / "run")
    assert str(caught.value).count("\n") == 0


def test_a_run_that_somebody_else_trains(train_tiny, tmp_path: Path) -> None:
    train_tiny(tmp_path / "run", images=32)
    lock = FolderLock(tmp_path / "run" / ".lock")
    try:
        with pytest.raises(ResumeError, match="another process is training"):
            train_tiny(tmp_path / "run", images=32)
    finally:
        lock.release()


def test_training_outside_of_the_main_thread(train_tiny, tmp_path: Path) -> None:
    runs: list[orthogan.Run] = []
    thread = threading.Thread(target=lambda: runs.append(train_tiny(tmp_path / "run", images=32)))
    thread.start()
    thread.join()
    assert [run.status for run in runs] == ["done"]


def test_a_resumed_run_takes_as_many_threads_as_it_had(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    with monkeypatch.context() as patch:
        at_step(patch, 1, lambda _: signal.raise_signal(signal.SIGINT))
        train_tiny(tmp_path / "run", threads=1, images=32)
    for count in (0, -1, 100_000):  # the last would be more than the system allows
        with pytest.raises(ConfigError, match=rf"threads lie in 1\.\.1024, got {count}\."):
            train_tiny(tmp_path / "run", images=32, threads=count)
    torch.set_num_threads(2)
    train_tiny(tmp_path / "run", images=32, show_progress=True)
    assert torch.get_num_threads() == 1
    assert record(tmp_path / "run")["provenance"]["threads"] == 1
    assert "threads was" not in capsys.readouterr().err
