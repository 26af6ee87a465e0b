"""A classification run: finished, stopped, killed, resumed, refused."""

from __future__ import annotations

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
from disturbances import EACH_STEP, NEVER, Killed
from PIL import Image

from orthogan.classification import session
from orthogan.classification.trainer import ClassifierTrainer
from orthogan.errors import DataError, DivergedError, ResumeError
from orthogan.models.bundle import load_bundle
from orthogan.training import session as sitting
from orthogan.training.checkpoint import load_checkpoint
from orthogan.training.lock import FolderLock
from orthogan.training.run_folder import read_metrics


def at_step(monkeypatch: pytest.MonkeyPatch, number: int, action: Any) -> None:
    """Does something once, right after the step that shows the `number`-th batch."""
    step, fired = ClassifierTrainer.step, []

    def stepped(trainer: ClassifierTrainer, progress: float) -> Any:
        record = step(trainer, progress)
        if trainer.images_seen == 16 * number and not fired:
            fired.append(True)
            action(trainer)
        return record

    monkeypatch.setattr(ClassifierTrainer, "step", stepped)


def die(_trainer: ClassifierTrainer) -> None:
    raise Killed


def record(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "run.json").read_text())
    return found


def final_bits(run: Path) -> tuple[bytes, bytes]:
    last = run / "checkpoints" / (run / "checkpoints" / "latest").read_text()
    weights = run / "bundle" / "classifier.safetensors"
    return weights.read_bytes(), (last / "tensors.safetensors").read_bytes()


def test_a_finished_run_leaves_everything(
    classify_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sitting, "METRICS_EVERY_S", 0.0)
    path = tmp_path / "runs" / "mine"
    run = classify_tiny(path, "score_every_s=1e-6")
    assert (run.path, run.status, run.images_seen) == (path, "done", 320)
    assert run.reason.startswith("Done: the budget is used up after 320 images")
    assert run.next_command == f"orthogan classify --classifier {path} --predict FOLDER"
    assert run.seconds > 0
    assert set(run.scores) == {"accuracy", "low", "high", "chance", "test images"}
    assert run.scores["low"] <= run.scores["accuracy"] <= run.scores["high"]
    written = record(path)
    assert (written["status"], written["scores"]) == ("done", run.scores)
    assert written["config"]["network"]["classes"] == 4
    stored = json.loads((path / "score.json").read_text())
    assert stored == run.score
    assert stored["scores"]["accuracy"]["value"] == run.scores["accuracy"]
    assert np.sum(stored["confusion"]) == run.scores["test images"]
    with Image.open(path / "look.png") as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGB")
    records = read_metrics(path / "metrics.jsonl")
    steps = [line for line in records if line["event"] == "step"]
    assert [line["images_seen"] for line in steps] == list(range(16, 321, 16))
    assert all(np.isfinite(line["loss"]) for line in steps)
    assert sum(line["event"] == "score" for line in records) == 20
    bundle = load_bundle(path / "bundle", "classifier")
    assert bundle.data["class_names"] == ["0", "1", "2", "3"]
    assert bundle.data["label_parts"] == 1
    assert bundle.card["scores"]["accuracy"] == stored["scores"]["accuracy"]
    assert "`accuracy`" in (path / "bundle" / "README.md").read_text()


@pytest.mark.parametrize("settings", [(), ("network.stem=both", "precision=bfloat16")])
def test_stopped_three_times_and_resumed_gives_the_same_bits(
    classify_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: tuple[str, ...]
) -> None:
    classify_tiny(tmp_path / "whole", *settings)
    for number, kind in [(3, signal.SIGINT), (11, signal.SIGTERM), (12, signal.SIGINT)]:
        with monkeypatch.context() as patch:
            at_step(patch, number, lambda _, kind=kind: os.kill(os.getpid(), kind))
            run = classify_tiny(tmp_path / "parts", *settings)
        assert run.status == ("preempted" if kind == signal.SIGTERM else "interrupted")
        assert run.images_seen == 16 * number
        assert run.reason == f"Stopped at {16 * number} images; everything is saved."
        assert run.next_command == f"orthogan classify --run {tmp_path / 'parts'}"
        assert run.score == {}
    run = classify_tiny(tmp_path / "parts", *settings)
    assert (run.status, run.images_seen) == ("done", 320)
    assert final_bits(tmp_path / "parts") == final_bits(tmp_path / "whole")


@pytest.mark.parametrize(("setting", "kept"), [(EACH_STEP, 12), (NEVER, 0)])
def test_a_killed_run_goes_on_from_its_last_checkpoint(
    classify_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, kept: int
) -> None:
    classify_tiny(tmp_path / "whole")
    with monkeypatch.context() as patch:
        at_step(patch, 13, die)
        with pytest.raises(Killed):
            classify_tiny(tmp_path / "run", setting)
    checkpoint = load_checkpoint(tmp_path / "run")
    assert checkpoint is not None
    assert checkpoint.images_seen == 16 * kept
    classify_tiny(tmp_path / "run")  # how often to save may change
    assert final_bits(tmp_path / "run") == final_bits(tmp_path / "whole")


