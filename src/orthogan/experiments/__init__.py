"""Which setting is better, over seeds: a question, its runs, and an answer."""

from orthogan.experiments.answer import Difference, VariantAnswer
from orthogan.experiments.compare import compare
from orthogan.experiments.outcome import Comparison

__all__ = ["Comparison", "Difference", "VariantAnswer", "compare"]
