"""An extractor trained on a data set itself: a judge that owes nothing to other images."""

from __future__ import annotations

from orthogan.evaluation.own.classifier import classifier_accuracy
from orthogan.evaluation.own.extractor import LEAST_IMAGES, OWN, OwnExtractor, own_extractor

__all__ = ["LEAST_IMAGES", "OWN", "OwnExtractor", "classifier_accuracy", "own_extractor"]
