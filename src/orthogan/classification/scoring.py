"""How many images a classifier gets right, and what it takes for what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from pydantic import BaseModel, Field, model_validator
from torch import Tensor

from orthogan.classification.labels import LabelScheme
from orthogan.errors import ConfigError
from orthogan.statistics import ScoreShape, share_interval

NUM_PAIRS = 5  # confusions worth naming


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """How often images of one class were taken for another, and by which label."""

    label: int
    true: str
    taken_for: str
    count: int


@dataclass(frozen=True, kw_only=True)
class ClassifierScore:
    """Accuracy on a test set; an image is right if every one of its labels is.

    Attributes:
        accuracy: Share of the images that are right.
        low: Lower end of its 95 % interval (Wilson 1927).
        high: Upper end.
        chance: Share that always giving the most frequent answer would get right.
        num_images: Images scored.
        label_accuracies: Share of right answers, label by label.
        matrices: Counts `L C C`: label, true class, answer.
        class_names: Classes in the order of the matrices.
    """

    accuracy: float
    low: float
    high: float
    chance: float
    num_images: int
    label_accuracies: tuple[float, ...]
    matrices: Tensor
    class_names: tuple[str, ...]

    def worst(self, count: int = NUM_PAIRS) -> list[Confusion]:
        """The most frequent confusions."""
        wrong = self.matrices * (1 - torch.eye(len(self.class_names), dtype=torch.int64))
        flat = wrong.flatten()
        chosen = flat.argsort(descending=True, stable=True)[:count].tolist()
        places = [torch.unravel_index(torch.tensor(i), wrong.shape) for i in chosen if flat[i] > 0]
        return [
            Confusion(
                label=int(label),
                true=self.class_names[int(row)],
                taken_for=self.class_names[int(column)],
                count=int(wrong[label, row, column]),
            )
            for label, row, column in places
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `json.dumps` takes it."""
        return {
            "scores": {
                "accuracy": {
                    "value": self.accuracy,
                    "low": self.low,
                    "high": self.high,
                    "floor": self.chance,
                    "n": self.num_images,
                }
            },
            "label_accuracies": list(self.label_accuracies),
            "class_names": list(self.class_names),
            "confusion": self.matrices.tolist(),
            "worst": [vars(pair) for pair in self.worst()],
        }


class _Scores(BaseModel):
    accuracy: ScoreShape


class _Confusion(BaseModel):
    label: int = Field(ge=0)
    true: str
    taken_for: str
    count: int


class ClassifierScoreShape(BaseModel):
    """What `ClassifierScore.to_dict` writes."""

    scores: _Scores
    label_accuracies: list[float] = Field(min_length=1)
    class_names: list[str]
    confusion: list[list[list[int]]]
    worst: list[_Confusion]

    @model_validator(mode="after")
    def _fits_together(self) -> ClassifierScoreShape:
        labels, classes = len(self.label_accuracies), len(self.class_names)
        is_square = all(
            len(matrix) == classes and all(len(row) == classes for row in matrix)
            for matrix in self.confusion
        )
        is_known = all(pair.label < labels for pair in self.worst)
        if len(self.confusion) != labels or not is_square or not is_known:
            raise ValueError
        return self


def score_answers(answers: Tensor, targets: Tensor, scheme: LabelScheme) -> ClassifierScore:
    """The score of answers `B L` against the true label indices `B L`.

    Raises:
        ConfigError: there is nothing to score.

    >>> score = score_answers(torch.tensor([[0], [1]]), torch.tensor([[0], [0]]),
    ...     LabelScheme(("cat", "dog")))
    >>> score.accuracy, score.matrices.tolist(), score.worst()[0].taken_for
    (0.5, [[[1, 1], [0, 0]]], 'dog')
    """
    if len(targets) == 0:
        raise ConfigError("A score needs at least 1 image, got 0.")
    right = answers == targets
    accuracy = float(right.all(dim=1).double().mean())
    interval = share_interval(accuracy, len(targets))
    return ClassifierScore(
        accuracy=accuracy,
        low=interval.low,
        high=interval.high,
        chance=_largest_share(targets),
        num_images=len(targets),
        label_accuracies=tuple(right.double().mean(dim=0).tolist()),
        matrices=confusion_matrices(answers, targets, len(scheme.names)),
        class_names=scheme.names,
    )


def confusion_matrices(answers: Tensor, targets: Tensor, classes: int) -> Tensor:
    """Counts `L C C`: label, true class, answer.

    >>> confusion_matrices(torch.tensor([[0], [1]]), torch.tensor([[0], [0]]), 2)
    tensor([[[1, 1],
             [0, 0]]])
    """
    cells = targets * classes + answers
    counts = [torch.bincount(column, minlength=classes * classes) for column in cells.T]
    matrices: Tensor = torch.stack(counts).unflatten(1, (classes, classes))
    return matrices


def _largest_share(targets: Tensor) -> float:
    _, counts = targets.unique(dim=0, return_counts=True)
    return float(counts.max()) / len(targets)