def test_a_kill_between_the_end_and_the_bundle(
    classify_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_args: Any, **_options: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(session, "save_bundle", killed)
        with pytest.raises(Killed):
            classify_tiny(tmp_path / "run")
    assert record(tmp_path / "run")["status"] == "running"
    assert classify_tiny(tmp_path / "run").status == "done"


def test_a_second_interrupt_stops_at_once(
    classify_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def twice(_trainer: ClassifierTrainer) -> None:
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        at_step(patch, 9, twice)
        with pytest.raises(KeyboardInterrupt):
            classify_tiny(tmp_path / "run")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    assert classify_tiny(tmp_path / "run").status == "done"


def test_scores_and_checkpoints_do_not_change_the_weights(classify_tiny, tmp_path: Path) -> None:
    classify_tiny(tmp_path / "plain", images=96)
    classify_tiny(tmp_path / "often", "score_every_s=1e-6", EACH_STEP, images=96)
    assert final_bits(tmp_path / "often") == final_bits(tmp_path / "plain")


def test_a_finished_run_is_left_alone(
    classify_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = classify_tiny(tmp_path / "run", images=32)
    monkeypatch.setattr(ClassifierTrainer, "step", die)
    again = classify_tiny(tmp_path / "run", images=32)
    assert (again.status, again.score, again.seconds) == ("done", first.score, first.seconds)
    assert "is already trained to the end of its budget" in again.reason
    assert again.next_command == first.next_command


def test_a_diverged_run_keeps_its_checkpoint(
    classify_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plant_nan(trainer: ClassifierTrainer) -> None:
        with torch.no_grad():
            trainer.network.head.weight[0, 0] = float("nan")

    at_step(monkeypatch, 5, plant_nan)
    with pytest.raises(DivergedError, match=r"Diverged at 80 images: .* checkpoint at 0 images"):
        classify_tiny(tmp_path / "run", NEVER)
    assert record(tmp_path / "run")["status"] == "diverged"


def test_weights_that_are_not_finite_are_never_saved(
    classify_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plant_nan(trainer: ClassifierTrainer) -> None:
        with torch.no_grad():
            trainer.average.head.weight[0, 0] = float("nan")

    at_step(monkeypatch, 5, plant_nan)
    with pytest.raises(DivergedError, match=r"average/head\.weight is not finite"):
        classify_tiny(tmp_path / "run", EACH_STEP)
    checkpoint = load_checkpoint(tmp_path / "run")
    assert checkpoint is not None
    assert checkpoint.images_seen == 64


def test_other_settings_and_other_data_are_refused(
    classify_tiny, tiny_file: Path, tmp_path: Path
) -> None:
    mine = Path(shutil.copy(tiny_file, tmp_path / "mine.npz"))
    classify_tiny(tmp_path / "run", source=mine, images=32)
    with pytest.raises(ResumeError, match=r"distortion\.strength 1\.0 -> 0\.5"):
        classify_tiny(tmp_path / "run", "distortion.strength=0.5", source=mine, images=32)
    with pytest.raises(ResumeError, match="seed 0 -> 3"):
        classify_tiny(tmp_path / "run", source=mine, images=32, seed=3)
    with np.load(mine, allow_pickle=False) as stored:
        images, labels = stored["images"].copy(), stored["labels"]
    images[0, 0, 0] ^= 1
    np.savez(mine, images=images, labels=labels)
    with pytest.raises(ResumeError, match="was trained on other data"):
        classify_tiny(tmp_path / "run", source=mine, images=32)


def test_a_folder_of_a_generator_is_refused(classify_tiny, train_tiny, tmp_path: Path) -> None:
    train_tiny(tmp_path / "run", images=16)
    with pytest.raises(ResumeError, match="holds a run of the task 'gan', not 'classify'"):
        classify_tiny(tmp_path / "run")


def test_a_run_that_somebody_else_trains(classify_tiny, tmp_path: Path) -> None:
    classify_tiny(tmp_path / "run", images=32)
    lock = FolderLock(tmp_path / "run" / ".lock")
    try:
        with pytest.raises(ResumeError, match="another process is training"):
            classify_tiny(tmp_path / "run", images=32)
    finally:
        lock.release()


def test_without_attention_there_is_nothing_to_look_at(classify_tiny, tmp_path: Path) -> None:
    run = classify_tiny(tmp_path / "run", "network.blocks=0", "network.read_out=mean", images=32)
    assert run.status == "done"
    assert not (tmp_path / "run" / "look.png").exists()


def test_classifying_outside_of_the_main_thread(classify_tiny, tmp_path: Path) -> None:
    runs: list[Any] = []
    thread = threading.Thread(target=lambda: runs.append(classify_tiny(tmp_path / "a", images=32)))
    thread.start()
    thread.join()
    assert [run.status for run in runs] == ["done"]


def test_a_short_time_budget(classify_tiny, tmp_path: Path) -> None:
    run = classify_tiny(tmp_path / "run", minutes=0.3 / 60)
    assert run.status == "done"
    assert run.seconds >= 0.3
    assert run.images_seen > 0


def test_unlabelled_data_and_a_single_class_are_refused(
    classify_tiny, tiny_file: Path, tmp_path: Path
) -> None:
    with np.load(tiny_file, allow_pickle=False) as stored:
        np.save(tmp_path / "plain.npy", stored["images"])
        np.savez(tmp_path / "one.npz", images=stored["images"], labels=np.zeros(200, int))
    with pytest.raises(DataError, match=r"plain\.npy: has no labels"):
        classify_tiny(tmp_path / "run", source=tmp_path / "plain.npy")
    with pytest.raises(DataError, match=r"one\.npz: all images are of one class \('0'\)"):
        classify_tiny(tmp_path / "run", source=tmp_path / "one.npz")
    assert not (tmp_path / "run").exists()


def test_what_was_done_is_told(
    classify_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(sitting, "SHOW_EVERY_S", 0.0)
    classify_tiny(
        tmp_path / "run",
        "network.stem=patch",
        "score_every_s=1e-6",
        images=32,
        show_progress=True,
    )
    said = capsys.readouterr().err
    assert "has no test set: " in said
    assert "network.channels has no effect with network.stem=patch." in said
    assert "% of " in said
    assert " left  " in said
