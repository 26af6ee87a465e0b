"""Planted collapses: the run names a checkpoint from before them, and goes on and draws from it."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from disturbances import EACH_STEP, NEVER, at_step, plant_nan, record

import orthogan
from orthogan import rng
from orthogan.errors import DivergedError
from orthogan.gan import session, watched_session
from orthogan.gan.trainer import Trainer
from orthogan.gan.watch import saturation as watch
from orthogan.gan.watch.saturation import spread
from orthogan.models import bundle
from orthogan.training import session as sitting
from orthogan.training.checkpoint import load_checkpoint
from orthogan.training.run_folder import read_metrics

BATCH = 16
COLLAPSE = 20  # steps before it
# Looks are at every 8th step, at what the steps before it have made: the last healthy one is at
# step 16, and shows the generator of step 15.
HEALTHY = 15 * BATCH


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "FLAT_PATIENCE", 4)
    monkeypatch.setattr(watch, "PATIENCE", 4)
    monkeypatch.setattr(watched_session, "START_STEPS", 1)
    monkeypatch.setattr(session, "UNFOLDED_STEPS", 16)
    monkeypatch.setattr(watched_session, "UNFOLDED_STEPS", 16)


def plant(monkeypatch: pytest.MonkeyPatch, variation: Callable[[int, int], float]) -> None:
    """Generators whose images vary by a share of what real ones do, given step and attempt."""
    start = Trainer._start

    def planted(trainer: Trainer) -> None:
        start(trainer)
        real = spread(trainer.real_images(200))
        size = trainer.config.generator.latent_size
        shape = trainer.real_images(1).shape[1:]
        mixing = rng.normal((size, shape.numel()), rng.stream(0, "mixing")) / size**0.5
        for network in (trainer.generator, trainer.average):
            alive = network.synthesise

            def made(latents: torch.Tensor, alive: Any = alive) -> torch.Tensor:
                step = trainer.images_seen // BATCH
                scale = (real * variation(step, trainer.attempt)).sqrt()
                mixed = (latents[:, :size] @ mixing).unflatten(1, shape)
                return scale * mixed - 0.5 + 0 * alive(latents)

            network.synthesise = made

    monkeypatch.setattr(Trainer, "_start", planted)


def kept_images(run: Path) -> list[int]:
    return sorted(int(path.name) for path in (run / "checkpoints").iterdir() if path.is_dir())


def refused(train: Callable[..., Any], path: Path, *settings: str, **options: Any) -> str:
    with pytest.raises(DivergedError) as caught:
        train(path, "rollbacks=0", *settings, **options)
    assert caught.value.exit_code == 4
    assert record(path)["status"] == "diverged"
    assert record(path)["reason"] == str(caught.value)
    return str(caught.value)


def check_named(told: str, path: Path, healthy: int) -> None:
    quoted = shlex.quote(str(path))
    assert told.endswith(
        f" The checkpoint at {healthy} images, from before the first sign of it, is kept: "
        f"`orthogan sample {quoted}` draws from it, and `orthogan train --run {quoted}` "
        "goes on from it."
    )
    checkpoint = load_checkpoint(path)
    assert checkpoint is not None
    assert checkpoint.images_seen == healthy
    drawn = bundle.load_bundle(path / "bundle")
    for name, tensor in drawn.tensors.items():
        assert torch.equal(tensor, checkpoint.tensors[f"average/{name}"]), name
    assert drawn.card["images seen"] == healthy
    assert orthogan.load(path).sample(range(3)).shape[0] == 3
    (line,) = [x for x in read_metrics(path / "metrics.jsonl") if x["event"] == "collapse"]
    assert line["healthy_checkpoint"] == healthy


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_a_sudden_collapse(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    plant(monkeypatch, lambda step, _: float(step < COLLAPSE))
    path = tmp_path / "my run"
    told = refused(train_tiny, path, EACH_STEP, images=960, seed=seed)
    assert told.startswith("Collapsed at 768 images: ")
    check_named(told, path, HEALTHY)
    monkeypatch.undo()
    monkeypatch.setenv("ORTHOGAN_CACHE", str(tmp_path))
    run = train_tiny(path, images=960, seed=seed)
    assert (run.status, run.images_seen) == ("done", 960)


@pytest.mark.parametrize("steps", [15, 30])
def test_a_gradual_collapse(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    def fading(step: int, _: int) -> float:
        return max(1 - max(step - 10, 0) / steps, 0.0)

    plant(monkeypatch, fading)
    told = refused(train_tiny, tmp_path / "run", EACH_STEP, images=1600)
    (healthy,) = [
        x["healthy_checkpoint"]
        for x in read_metrics(tmp_path / "run" / "metrics.jsonl")
        if x["event"] == "collapse"
    ]
    check_named(told, tmp_path / "run", healthy)
    assert fading(healthy // BATCH, 0) >= watch.SUSPICIOUS_SPREAD
    assert fading(healthy // BATCH + 2 * watch.STEPS_BETWEEN_MEASUREMENTS, 0) < 0.2


def test_numbers_that_are_not_finite_after_a_suspicion(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch, lambda step, _: float(step < COLLAPSE))
    at_step(monkeypatch, 30, plant_nan)
    told = refused(train_tiny, tmp_path / "run", EACH_STEP, images=960)
    assert told.startswith("Diverged at 480 images: ")
    check_named(told, tmp_path / "run", HEALTHY)


def test_a_suspicion_that_clears_gives_way(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch, lambda step, _: float(not COLLAPSE <= step < COLLAPSE + 15))
    seen: dict[int, list[int]] = {}
    save = sitting.save_checkpoint

    def saved(run: Path, images_seen: int, *args: Any, **options: Any) -> None:
        save(run, images_seen, *args, **options)
        seen[images_seen // BATCH] = kept_images(run)

    monkeypatch.setattr(sitting, "save_checkpoint", saved)
    run = train_tiny(tmp_path / "run", EACH_STEP, images=960)
    assert (run.status, "collapse" in run.reason) == ("done", False)
    assert HEALTHY in seen[24]
    assert HEALTHY in seen[39]
    assert HEALTHY not in seen[40]  # the look at step 40 has cleared the suspicion
    assert all(len(folders) <= 4 for folders in seen.values())


def test_the_healthy_one_outlives_a_stop(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch, lambda step, _: float(step < COLLAPSE))
    with monkeypatch.context() as patch:
        at_step(patch, 35, lambda _: signal.raise_signal(signal.SIGINT))
        stopped = train_tiny(tmp_path / "run", EACH_STEP, "rollbacks=0", images=960)
        assert stopped.status == "interrupted"
    told = refused(train_tiny, tmp_path / "run", EACH_STEP, images=960)
    check_named(told, tmp_path / "run", HEALTHY)


def test_the_healthy_one_outlives_another_attempt(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched_session, "START_STEPS", 1000)
    plant(monkeypatch, lambda step, attempt: float(step < COLLAPSE and attempt == 0))
    told = refused(train_tiny, tmp_path / "run", EACH_STEP, "escape_attempts=1", images=960)
    assert "in each of 2 attempts" in told
    check_named(told, tmp_path / "run", HEALTHY)
    checkpoint = load_checkpoint(tmp_path / "run")
    assert checkpoint is not None
    assert checkpoint.state["attempt"] == 0


@pytest.mark.parametrize(("setting", "healthy"), [(EACH_STEP, 23 * BATCH), (NEVER, 0)])
def test_a_budget_that_ends_in_a_collapse(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, healthy: int
) -> None:
    plant(monkeypatch, lambda step, _: 1.0 if step < 24 else 0.05)  # too much for the verdict
    told = refused(train_tiny, tmp_path / "run", setting, images=960)
    assert "At the end of the budget the images are nearly all the same: they vary by " in told
    if healthy:
        check_named(told, tmp_path / "run", healthy)
    else:
        assert "No checkpoint was made before the first sign of it, so there is no healthy" in told
        assert not (tmp_path / "run" / "bundle").exists()
        again = refused(train_tiny, tmp_path / "run", setting, images=960)
        assert again == told


def test_one_image_from_the_start_has_no_healthy_checkpoint(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch, lambda *_: 0.0)
    told = refused(train_tiny, tmp_path / "run", EACH_STEP, images=960)
    assert "No checkpoint was made before the first sign of it" in told


@pytest.mark.parametrize("variation", [0.12, 0.3, 1.0])
def test_images_that_vary_end_well(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variation: float
) -> None:
    plant(monkeypatch, lambda *_: variation)
    run = train_tiny(tmp_path / "run", NEVER, images=640)
    assert (run.status, "collapse" in run.reason) == ("done", False)


def test_a_lasting_alarm_of_the_geometry_is_in_the_last_line(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch, lambda *_: 1.0)
    look = watched_session.Signals.measure

    def planted(signals: Any, generator: Any, discriminator: Any) -> dict[str, Any]:
        seen = looks.append(1) or len(looks)
        found = look(signals, generator, discriminator)
        return found | {"generator_rank_collapse": 0.95 if seen > 2 else 0.0}

    looks: list[int] = []
    monkeypatch.setattr(watched_session.Signals, "measure", planted)
    run = train_tiny(tmp_path / "run", EACH_STEP, "signals_every=64", images=320)
    assert run.status == "done"
    assert run.reason.endswith(
        " Its latest looks show a collapse (generator rank collapse); of its checkpoints the one "
        "at 128 images is from before."
    )
    assert 128 in kept_images(tmp_path / "run")
