"""orthogan: attention GANs that do not collapse, on the machine you have.

Names are loaded when first used, so that `import orthogan` is quick and needs no PyTorch.

>>> import orthogan as og
>>> og.Attention(8, heads=2).heads
2
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from orthogan.version import __version__

if TYPE_CHECKING:
    from orthogan import geometry
    from orthogan.api import Model, Run, evaluate, load, resolve, sample, train
    from orthogan.attention import Attention, as_attention, as_convolution
    from orthogan.classifiers import classify, load_classifier
    from orthogan.comparison import Comparison
    from orthogan.comparison.compare import compare
    from orthogan.evaluation import Evaluation, Score
    from orthogan.export import export_onnx
    from orthogan.exported import load_exported
    from orthogan.language_models import load_language, train_language
    from orthogan.recipes import RECIPES
    from orthogan.surveys import Survey, survey
    from orthogan.tables import read_tables

_HOMES = {
    "Attention": "orthogan.attention",
    "Comparison": "orthogan.comparison",
    "Evaluation": "orthogan.evaluation",
    "Model": "orthogan.models",
    "RECIPES": "orthogan.recipes",
    "Run": "orthogan.api",
    "Score": "orthogan.evaluation",
    "Survey": "orthogan.surveys",
    "as_attention": "orthogan.attention",
    "as_convolution": "orthogan.attention",
    "classify": "orthogan.classifiers",
    "compare": "orthogan.comparison",
    "evaluate": "orthogan.api",
    "export_onnx": "orthogan.export",
    "load": "orthogan.models",
    "load_classifier": "orthogan.classifiers",
    "load_exported": "orthogan.exported",
    "load_language": "orthogan.language_models",
    "read_tables": "orthogan.tables",
    "resolve": "orthogan.api",
    "sample": "orthogan.models",
    "survey": "orthogan.surveys",
    "train": "orthogan.api",
    "train_language": "orthogan.language_models",
}

__all__ = [
    "RECIPES",
    "Attention",
    "Comparison",
    "Evaluation",
    "Model",
    "Run",
    "Score",
    "Survey",
    "__version__",
    "as_attention",
    "as_convolution",
    "classify",
    "compare",
    "evaluate",
    "export_onnx",
    "geometry",
    "load",
    "load_classifier",
    "load_exported",
    "load_language",
    "read_tables",
    "resolve",
    "sample",
    "survey",
    "train",
    "train_language",
]


def __getattr__(name: str) -> Any:
    if name == "geometry":
        return importlib.import_module("orthogan.geometry")
    if name not in _HOMES:
        raise AttributeError(f"module 'orthogan' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
