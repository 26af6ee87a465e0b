"""A sitting that goes wrong: full disks, numbers that are not finite, saturated starts."""

from __future__ import annotations

import errno
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from disturbances import EACH_STEP, NEVER, STEPS, at_step, final_bits, plant_nan, record

from orthogan.errors import DivergedError, StorageError
from orthogan.gan import watched_session
from orthogan.gan.trainer import Trainer
from orthogan.gan.watch import saturation as watch
from orthogan.training import session as sitting
from orthogan.training.checkpoint import load_checkpoint
from orthogan.training.run_folder import read_metrics


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
            train_tiny(tmp_path / "run", setting, "rollbacks=0")
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
    assert train_tiny(tmp_path / "run", "rollbacks=0").status == "done"
    assert final_bits(tmp_path / "run") == whole


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_step_size_beyond_reason_diverges(train_tiny, tmp_path: Path, player: str) -> None:
    with pytest.raises(DivergedError, match=r"Diverged at \d+ images: "):
        train_tiny(
            tmp_path / "run", f"{player}_optimizer.learning_rate=1e30", EACH_STEP, "rollbacks=0"
        )
    checkpoint = load_checkpoint(tmp_path / "run")
    assert checkpoint is not None
    assert all(bool(tensor.isfinite().all()) for tensor in checkpoint.tensors.values())


# The discriminator is left to win; the convolutional generator starts flat and cannot move.
DOOMED = (
    "rollbacks=0",
    "penalty.kind=none",
    "discriminator_optimizer.learning_rate=0.01",
    "generator_optimizer.learning_rate=1e-12",
)


def test_a_start_that_saturates_each_time_is_given_up(train_tiny, tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match=r"same at the start, in each of 2 attempts") as caught:
        train_tiny(tmp_path / "run", *DOOMED, "escape_attempts=1", model="conv-gan", images=20_000)
    assert caught.value.exit_code == 4
    assert record(tmp_path / "run")["status"] == "diverged"
    (escape,) = escapes(tmp_path / "run")
    assert (escape["attempt"], escape["reason"]) == (1, watch.WON)
    assert escape["abandoned_at"] >= 16 * watch.PATIENCE * watch.STEPS_BETWEEN_MEASUREMENTS


def escapes(run: Path) -> list[dict[str, Any]]:
    """What was logged when a saturated start was given up."""
    return [line for line in read_metrics(run / "metrics.jsonl") if line["event"] == "escape"]


def kill_first_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plants a generator with a dead head in the first attempt; the watch is quick to notice."""
    start = Trainer._start

    def planted(trainer: Trainer) -> None:
        start(trainer)
        alive = trainer.generator.synthesise
        trainer.generator.synthesise = lambda noise: alive(noise) * (trainer.attempt > 0)

    monkeypatch.setattr(Trainer, "_start", planted)
    monkeypatch.setattr(watch, "PATIENCE", 2)
    monkeypatch.setattr(watch, "MIN_SPREAD", 1e-6)  # the other attempts have no time to unfold


# Lets the discriminator win within a few steps.
IMPATIENT = ("rollbacks=0", "penalty.kind=none", "discriminator_optimizer.learning_rate=0.02")


def test_a_saturated_start_is_escaped_from(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    kill_first_attempt(monkeypatch)
    run = train_tiny(tmp_path / "run", *IMPATIENT, NEVER, images=960, show_progress=True)
    assert (run.status, run.images_seen) == ("done", 960)
    (escape,) = escapes(tmp_path / "run")
    assert (escape["attempt"], escape["images_seen"]) == (1, 0)
    assert escape["abandoned_at"] > 0
    assert (
        f"Failed start at {escape['abandoned_at']} images: {watch.WON}. " in capsys.readouterr().err
    )
    checkpoint = load_checkpoint(tmp_path / "run")
    assert checkpoint is not None
    assert checkpoint.state["attempt"] == 1


# Nobody learns anything, so nobody wins.
IDLE = (
    "rollbacks=0",
    "discriminator_optimizer.learning_rate=1e-12",
    "generator_optimizer.learning_rate=1e-12",
)


def flatten_first_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same without a winner: the longer patience is what notices."""
    kill_first_attempt(monkeypatch)
    monkeypatch.setattr(watch, "FLAT_PATIENCE", 4)


