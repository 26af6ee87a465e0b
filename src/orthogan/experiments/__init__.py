"""Which setting is better, over seeds: a spec, its runs, and an answer."""

from orthogan.experiments.compare import compare
from orthogan.experiments.results import Difference, VariantResult
from orthogan.experiments.summary import Comparison

__all__ = ["Comparison", "Difference", "VariantResult", "compare"]
