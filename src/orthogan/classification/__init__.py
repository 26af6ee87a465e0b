"""Classifying images: examples, training, scoring, and pictures of the attention."""

from orthogan.classification.config import ClassificationConfig, DistortionConfig
from orthogan.classification.labels import LabelScheme
from orthogan.classification.scoring import ClassifierScore, Confusion

__all__ = [
    "ClassificationConfig",
    "ClassifierScore",
    "Confusion",
    "DistortionConfig",
    "LabelScheme",
]
