"""A sitting of a run: finished, stopped, killed, resumed, refused, diverged, saturated."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from orthogan import api
from orthogan.bundle import load_bundle
from orthogan.errors import DivergedError, ResumeError, StorageError
from orthogan.training import session, watch
from orthogan.training.checkpoint import load_checkpoint
from orthogan.training.config import BudgetConfig
from orthogan.training.lock import FolderLock
from orthogan.training.run_folder import read_metrics
from orthogan.training.session import Clock
from orthogan.training.trainer import Trainer

EACH_STEP = "checkpoint_every_s=1e-6"
NEVER = "checkpoint_every_s=1000"
STEPS = 20  # 320 images in batches of 16


class Killed(BaseException):
    """The process is gone: nothing of ours may catch this."""


def at_step(
    monkeypatch: pytest.MonkeyPatch, number: int, action: Callable[[Trainer], object]
) -> None:
    """Does something once, right after the step that shows the `number`-th batch."""
    step, fired = Trainer.step, []

    def stepped(trainer: Trainer, progress: float) -> Any:
        record = step(trainer, progress)
        if trainer.images_seen == 16 * number and not fired:
            fired.append(True)
            action(trainer)
        return record

    monkeypatch.setattr(Trainer, "step", stepped)


def die(_trainer: Trainer) -> None:
    raise Killed


def plant_nan(trainer: Trainer) -> None:
    with torch.no_grad():
        next(trainer.generator.parameters()).view(-1)[0] = float("nan")


def record(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "run.json").read_text())
    return found


def final_bits(run: Path) -> tuple[bytes, bytes]:
    last = run / "checkpoints" / (run / "checkpoints" / "latest").read_text()
    weights = run / "bundle" / "generator.safetensors"
    return weights.read_bytes(), (last / "tensors.safetensors").read_bytes()


@pytest.fixture
def whole(train_tiny, tmp_path: Path) -> tuple[bytes, bytes]:
    """The weights of a run that nothing disturbed."""
    assert train_tiny(tmp_path / "whole").status == "done"
    return final_bits(tmp_path / "whole")


def test_a_finished_run_leaves_everything(
    train_tiny, scored_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "METRICS_EVERY_S", 0.0)
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
    assert [line["images_seen"] for line in records] == list(range(16, 321, 16))
    assert all(np.isfinite(line["discriminator_loss"]) for line in records)
    assert records[-1][name] == run.scores[name]
    with Image.open(path / "samples" / "000000320.png") as picture:
        assert (picture.format, picture.mode) == ("PNG", "L")
    bundle = load_bundle(path / "bundle")
    assert bundle.card["live scores"] == run.scores
    assert bundle.card["images seen"] == 320
    assert bundle.data["size"] == 16
    assert bundle.data["class_names"] == ["0", "1", "2", "3"]
    assert name in (path / "bundle" / "README.md").read_text()


def test_too_few_images_for_a_score_still_train(train_tiny, tmp_path: Path) -> None:
    run = train_tiny(tmp_path / "run")
    assert (run.status, run.scores) == ("done", {})
    assert (tmp_path / "run" / "samples" / "000000320.png").exists()


@pytest.mark.parametrize(
    "settings",
    [(), ("conditional=true", "precision=bfloat16"), ("penalty.kind=finite-difference",)],
    ids=["default", "conditional", "finite-difference"],
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
        assert run.next_command == "repeat the same command to go on."
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


def test_scores_and_checkpoints_do_not_change_the_weights(
    train_tiny, scored_file: Path, tmp_path: Path
) -> None:
    train_tiny(tmp_path / "plain", source=scored_file, images=96)
    often = ("score_every_s=1e-6", EACH_STEP)
    train_tiny(tmp_path / "often", *often, source=scored_file, images=96)
    scores = [line for line in read_metrics(tmp_path / "often" / "metrics.jsonl")]
    assert [line["images_seen"] for line in scores] == [16, 32, 48, 64, 80, 96]
    assert all(line["floor"] > 0 for line in scores)
    assert len(list((tmp_path / "often" / "samples").iterdir())) == 6
    assert final_bits(tmp_path / "often") == final_bits(tmp_path / "plain")


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


class FakeTime(SimpleNamespace):
    """A clock that only steps move."""

    def __init__(self) -> None:
        super().__init__(now=100.0)

    def perf_counter(self) -> float:
        return float(self.now)


def test_a_time_budget_counts_every_sitting(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeTime()
    monkeypatch.setattr(session, "time", clock)
    step = Trainer.step
    progress: list[float] = []

    def timed(trainer: Trainer, share: float) -> Any:
        progress.append(share)
        clock.now += 0.0625
        return step(trainer, share)

    monkeypatch.setattr(Trainer, "step", timed)
    with monkeypatch.context() as patch:
        at_step(patch, 5, lambda _: signal.raise_signal(signal.SIGINT))
        assert train_tiny(tmp_path / "run", minutes=1 / 60).images_seen == 80
    clock.now += 1000  # the night between two sittings does not count
    run = train_tiny(tmp_path / "run", minutes=1 / 60)
    assert (run.status, run.images_seen, run.seconds) == ("done", 16 * 16, 1.0)
    assert progress == [number / 16 for number in range(16)]


def test_a_short_time_budget_in_real_time(train_tiny, tmp_path: Path) -> None:
    started = time.monotonic()
    run = train_tiny(tmp_path / "run", minutes=0.3 / 60)
    assert run.status == "done"
    assert 0.3 <= run.seconds <= time.monotonic() - started
    assert run.images_seen > 0


def test_things_are_due_once_in_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = FakeTime()
    monkeypatch.setattr(session, "time", now)
    clock = Clock(BudgetConfig(images=100), before_s=5.0, started=now.perf_counter())
    found = []
    for _ in range(8):
        now.now += 0.5
        found.append(clock.is_due("a", 1.0))
    assert found == [False, True] * 4
    assert clock.elapsed_s == 9.0
    assert clock.progress(50) == 0.5


def test_other_settings_are_refused_by_name(train_tiny, tmp_path: Path) -> None:
    train_tiny(tmp_path / "run", images=32)
    with pytest.raises(ResumeError, match=r"penalty\.gamma_start 30\.0 -> 1\.0"):
        train_tiny(tmp_path / "run", "penalty.gamma_start=1", images=32)
    with pytest.raises(ResumeError, match=r"budget\.images 32 -> 64"):
        train_tiny(tmp_path / "run", images=64)
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


@pytest.mark.parametrize(
    ("setting", "number", "kept"),
    [(EACH_STEP, 8, 7), (NEVER, STEPS, 0)],
    ids=["checkpoint", "picture"],
)
def test_a_full_disk_is_one_sentence_and_costs_nothing(
    train_tiny,
    whole,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    number: int,
    kept: int,
) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        at_step(patch, number, lambda _: patch.setattr(os, "fsync", full))
        with pytest.raises(StorageError, match="cannot be written: the disk is full") as caught:
            train_tiny(tmp_path / "run", setting)
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)
    checkpoint = load_checkpoint(tmp_path / "run")
    assert checkpoint is not None
    assert (checkpoint.images_seen, checkpoint.note) == (16 * kept, "")
    assert train_tiny(tmp_path / "run").status == "done"
    assert final_bits(tmp_path / "run") == whole


@pytest.mark.parametrize("number", [5, STEPS])
@pytest.mark.parametrize("setting", [EACH_STEP, NEVER])
def test_a_weight_that_is_not_finite_is_never_saved(
    train_tiny, whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, setting: str
) -> None:
    with monkeypatch.context() as patch:
        at_step(patch, number, plant_nan)
        with pytest.raises(DivergedError) as caught:
            train_tiny(tmp_path / "run", setting)
    kept = 16 * (number - 1) if setting == EACH_STEP else 0
    assert caught.value.exit_code == 4
    assert str(caught.value).startswith(f"Diverged at {16 * number} images: ")
    assert f"The checkpoint at {kept} images is kept" in str(caught.value)
    written = record(tmp_path / "run")
    assert (written["status"], written["reason"]) == ("diverged", str(caught.value))
    checkpoint = load_checkpoint(tmp_path / "run")
    assert checkpoint is not None
    assert checkpoint.images_seen == kept
    assert all(bool(tensor.isfinite().all()) for tensor in checkpoint.tensors.values())
    assert train_tiny(tmp_path / "run").status == "done"
    assert final_bits(tmp_path / "run") == whole


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_step_size_beyond_reason_diverges(train_tiny, tmp_path: Path, player: str) -> None:
    with pytest.raises(DivergedError, match=r"Diverged at \d+ images: "):
        train_tiny(tmp_path / "run", f"{player}_adam.learning_rate=1e30", EACH_STEP)
    checkpoint = load_checkpoint(tmp_path / "run")
    assert checkpoint is not None
    assert all(bool(tensor.isfinite().all()) for tensor in checkpoint.tensors.values())


# The discriminator is left to win; the convolutional generator starts flat and cannot move.
DOOMED = (
    "penalty.kind=none",
    "discriminator_adam.learning_rate=0.01",
    "generator_adam.learning_rate=1e-12",
)


def test_a_start_that_saturates_each_time_is_given_up(train_tiny, tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match=r"won at the start .* in each of 2 attempts") as caught:
        train_tiny(
            tmp_path / "run", *DOOMED, "escape_attempts=1", model="conv-gan", images=20_000
        )
    assert caught.value.exit_code == 4
    assert record(tmp_path / "run")["status"] == "diverged"
    escapes = [
        line
        for line in map(json.loads, (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())
        if line["event"] == "escape"
    ]
    assert [line["attempt"] for line in escapes] == [1]
    assert escapes[0]["abandoned_at"] >= 16 * watch.PATIENCE * watch.STEPS_BETWEEN_LOOKS


def kill_first_attempts(monkeypatch: pytest.MonkeyPatch, attempts: int) -> None:
    """Plants a generator with a dead head in the first attempts; the watch is impatient."""
    start = Trainer._start

    def planted(trainer: Trainer) -> None:
        start(trainer)
        if trainer.attempt < attempts:
            alive = trainer.generator.synthesise
            trainer.generator.synthesise = lambda noise: alive(noise) * 0.0

    monkeypatch.setattr(Trainer, "_start", planted)
    monkeypatch.setattr(watch, "PATIENCE", 2)


# Lets the discriminator win within a few steps.
IMPATIENT = ("penalty.kind=none", "discriminator_adam.learning_rate=0.02")


def test_a_saturated_start_is_escaped_from(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    kill_first_attempts(monkeypatch, 1)
    run = train_tiny(tmp_path / "run", *IMPATIENT, NEVER, images=960, show_progress=True)
    assert (run.status, run.images_seen) == ("done", 960)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").open()]
    (escape,) = [line for line in lines if line["event"] == "escape"]
    assert (escape["attempt"], escape["images_seen"]) == (1, 0)
    assert escape["abandoned_at"] > 0
    assert f"Saturated start at {escape['abandoned_at']} images" in capsys.readouterr().err
    checkpoint = load_checkpoint(tmp_path / "run")
    assert checkpoint is not None
    assert checkpoint.state["attempt"] == 1


def test_an_escaped_run_resumes_bit_for_bit(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_first_attempts(monkeypatch, 1)
    train_tiny(tmp_path / "whole", *IMPATIENT, images=640)
    with monkeypatch.context() as patch:
        escape = Trainer.escape

        def escape_and_stop(trainer: Trainer) -> None:
            escape(trainer)
            at_step(patch, 3, lambda _: signal.raise_signal(signal.SIGINT))

        patch.setattr(Trainer, "escape", escape_and_stop)
        run = train_tiny(tmp_path / "parts", *IMPATIENT, images=640)
    assert (run.status, run.images_seen) == ("interrupted", 48)
    train_tiny(tmp_path / "parts", *IMPATIENT, images=640)
    assert final_bits(tmp_path / "parts") == final_bits(tmp_path / "whole")


def test_without_attempts_a_saturated_start_is_the_end(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_first_attempts(monkeypatch, 1)
    with pytest.raises(DivergedError, match="in each of 1 attempts"):
        train_tiny(tmp_path / "run", *IMPATIENT, "escape_attempts=0", images=960)


def test_training_outside_of_the_main_thread(train_tiny, tmp_path: Path) -> None:
    runs: list[api.Run] = []
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
    torch.set_num_threads(2)
    train_tiny(tmp_path / "run", images=32, show_progress=True)
    assert torch.get_num_threads() == 1
    assert record(tmp_path / "run")["provenance"]["threads"] == 1
    assert "threads was" not in capsys.readouterr().err