def test_one_image_without_a_winner_is_escaped_from_too(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    flatten_first_attempt(monkeypatch)
    train_tiny(tmp_path / "run", *IDLE, NEVER, images=640, show_progress=True)
    (escape,) = escapes(tmp_path / "run")
    assert (escape["attempt"], escape["reason"]) == (1, watch.UNDECIDED)
    assert escape["abandoned_at"] == 16 * 4 * watch.STEPS_BETWEEN_MEASUREMENTS
    told = f"Failed start at 512 images: {watch.UNDECIDED}. Starting again"
    assert told in capsys.readouterr().err


def test_one_image_without_a_winner_is_told_apart_after_the_start(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flatten_first_attempt(monkeypatch)
    monkeypatch.setattr(watched_session, "START_STEPS", 1)
    with pytest.raises(DivergedError, match="has not won, long after the start"):
        train_tiny(tmp_path / "run", *IDLE, images=640)


def test_the_longer_count_goes_on_after_a_stop(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flatten_first_attempt(monkeypatch)
    train_tiny(tmp_path / "whole", *IDLE, images=640)
    with monkeypatch.context() as patch:
        at_step(patch, 27, lambda _: signal.raise_signal(signal.SIGINT))
        assert train_tiny(tmp_path / "parts", *IDLE, images=640).images_seen == 16 * 27
    train_tiny(tmp_path / "parts", *IDLE, images=640)
    (escape,) = escapes(tmp_path / "parts")
    assert escape["abandoned_at"] == 512
    assert final_bits(tmp_path / "parts") == final_bits(tmp_path / "whole")


def test_what_an_abandoned_attempt_measured_is_not_read(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_first_attempt(monkeypatch)
    monkeypatch.setattr(sitting, "METRICS_EVERY_S", 0.0)
    train_tiny(tmp_path / "run", *IMPATIENT, images=64)
    path = tmp_path / "run" / "metrics.jsonl"
    assert {line["attempt"] for line in read_metrics(path)} == {0}
    train_tiny(tmp_path / "other", *IMPATIENT, images=960)
    path = tmp_path / "other" / "metrics.jsonl"
    written = [json.loads(line) for line in path.read_text().splitlines()]
    assert {line["attempt"] for line in written} == {0, 1}
    kept = read_metrics(path)
    assert {line["attempt"] for line in kept} == {1}
    steps = [line["images_seen"] for line in kept if line["event"] == "step"]
    assert steps == list(range(16, 961, 16))


def test_an_escaped_run_resumes_bit_for_bit(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_first_attempt(monkeypatch)
    train_tiny(tmp_path / "whole", *IMPATIENT, images=640)
    with monkeypatch.context() as patch:
        escape = Trainer.restart

        def escape_and_stop(trainer: Trainer) -> None:
            escape(trainer)
            at_step(patch, 3, lambda _: signal.raise_signal(signal.SIGINT))

        patch.setattr(Trainer, "restart", escape_and_stop)
        run = train_tiny(tmp_path / "parts", *IMPATIENT, images=640)
    assert (run.status, run.images_seen) == ("interrupted", 48)
    train_tiny(tmp_path / "parts", *IMPATIENT, images=640)
    assert final_bits(tmp_path / "parts") == final_bits(tmp_path / "whole")


def test_without_attempts_a_saturated_start_is_the_end(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_first_attempt(monkeypatch)
    with pytest.raises(DivergedError, match="in each of 1 attempts"):
        train_tiny(tmp_path / "run", *IMPATIENT, "escape_attempts=0", images=960)


def test_saturation_after_the_start_keeps_the_run(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_first_attempt(monkeypatch)
    monkeypatch.setattr(watched_session, "START_STEPS", 1)
    path = tmp_path / "run"
    with pytest.raises(DivergedError, match="long after the start"):
        train_tiny(path, *IMPATIENT, images=960)
    assert record(path)["status"] == "diverged"
    checkpoint = load_checkpoint(path)
    assert checkpoint is not None
    assert checkpoint.state["attempt"] == 0
