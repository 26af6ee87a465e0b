"""Scores one can trust: every number with its floor and its interval."""

from orthogan.evaluation.evaluate import evaluate_images
from orthogan.evaluation.extractors import EXTRACTORS, Extractor
from orthogan.evaluation.frechet import Moments, frechet_distance, moments
from orthogan.evaluation.live import LiveScore, Reading
from orthogan.evaluation.metrics import METRICS
from orthogan.evaluation.scores import Evaluation, Score

__all__ = [
    "EXTRACTORS",
    "METRICS",
    "Evaluation",
    "Extractor",
    "LiveScore",
    "Moments",
    "Reading",
    "Score",
    "evaluate_images",
    "frechet_distance",
    "moments",
]
