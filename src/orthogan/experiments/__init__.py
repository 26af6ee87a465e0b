"""Which setting is better, over seeds: a specification, its trials, and a result."""

# Importing a task registers it.
from orthogan.experiments import classify_task, gan_task, language_task  # noqa: F401
from orthogan.experiments.compare import compare
from orthogan.experiments.results import Difference, VariantResult
from orthogan.experiments.summary import Comparison

__all__ = ["Comparison", "Difference", "VariantResult", "compare"]
