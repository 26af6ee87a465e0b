"""A run ends with the best model seen, or when it has converged; scores are scripted."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from disturbances import NEVER, at_step, final_bits, record

from orthogan.data import load
from orthogan.errors import ConfigError
from orthogan.evaluation import LiveScore, Reading
from orthogan.gan import api, session, task, watched_session
from orthogan.gan.ending import ANNEAL_SHARE
from orthogan.gan.trainer import Trainer
from orthogan.gan.watch import saturation
from orthogan.models.bundle import load_bundle

UNTIL = ("until=converged", "rollbacks=0")
NAME = "fd[scripted]"
Script = Callable[[int], float]


class Scripted(LiveScore):
    """Distances by the number of the reading, from 0."""

    num_fakes = 4
    name = NAME
    floor = 0.5
    unseen_gap = 1.0

    def __init__(self, script: Script, has_unseen: bool = True) -> None:
        self._script, self._readings, self._has = script, 0, has_unseen
        self.real = Reading(0.5, ())

    @property
    def has_unseen(self) -> bool:
        return self._has

    def read(self, fake: torch.Tensor) -> Reading:
        assert len(fake) == self.num_fakes
        distance = self._script(self._readings)
        self._readings += 1
        return Reading(distance + 10, (), unseen=distance) if self._has else Reading(distance, ())


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Script], None]:
    monkeypatch.setattr(watched_session, "LEAST_MILESTONE", 64)
    # Networks as small as these take longer to unfold than the runs here last.
    monkeypatch.setattr(saturation, "SUSPICIOUS_SPREAD", 0.0)
    monkeypatch.setattr(session, "SUSPICIOUS_SPREAD", 0.0)
    # A verdict on the images takes longer than the runs here, and decides nothing of this.
    monkeypatch.setattr(session, "judged", lambda *_: None)

    def use(script: Script, has_unseen: bool = True) -> None:
        monkeypatch.setattr(task, "_live_score", lambda *_: Scripted(script, has_unseen))

    return use


def listed(*distances: float) -> Script:
    return lambda number: distances[number]


def written(run: Path, event: str) -> list[dict[str, Any]]:
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [line for line in lines if line["event"] == event]


def averaged(run: Path, images: int) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    tensors = load_file(run / "checkpoints" / f"{images:09d}" / "tensors.safetensors")
    return {name[8:]: each for name, each in tensors.items() if name.startswith("average/")}


def assert_kept(run: Path, images: int) -> None:
    bundle = load_bundle(run / "bundle")
    assert bundle.card["images seen"] == images
    for name, tensor in averaged(run, images).items():
        assert torch.equal(bundle.tensors[name], tensor), name


def test_an_earlier_model_that_is_better_is_kept_and_said(
    train_tiny, scripted, tmp_path: Path
) -> None:
    # At 64, 128, 192, 256 and 320 images; then both models on fresh images; then the one kept.
    scripted(listed(5.0, 1.0, 3.0, 3.0, 3.0, 1.1, 3.1, 1.0))
    run = train_tiny(tmp_path / "run", NEVER)
    said = (
        "The model kept is that of 128 images and not the last: on fresh images its distance to "
        "held-out images is 1.1, and 3.1 at the end."
    )
    assert said in run.reason
    (line,) = written(run.path, "best")
    assert (line["reason"], line["kept"]) == (said, 128)
    assert_kept(run.path, 128)
    assert run.scores[NAME] == 11.0
    assert run.scores["held-out distance"] == 1.0
    assert load_bundle(run.path / "bundle").card["scores"][NAME]["value"] == 11.0
    assert record(run.path)["images_seen"] == 320


@pytest.mark.parametrize(
    "distances",
    [
        (5.0, 1.0, 3.0, 3.0, 3.0, 3.0, 3.1),  # the low reading was luck
        (5.0, 2.9, 3.0, 3.0, 3.0),  # hardly better
        (5.0, 4.0, 3.0, 2.0, 1.0),  # the last is the best
    ],
)
def test_otherwise_the_last_model_is_kept(
    train_tiny, scripted, tmp_path: Path, distances: tuple[float, ...]
) -> None:
    scripted(listed(*distances))
    run = train_tiny(tmp_path / "run", NEVER)
    assert "The model kept" not in run.reason
    assert written(run.path, "best") == []
    assert_kept(run.path, 320)


def test_without_held_out_images_the_training_images_decide(
    train_tiny, scripted, tmp_path: Path
) -> None:
    scripted(listed(5.0, 1.0, 3.0, 3.0, 3.0, 1.1, 3.1, 1.0), False)
    run = train_tiny(tmp_path / "run", NEVER)
    assert "its distance to real ones is 1.1, and 3.1 at the end." in run.reason
    assert_kept(run.path, 128)
    assert "held-out distance" not in run.scores


def test_a_stop_changes_nothing_of_it(
    train_tiny, scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = {64: 5.0, 128: 1.0, 192: 3.0, 256: 3.0, 320: 3.0}
    seen: list[int] = []
    step = Trainer.step

    def stepped(trainer: Trainer, progress: float) -> Any:
        found = step(trainer, progress)
        seen.append(trainer.images_seen)
        return found

    monkeypatch.setattr(Trainer, "step", stepped)

    def distance(_: int) -> float:
        fresh.append(seen[-1])
        # The sixth reading at the end is of the earlier model, on fresh images.
        return 1.1 if fresh.count(320) == 2 else at[seen[-1]]

    for name, stop in (("whole", 99), ("parts", 10)):
        fresh: list[int] = []
        scripted(distance)
        with monkeypatch.context() as patch:
            at_step(patch, stop, lambda _: signal.raise_signal(signal.SIGINT))
            train_tiny(tmp_path / name, NEVER)
        train_tiny(tmp_path / name, NEVER)
        assert_kept(tmp_path / name, 128)
    assert final_bits(tmp_path / "whole") == final_bits(tmp_path / "parts")


def test_a_run_ends_once_it_has_converged(
    train_tiny, scripted, many_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(lambda number: 1 + 0.001 * (-1) ** number)
    shares: list[float] = []
    step = Trainer.step

    def stepped(trainer: Trainer, progress: float) -> Any:
        shares.append(progress)
        return step(trainer, progress)

    monkeypatch.setattr(Trainer, "step", stepped)
    run = train_tiny(tmp_path / "run", NEVER, *UNTIL, source=many_file, images=9600)
    assert run.reason.startswith(f"Done: it has converged after {run.images_seen:,} images")
    (line,) = written(run.path, "ending")
    begun = line["images_seen"]
    assert begun < 9600 / 4
    assert run.images_seen == pytest.approx(begun * (1 + ANNEAL_SHARE), abs=16)
    assert shares == sorted(shares)
    assert shares[-1] > 0.9
    before = shares[: begun // 16]
    assert before == pytest.approx([16 * at / 9600 for at in range(len(before))])
    assert "Converged: by" in run.reason


def test_a_run_that_still_improves_uses_its_budget(
    train_tiny, scripted, many_file: Path, tmp_path: Path
) -> None:
    scripted(lambda number: 10 / (1 + number))
    run = train_tiny(tmp_path / "run", NEVER, *UNTIL, source=many_file, images=1600)
    assert run.images_seen == 1600
    assert run.reason.startswith("Done: the budget is used up")
    assert written(run.path, "ending") == []
    assert "Still improving: by" in run.reason
    assert run.next_command == f"orthogan train --run {run.path} --images 3200"


def test_images_that_are_kept_back_are_never_trained_on(
    many_file: Path, tiny_settings, one_thread: None
) -> None:
    images = load(many_file)
    settings = tiny_settings("attention-gan", "until=converged")
    config = api.resolve(many_file, images=640, settings=settings)
    trainer = Trainer(config, images, torch.device("cpu"))
    assert trainer.unseen is not None
    assert len(trainer.unseen) == 128
    shown = {int(each) for start in range(0, 1040, 16) for each in trainer.order.batch(start, 16)}
    assert len(shown) == 520 - 128
    kept = {each.numpy().tobytes() for each in trainer.unseen.images}
    assert not kept & {images.images[each].numpy().tobytes() for each in shown}
    assert (
        len(Trainer(config, images, torch.device("cpu"), unseen=images).order.batch(0, 520)) == 520
    )


def test_too_few_images_to_keep_any_back_are_refused_before_a_run(
    train_tiny, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="Leave out --until") as caught:
        train_tiny(tmp_path / "run", "until=converged")
    assert caught.value.exit_code == 2
    assert not (tmp_path / "run").exists()
