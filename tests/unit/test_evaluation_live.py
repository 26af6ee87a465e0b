"""The score watched during training: of stacked digits it counts the classes."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from orthogan.data import ImageSet, load
from orthogan.data.stacked import StackedImages, stack
from orthogan.errors import ShapeError
from orthogan.evaluation import LiveScore
from orthogan.evaluation.live import NUM_FAKES, NUM_SLOW_FAKES, NUM_STACKED_FAKES
from orthogan.gan import task
from orthogan.gan.config import TrainingConfig
from orthogan.gan.session import GanSession
from orthogan.training.clock import Clock
from orthogan.training.config import BudgetConfig

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def stacked() -> StackedImages:
    return stack(load("mnist", split="test"), num_images=800)


@pytest.fixture
def score(stacked: StackedImages, feature_cache: Path, monkeypatch) -> LiveScore:
    monkeypatch.setenv("ORTHOGAN_CACHE", str(feature_cache))
    return LiveScore(stacked, num_fakes=400)


def test_stacked_digits_are_counted(score: LiveScore, stacked: StackedImages) -> None:
    fresh, labels = stacked.take(stacked.order(seed=9).batch(0, 400))
    reading = score.read(fresh)
    assert reading.modes == pytest.approx(len(labels.unique()), abs=12)
    counts = torch.bincount(labels, minlength=1000).double() / 400
    expected = float(torch.xlogy(counts, counts).sum()) + math.log(1000)
    assert reading.mode_kl == pytest.approx(expected, abs=0.05)
    assert score.real.modes == pytest.approx(reading.modes, rel=0.1)
    assert score.real.mode_kl == pytest.approx(reading.mode_kl, rel=0.15)
    assert reading.distance < 3 * score.floor


def test_one_class_again_and_again_is_one_mode(score: LiveScore, stacked: StackedImages) -> None:
    reading = score.read(stacked.images[:1].expand(400, -1, -1, -1))
    assert reading.modes == 1
    assert reading.mode_kl == pytest.approx(math.log(1000))


def test_how_many_images_a_reading_takes(score: LiveScore, stacked: StackedImages) -> None:
    assert score.num_fakes == 400
    assert LiveScore(stacked).num_fakes == NUM_STACKED_FAKES
    assert LiveScore(ImageSet(stacked.images[:, :1], name="mnist")).num_fakes == NUM_FAKES
    small = ImageSet(stacked.images[:200, :1], name="other digits")
    assert LiveScore(small).num_fakes == NUM_SLOW_FAKES
    with pytest.raises(ShapeError, match="they must agree"):
        score.read(stacked.images[:400, :1])


def test_a_run_on_stacked_digits_logs_its_modes(
    train_tiny, stacked: StackedImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task.GanTask, "load", lambda _, config: stacked)
    monkeypatch.setattr(task, "_live_score", lambda images, *_: LiveScore(images, num_fakes=384))
    run = train_tiny(tmp_path / "run", images=32)
    assert 1 <= run.scores["modes"] < run.scores["modes of real images"] < 384
    assert run.scores["mode-kl"] > run.scores["mode-kl of real images"] > 0
    assert run.sample(range(2)).shape == (2, 3, 28, 28)
    lines = (run.path / "metrics.jsonl").read_text().splitlines()
    assert sum('"mode-kl"' in line for line in lines) == 1


def test_a_score_that_takes_long_is_taken_rarely() -> None:
    session = GanSession.__new__(GanSession)
    session.config, session._measure_s = TrainingConfig(), 0.5
    session.trainer = SimpleNamespace(config=session.config)
    session.clock = Clock(BudgetConfig(seconds=400))
    assert session._score_every_s == 20  # a twentieth of the budget
    session._measure_s = 4.0
    assert session._score_every_s == 80  # training has 19 times as long
    session.config = session.trainer.config = session.config.evolve("score_every_s=7")
    assert session._score_every_s == 7


def test_unseen_images_get_a_distance_of_their_own(many_file: Path) -> None:
    whole = load(many_file)
    trained, unseen = whole.only(torch.arange(320)), whole.only(torch.arange(320, 520))
    plain = LiveScore(trained, num_fakes=128, extractor="digits-cls")
    assert not plain.has_unseen
    assert plain.read(unseen.images).unseen is None
    score = LiveScore(trained, num_fakes=128, extractor="digits-cls", unseen=unseen)
    assert score.has_unseen
    found = score.read(unseen.images)
    assert found.distance == plain.read(unseen.images).distance
    assert found.unseen is not None
    assert found.unseen < found.distance  # most of them are the unseen ones themselves
    assert 0.3 < score.unseen_gap < 3
    few = whole.only(torch.arange(100))
    assert not LiveScore(trained, num_fakes=128, extractor="digits-cls", unseen=few).has_unseen
