"""A finished run is told what its images are, and a wait is told while it lasts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import orthogan
from orthogan.data import ImageSet, load
from orthogan.data.stacked import stack
from orthogan.evaluation import waiting
from orthogan.gan import judgement, session

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def drawings(monkeypatch: pytest.MonkeyPatch, feature_cache: Path) -> ImageSet:
    monkeypatch.setenv("ORTHOGAN_CACHE", str(feature_cache))
    monkeypatch.setattr(judgement, "NUM_JUDGED", 120)
    return ImageSet(load("mnist", split="test").images[:60], name="drawings")


def judged(monkeypatch: pytest.MonkeyPatch, drawn: torch.Tensor, images: ImageSet) -> str:
    monkeypatch.setattr(judgement, "sample_pixels", lambda _, seeds: drawn[: len(seeds)])
    found = judgement.judged(orthogan.load("mnist-demo").generator, images, None)
    assert found is not None
    return found.verdict


def test_sixty_drawings_that_are_drawn_again_are_memorised(monkeypatch, drawings) -> None:
    moved = drawings.images.roll((1, -2), (2, 3)).repeat(2, 1, 1, 1)
    assert judged(monkeypatch, moved, drawings).startswith("Memorising: ")
    others = load("mnist", split="test").images[100:220]
    assert not judged(monkeypatch, others, drawings).startswith("Memorising")


def test_stacks_that_are_made_afresh_and_too_few_images_get_no_verdict(drawings) -> None:
    stacked = stack(load("mnist", split="test"), num_images=40)
    generator = orthogan.load("mnist-demo").generator
    assert judgement.judged(generator, stacked, None) is None


def test_a_run_ends_with_its_verdict(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, feature_cache: Path
) -> None:
    monkeypatch.setenv("ORTHOGAN_CACHE", str(feature_cache))
    monkeypatch.setattr(judgement, "NUM_JUDGED", 64)
    monkeypatch.setattr(session, "UNFOLDED_STEPS", 1)
    monkeypatch.setattr(session.GanSession, "_refuse_collapse", lambda _: None)
    run = train_tiny(tmp_path / "run", images=64)
    lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    (verdict,) = [line for line in lines if line.get("event") == "verdict"]
    assert verdict["verdict"] in run.reason
    assert verdict["scores"]["memorised"]["n"] == 64


def test_a_wait_is_told_with_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now, said = [100.0], []
    monkeypatch.setattr(waiting.time, "monotonic", lambda: now[0])
    report = waiting.telling(said.append)
    for done in range(1000, 10_001, 1000):
        report("Describing 10,000 images", done, 10_000)
        now[0] += 2.0
    assert said == [
        "Describing 10,000 images: 20% done, 16 s left.",
    ]
    for done in (500, 1000):  # another set, quick enough to need no words
        report("Describing 1,000 images", done, 1000)
    assert len(said) == 1
    for done in range(1, 60, 10):  # other work, which may have as many parts
        report("Training an extractor", done, 1000)
        now[0] += 2.0
    assert said[1:] == ["Training an extractor: 1% done, 198 s left."]


@pytest.mark.general_live_scores
def test_a_run_on_any_images_is_scored_by_the_general_extractor(
    train_tiny, tmp_path: Path, feature_cache: Path
) -> None:
    run = train_tiny(tmp_path / "run", images=32)
    (name,) = [name for name in run.scores if name.startswith("fd[")]
    assert name.startswith("fd[general@")
    assert run.scores[name] > run.scores["floor"] > 0
    assert "least class share" not in run.scores
