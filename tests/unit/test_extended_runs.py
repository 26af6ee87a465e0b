"""Another budget for a run, and what is not given: taken from the run, bit for bit."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from disturbances import EACH_STEP, Killed, at_step, die, final_bits, record

from orthogan.classification import api as classifiers
from orthogan.errors import ConfigError, DataError, ResumeError
from orthogan.gan import api
from orthogan.gan.trainer import Trainer
from orthogan.language import api as language_models
from orthogan.training.checkpoint import load_checkpoint

RECIPES = ("attention-gan", "transformer-gan", "conv-gan")
SILENT: dict[str, Any] = {"show_progress": False}


def interrupt(_trainer: Trainer) -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.fixture
def go_on() -> Callable[..., Any]:
    """`orthogan train --run RUN` in this process, with nothing else unless it is given."""
    return lambda run, **options: api.train(run=run, show_progress=False, **options)


@pytest.mark.parametrize("model", RECIPES)
def test_an_extension_repeats_bit_for_bit(
    train_tiny, go_on, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    growing = ("final_batch_size=32", EACH_STEP)
    train_tiny(whole, *growing, model=model, images=128)
    assert go_on(whole, images=320).images_seen == 320
    for number, disturb in [(3, interrupt), (14, die), (16, interrupt)]:
        with monkeypatch.context() as patch:
            at_step(patch, number, disturb)
            if number == 3:
                train_tiny(parts, *growing, model=model, images=128)
                continue
            if number == 14:
                assert go_on(parts).images_seen == 128
                with pytest.raises(Killed):
                    go_on(parts, images=320)
                continue
            assert go_on(parts).status == "interrupted"
    assert (go_on(parts).status, record(parts)["images_seen"]) == ("done", 320)
    assert final_bits(parts) == final_bits(whole)
    train_tiny(tmp_path / "at once", *growing, model=model, images=320)
    assert final_bits(tmp_path / "at once") != final_bits(whole)  # schedules were others until 128


def test_schedules_are_planned_over_the_new_budget(
    train_tiny, go_on, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    train_tiny(tmp_path / "run", images=128)
    seen: list[float] = []
    step = Trainer.step
    monkeypatch.setattr(Trainer, "step", lambda *args: seen.append(args[1]) or step(*args))
    api.train(run=tmp_path / "run", images=320)
    assert seen == [images / 320 for images in range(128, 320, 16)]
    told = capsys.readouterr().err
    assert (
        f"The budget of {tmp_path / 'run'} was 128 images and is now 320 images: schedules are "
        "planned anew for it, from the 128 images and " in told
    )
    assert " that are done (40%)." in told
    del seen[:]
    minutes = (record(tmp_path / "run")["seconds"] + 0.4) / 60
    assert go_on(tmp_path / "run", minutes=minutes).status == "done"  # from images to time
    assert 0 < seen[0] <= seen[-1] < 1  # a slow machine takes a single step in that time


def test_the_history_of_budgets_is_kept(train_tiny, go_on, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_tiny(run, images=64)
    go_on(run)
    go_on(run, images=96)
    go_on(run, images=128)
    written = record(run)
    rows = [(row["budget"]["images"], row["images_seen"]) for row in written["budgets"]]
    assert rows == [(64, 0), (96, 64), (128, 96)]
    assert written["budgets"][0]["seconds"] == 0 < written["budgets"][1]["seconds"]
    times = [row["when"] for row in written["budgets"]]
    assert times == sorted(times)
    assert times[0] >= written["created"]
    assert written["config"]["budget"] == {"seconds": None, "images": 128}
    card = (run / "bundle" / "README.md").read_text()
    assert "64 images; from 64 images on 96 images; from 96 images on 128 images" in card


def test_a_budget_that_is_used_up_is_one_sentence(train_tiny, go_on, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_tiny(run, images=128)
    before = (run / "run.json").read_bytes()
    for shorter, words in [
        ({"images": 127}, r"has trained for 128 images already, so a budget of 127 images is used"),
        ({"minutes": 1e-5}, r"has trained for \d+\.\d s already, so a budget of 0\.0006 s is used"),
    ]:
        with pytest.raises(ResumeError, match=words) as caught:
            go_on(run, **shorter)
        assert caught.value.exit_code == 6
        assert record(run)["budgets"] == json.loads(before)["budgets"]
        assert record(run)["status"] == "done"
    assert "already trained to the end" in go_on(run, images=128).reason


def test_an_unfinished_run_takes_a_shorter_budget_that_is_not_used_up(
    train_tiny, go_on, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        at_step(patch, 5, interrupt)
        train_tiny(tmp_path / "run", images=320)
    with pytest.raises(ResumeError, match="80 images already"):
        go_on(tmp_path / "run", images=80)
    assert go_on(tmp_path / "run", images=96).images_seen == 96


def test_a_run_that_diverged_counts_from_its_checkpoint(
    train_tiny, go_on, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        at_step(patch, 4, die)
        with pytest.raises(Killed):
            train_tiny(tmp_path / "run", EACH_STEP, images=320)
    written = record(tmp_path / "run") | {"status": "diverged", "images_seen": 300}
    (tmp_path / "run" / "run.json").write_text(json.dumps(written))
    assert go_on(tmp_path / "run", images=64).images_seen == 64


def test_what_is_not_given_is_taken_from_the_run(
    train_tiny, tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        at_step(patch, 5, interrupt)
        train_tiny(run, "loss=non-saturating", model="conv-gan", seed=3, images=96)
    settings = record(run)["config"]
    assert api.resolve(run=run).to_dict() == settings
    assert api.resolve(tiny_file, model="conv-gan", seed=3, run=run).to_dict() == settings
    for wrong, words in [
        ({"seed": 0}, "seed 3 -> 0"),
        ({"model": "attention-gan"}, "recipe conv-gan -> attention-gan"),
        ({"settings": ["loss=hinge"]}, "loss non-saturating -> hinge"),
        ({"size": 32}, "data.size None -> 32"),
    ]:
        with pytest.raises(ResumeError, match=words):
            api.train(run=run, **SILENT, **wrong)
        with pytest.raises(ResumeError, match=words):
            api.train(run=run, images=320, **SILENT, **wrong)
    assert record(run)["config"] == settings
    assert api.train(run=run, **SILENT).status == "done"


def test_other_data_are_refused_with_and_without_a_budget(
    train_tiny, scored_file: Path, go_on, tmp_path: Path
) -> None:
    own = Path(shutil.copy(scored_file, tmp_path / "own.npz"))
    train_tiny(tmp_path / "run", "condition=classes", source=own, images=32)
    for budget in ({}, {"images": 64}):
        save_without_labels(scored_file, own)
        with pytest.raises(ResumeError, match="was trained on other data"):
            go_on(tmp_path / "run", **budget)
    own.unlink()
    with pytest.raises(DataError, match=r"own\.npz.* was trained on it; if it lies elsewhere"):
        go_on(tmp_path / "run")
    with pytest.raises(DataError) as caught:
        go_on(tmp_path / "run", source=own)
    assert "trained on it" not in str(caught.value)
    assert go_on(tmp_path / "run", source=scored_file, images=64).images_seen == 64


def save_without_labels(source: Path, target: Path) -> None:
    import numpy as np

    with np.load(source) as file:
        np.savez(target, images=file["images"])


def test_settings_of_another_version_are_named(train_tiny, go_on, tmp_path: Path) -> None:
    train_tiny(tmp_path / "run", images=32)
    written = record(tmp_path / "run")
    written["config"]["loss"] = "quantum"
    (tmp_path / "run" / "run.json").write_text(json.dumps(written))
    with pytest.raises(ResumeError, match=r"run\.json: its settings are not of this .*quantum"):
        go_on(tmp_path / "run")
    with pytest.raises(ConfigError, match="exclude one another"):
        go_on(tmp_path / "new", minutes=1.0, images=3)


def test_a_run_of_another_task_is_not_gone_on_with(classify_tiny, go_on, tmp_path: Path) -> None:
    classify_tiny(tmp_path / "run", images=32)
    with pytest.raises(ResumeError, match="holds a run of the task 'classify', not 'gan'"):
        go_on(tmp_path / "run")


def test_classifiers_and_language_models_are_extended(
    classify_tiny, learn_tiny, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        classify_tiny(tmp_path / name, images=96)
        found = classifiers.classify(run=tmp_path / name, images=160, **SILENT)
        assert (found.images_seen, found.score["scores"]["accuracy"]["n"]) == (160, 20)
        learn_tiny(tmp_path / f"text-{name}", tokens=320)
        told = language_models.train_language(run=tmp_path / f"text-{name}", tokens=640, **SILENT)
        assert told.tokens_seen == 640
    for prefix in ("", "text-"):
        bits = [load_checkpoint(tmp_path / f"{prefix}{name}").tensors for name in ("a", "b")]
        assert all(bits[0][name].equal(bits[1][name]) for name in bits[0])
    assert record(tmp_path / "text-a")["budgets"][1]["budget"] == {"seconds": None, "tokens": 640}
