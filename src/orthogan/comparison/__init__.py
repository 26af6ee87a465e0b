"""Which setting is better, over seeds: a question, its runs, and an answer."""

from orthogan.comparison.answer import Difference, VariantAnswer
from orthogan.comparison.compare import compare
from orthogan.comparison.outcome import Comparison

__all__ = ["Comparison", "Difference", "VariantAnswer", "compare"]
