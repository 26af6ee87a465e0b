"""Scores against counting by hand, and schedules at known places."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from orthogan.classification.config import ClassificationConfig
from orthogan.classification.labels import LabelScheme
from orthogan.classification.scoring import confusion_matrices, score_answers
from orthogan.errors import ConfigError
from orthogan.statistics import share_interval
from orthogan.training.config import AdamWConfig
from orthogan.training.schedule import average_step, learning_rate

THREE = LabelScheme(("a", "b", "c"))
PAIRS = LabelScheme(("0", "1"), 2)


def test_one_label() -> None:
    targets = torch.tensor([[0], [0], [0], [1], [1], [2]])
    answers = torch.tensor([[0], [1], [1], [1], [1], [0]])
    score = score_answers(answers, targets, THREE)
    assert score.accuracy == 0.5
    assert (score.low, score.high) == share_interval(0.5, 6)
    assert score.chance == 0.5
    assert score.num_images == 6
    assert score.label_accuracies == (0.5,)
    assert score.matrices.tolist() == [[[1, 2, 0], [0, 2, 0], [1, 0, 0]]]
    assert [(p.true, p.taken_for, p.count) for p in score.worst()] == [("a", "b", 2), ("c", "a", 1)]
    assert len(score.worst(1)) == 1


def test_an_image_with_several_labels_is_right_if_all_are() -> None:
    targets = torch.tensor([[0, 0], [0, 1], [1, 1], [1, 1]])
    answers = torch.tensor([[0, 0], [0, 0], [0, 1], [0, 0]])
    score = score_answers(answers, targets, PAIRS)
    assert score.accuracy == 0.25
    assert score.label_accuracies == (0.5, 0.5)
    assert score.chance == 0.5  # 11 is two of four
    assert score.matrices.tolist() == [[[2, 0], [2, 0]], [[1, 0], [2, 1]]]
    assert [(p.label, p.true, p.taken_for, p.count) for p in score.worst()] == [
        (0, "1", "0", 2),
        (1, "1", "0", 2),
    ]


def test_a_score_is_plain_values() -> None:
    tree = score_answers(torch.tensor([[0]]), torch.tensor([[0]]), THREE).to_dict()
    assert json.loads(json.dumps(tree, allow_nan=False)) == tree
    assert tree["scores"]["accuracy"]["value"] == 1.0
    assert tree["scores"]["accuracy"]["low"] < 1.0
    assert tree["class_names"] == ["a", "b", "c"]
    assert tree["worst"] == []


@given(st.data())
def test_confusions_are_counts(data: st.DataObject) -> None:
    rows = data.draw(st.integers(1, 20))
    labels = st.lists(
        st.lists(st.integers(0, 3), min_size=2, max_size=2), min_size=rows, max_size=rows
    )
    targets, answers = (torch.tensor(data.draw(labels)) for _ in range(2))
    counted = torch.zeros(2, 4, 4, dtype=torch.int64)
    for true, answer in zip(targets.tolist(), answers.tolist(), strict=True):
        for label in range(2):
            counted[label, true[label], answer[label]] += 1
    assert torch.equal(confusion_matrices(answers, targets, 4), counted)


def test_nothing_to_score_is_refused() -> None:
    empty = torch.empty(0, 1, dtype=torch.int64)
    with pytest.raises(ConfigError, match="at least 1 image"):
        score_answers(empty, empty, THREE)


def test_the_step_size_rises_and_falls() -> None:
    config = AdamWConfig(learning_rate=2.0, warm_up=0.25, final_share=0.1)
    found = [learning_rate(config, share) for share in (0.0, 0.125, 0.25, 0.625, 1.0, 1.5)]
    assert found == pytest.approx([0.0, 1.0, 2.0, 1.1, 0.2, 0.2])
    assert learning_rate(config.evolve("warm_up=0"), 0.0) == 2.0


def test_the_average_remembers_a_tenth_of_the_steps_and_no_more_than_asked() -> None:
    steps = [average_step(step, 50.0) for step in (1, 10, 20, 500, 501, 9999)]
    assert steps == pytest.approx([1.0, 1.0, 0.5, 0.02, 0.02, 0.02])
    assert average_step(9999, 2.0) == 0.5


@pytest.mark.parametrize(
    ("settings", "sentences"),
    [
        ((), []),
        (("network.channels=8",), []),
        (("network.stem=patch",), []),
        (
            ("network.stem=patch", "network.channels=8"),
            ["network.channels has no effect with network.stem=patch."],
        ),
        (
            ("network.blocks=0", "network.read_out=mean", "network.heads=2"),
            ["network.heads has no effect with network.blocks=0."],
        ),
        (
            ("distortion.strength=0", "distortion.bend=0.5"),
            ["distortion.bend has no effect with distortion.strength=0."],
        ),
    ],
)
def test_settings_without_effect_are_told(settings: tuple[str, ...], sentences: list[str]) -> None:
    assert ClassificationConfig().evolve(*settings).without_effect() == sentences


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("batch_size=1", "batch_size"),
        ("label_smoothing=1", "label_smoothing"),
        ("average_steps=0", "average_steps"),
        ("data.held_out=0", "held_out"),
        ("data.held_out=1", "held_out"),
        ("data.label_parts=0", "label_parts"),
        ("distortion.scale=1", "scale"),
        ("distortion.turn_deg=.inf", "turn_deg"),
        ("optimizer.learning_rate=0", "learning_rate"),
        ("optimizer.learning_rte=1", "Did you mean 'optimizer.learning_rate'"),
        ("budget.images=5", "either images or seconds"),
        ("network.stem=convolution", "stem"),
        ("network.patch=5", "patch"),
        ("network.classes=1", "classes"),
    ],
)
def test_impossible_settings_are_refused(setting: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ClassificationConfig().evolve(setting)
