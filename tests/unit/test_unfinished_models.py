"""A run that is not done is used by its newest healthy checkpoint, whatever stopped it."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from disturbances import EACH_STEP, Killed, at_step, die, plant_nan, record

import orthogan
from orthogan.analysis.trained import load_trained
from orthogan.classification import api as classifiers
from orthogan.cli import main
from orthogan.errors import BundleError, DivergedError
from orthogan.gan import api, session, watched_session
from orthogan.gan.trainer import Trainer
from orthogan.models.bundle import load_stored, role_of_stored
from orthogan.training.checkpoint import load_checkpoint, save_checkpoint
from orthogan.training.lock import FolderLock
from orthogan.training.run_list import list_runs

OLD = Path(__file__).parents[1] / "fixtures" / "version-0.1"
RECIPES = ("attention-gan", "transformer-gan", "conv-gan")


def stopped(
    train: Callable[..., Any], run: Path, monkeypatch: pytest.MonkeyPatch, how: str, **options: Any
) -> None:
    """A run with a checkpoint at 80 images that stops at 96, as `how` says."""

    def stop(trainer: Trainer) -> None:
        if how == "diverged":
            plant_nan(trainer)
        elif how == "killed":
            die(trainer)
        else:
            signal.raise_signal(signal.SIGTERM if how == "preempted" else signal.SIGINT)

    with monkeypatch.context() as patch:
        at_step(patch, 6, stop)
        with contextlib.suppress(Killed, DivergedError):
            train(run, EACH_STEP, "rollbacks=0", **options)


def check_average(model: orthogan.Model, run: Path, images: int) -> None:
    """The model is the averaged generator of the checkpoint at an image count."""
    checkpoint = load_checkpoint(run, images)
    assert checkpoint is not None
    assert (checkpoint.images_seen, model.num_seen) == (images, images)
    for name, weight in model.generator.state_dict().items():
        assert weight.equal(checkpoint.tensors[f"average/{name}"]), name


@pytest.mark.parametrize(
    ("how", "images", "said"),
    [
        ("interrupted", 96, "was interrupted"),
        ("preempted", 96, "was preempted"),
        ("killed", 80, "was interrupted"),
        ("diverged", 80, "diverged"),
    ],
)
@pytest.mark.parametrize("model", RECIPES)
def test_a_run_that_was_stopped(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    model: str, how: str, images: int, said: str,
) -> None:  # fmt: skip
    run = tmp_path / "run"
    stopped(train_tiny, run, monkeypatch, how, model=model)
    assert (run / "bundle").exists() is (how == "diverged")  # whose healthy model is kept there
    loaded = orthogan.load(run)
    check_average(loaded, run, images)
    assert loaded.note == f"{run} {said}: the checkpoint at {images} images is used."
    assert loaded.class_names == ()
    assert loaded.data["class_names"] == ["0", "1", "2", "3"]
    assert (loaded.card["images seen"], loaded.card["seed"]) == (images, 0)
    assert loaded.sample(range(3)).shape == (3, 1, 16, 16)


def test_a_run_that_is_still_running(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, seen, names = tmp_path / "run", [], []

    def look(_trainer: Trainer) -> None:
        seen.append(orthogan.load(run))
        names.extend(found.class_names for found in list_runs(tmp_path))

    with monkeypatch.context() as patch:
        at_step(patch, 6, look)
        train_tiny(run, EACH_STEP, "condition=classes")
    (loaded,) = seen
    assert loaded.note == f"{run} is still running: the checkpoint at 80 images is used."
    assert (loaded.num_seen, loaded.class_names) == (80, ("0", "1", "2", "3"))
    assert names == [("0", "1", "2", "3")]
    assert len(loaded.sample(range(2), ["3", 0])) == 2
    done = orthogan.load(run)
    assert (done.note, done.num_seen, done.path) == ("", 320, run / "bundle")


def test_a_run_that_is_extended_is_not_its_earlier_end(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    train_tiny(run, EACH_STEP, images=64)
    assert orthogan.load(run).num_seen == 64
    with monkeypatch.context() as patch:
        at_step(patch, 6, lambda _: signal.raise_signal(signal.SIGINT))
        api.train(run=run, images=160, show_progress=False)
    check_average(orthogan.load(run), run, 96)
    assert load_trained(run).where == run
    assert orthogan.load(run / "bundle").num_seen == 64
    shutil.rmtree(run / "checkpoints")
    assert orthogan.load(run).num_seen == 64  # nothing else is left


def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    stopped(train_tiny, run, monkeypatch, "interrupted")
    for images in (96, 80):
        damaged = run / "checkpoints" / f"{images:09d}" / "tensors.safetensors"
        damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    loaded = orthogan.load(run)
    check_average(loaded, run, 64)
    assert "the checkpoint at 64 images is used. A newer one is damaged: " in loaded.note
    for folder in (run / "checkpoints").glob("0*"):
        (folder / "state.json").write_text("{}")
    with pytest.raises(BundleError, match="no checkpoint can be read"):
        orthogan.load(run)


def test_what_a_process_replaces_is_never_half_read(tmp_path: Path) -> None:
    """A writer saves under the same names again and again; readers see whole checkpoints."""
    run = Path(shutil.copytree(OLD / "gan-stopped", tmp_path / "run"))
    first = load_checkpoint(run)
    assert first is not None
    ended = threading.Event()

    def save(images: int) -> None:
        tensors = {name: torch.full_like(each, images) for name, each in first.tensors.items()}
        save_checkpoint(run, images, tensors, first.state, keep=1)

    def write() -> None:
        while not ended.is_set():
            for images in (640, 640, 656, 672):  # the first one again removes the later ones
                save(images)

    save(640)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(40):
            model = load_stored(run)
            values = {float(each.float().mean()) for each in model.tensors.values()}
            assert values == {float(model.num_seen or 0)}
            assert "damaged" not in model.note
    finally:
        ended.set()
        writer.join()


def test_a_collapse_is_stepped_over(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched_session, "UNFOLDED_STEPS", 4)
    suspicious: list[bool] = [False]
    monkeypatch.setattr(session.GanSession, "_is_suspicious", property(lambda _: suspicious[0]))
    healthy = property(lambda _: 48 if suspicious[0] else 0)
    monkeypatch.setattr(session.GanSession, "_healthy", healthy)
    monkeypatch.setattr(session.GanSession, "_spared", lambda _: (48,))
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        at_step(patch, 5, lambda _: suspicious.insert(0, True))
        stopped(train_tiny, run, monkeypatch, "interrupted")
    loaded = orthogan.load(run)
    check_average(loaded, run, 48)
    assert loaded.note.endswith("at 48 images is used, from before signs of a collapse.")
    discriminator = load_trained(run, "discriminator")
    assert (discriminator.num_seen, discriminator.note) == (48, loaded.note)
    kept = load_checkpoint(run, 48)
    assert kept is not None
    for name, weight in discriminator.network.state_dict().items():
        assert weight.equal(kept.tensors[f"discriminator/{name}"]), name
    shutil.rmtree(run / "checkpoints" / "000000048")
    for folder in (run / "checkpoints").glob("*"):
        if folder.is_dir() and int(folder.name) < 80:
            shutil.rmtree(folder)
    loaded = orthogan.load(run)
    check_average(loaded, run, 96)
    assert "its images show signs of a collapse, and no earlier one is without them" in loaded.note


def test_a_checkpoint_from_before_the_first_step_is_no_model(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_step(monkeypatch, 1, die)
    with pytest.raises(Killed):
        train_tiny(tmp_path / "run")
    with pytest.raises(BundleError, match="no trained model yet; repeat its command"):
        orthogan.load(tmp_path / "run")
    lock = FolderLock(tmp_path / "run" / ".lock")
    try:
        with pytest.raises(BundleError, match="it is running, so wait for its first checkpoint"):
            orthogan.load(tmp_path / "run")
    finally:
        lock.release()


def test_a_classifier_and_a_language_model_are_used_before_they_are_done(
    classify_tiny, learn_tiny, tiny_file: Path, tmp_path: Path, capsys
) -> None:
    classify_tiny(tmp_path / "a", EACH_STEP, images=96)
    learn_tiny(tmp_path / "b", EACH_STEP, tokens=320)
    done = {name: orthogan.load(tmp_path / name, device="cpu") for name in "ab"}
    for name in "ab":
        shutil.move(tmp_path / name / "bundle", tmp_path / f"bundle-{name}")
        written = record(tmp_path / name) | {"status": "interrupted"}
        (tmp_path / name / "run.json").write_text(json.dumps(written))
    found = {name: orthogan.load(tmp_path / name, device="cpu") for name in "ab"}
    assert found["a"].sha256 == done["a"].sha256
    assert found["a"].scheme == done["a"].scheme
    assert found["a"].note.endswith("was interrupted: the checkpoint at 96 images is used.")
    assert found["b"].sha256 == done["b"].sha256
    assert found["b"].generate("the ", length=9) == done["b"].generate("the ", length=9)
    assert found["b"].note.endswith("was interrupted: the checkpoint at 320 tokens is used.")
    assert [role_of_stored(tmp_path / name) for name in "ab"] == ["classifier", "language"]
    with pytest.raises(BundleError, match="holds a classifier, not a generator; use it with"):
        api.evaluate(tmp_path / "a")
    capsys.readouterr()
    classify = ["classify", "--test", str(tiny_file), "--classifier"]
    for words, name in [(classify, "a"), (["generate"], "b")]:
        assert main([*words, str(tmp_path / name)]) == 0
        assert capsys.readouterr().err.splitlines()[0] == found[name].note
    again = classifiers.classify(run=tmp_path / "a", show_progress=False)
    assert again.status == "done"


def test_checkpoints_of_version_0_1(tmp_path: Path) -> None:
    old = Path(shutil.copytree(OLD, tmp_path / "old"))
    model = orthogan.load(old / "gan-stopped")
    check_average(model, old / "gan-stopped", 320)
    assert model.sample(range(2)).shape == (2, 1, 16, 16)
    for kind in ("classifier", "language"):
        with pytest.raises(
            BundleError, match=r"are of version 0\.1 and do not say what the network"
        ):
            orthogan.load(old / f"{kind}-stopped", device="cpu")
    # An extension has begun, and not yet written a checkpoint.
    written = record(old / "gan") | {"status": "running"}
    (old / "gan" / "run.json").write_text(json.dumps(written))
    model = orthogan.load(old / "gan")
    check_average(model, old / "gan", 640)
    assert model.class_names == orthogan.load(old / "gan" / "bundle").class_names


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"task": "poetry"}, "trains a 'poetry', of which no model can be loaded"),
        ({"config": {"generator": []}}, "'config.generator' is missing or damaged"),
        ({"images_seen": -1}, "'images_seen' is missing or damaged"),
    ],
)
def test_a_record_that_is_damaged(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    run = Path(shutil.copytree(OLD / "gan-stopped", tmp_path / "run"))
    (run / "run.json").write_text(json.dumps(record(run) | change))
    with pytest.raises(BundleError, match=words):
        orthogan.load(run)
