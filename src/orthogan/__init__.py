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
    from orthogan import attention, geometry
    from orthogan.analysis.api import analyze
    from orthogan.analysis.judging import Judgement, judge
    from orthogan.analysis.look import look
    from orthogan.analysis.look_result import Look
    from orthogan.analysis.result import Analysis
    from orthogan.attention import Attention, as_attention, as_convolution
    from orthogan.classification.api import classify
    from orthogan.data.api import load_data
    from orthogan.embeddings import read_tables
    from orthogan.evaluation import Evaluation, Score
    from orthogan.experiments import Comparison
    from orthogan.experiments.compare import compare
    from orthogan.export.onnx import export_onnx
    from orthogan.export.onnx_file import load_exported
    from orthogan.gan.api import evaluate, resolve, train
    from orthogan.gan.recipes import RECIPES
    from orthogan.language.api import train_language
    from orthogan.models.generator import Model, sample
    from orthogan.models.load import load
    from orthogan.models.projection import Projection, project
    from orthogan.organizing.api import organize
    from orthogan.organizing.result import Organization
    from orthogan.report.run_report import report
    from orthogan.training.run import Run

_HOMES = {
    "Analysis": "orthogan.analysis.result",
    "Attention": "orthogan.attention",
    "Comparison": "orthogan.experiments",
    "Evaluation": "orthogan.evaluation",
    "Judgement": "orthogan.analysis.judging",
    "Look": "orthogan.analysis.look_result",
    "Model": "orthogan.models.generator",
    "Organization": "orthogan.organizing.result",
    "Projection": "orthogan.models.projection",
    "RECIPES": "orthogan.gan.recipes",
    "Run": "orthogan.training.run",
    "Score": "orthogan.evaluation",
    "analyze": "orthogan.analysis.api",
    "as_attention": "orthogan.attention",
    "as_convolution": "orthogan.attention",
    "classify": "orthogan.classification.api",
    "compare": "orthogan.experiments",
    "evaluate": "orthogan.gan.api",
    "export_onnx": "orthogan.export.onnx",
    "judge": "orthogan.analysis.judging",
    "load": "orthogan.models.load",
    "load_data": "orthogan.data.api",
    "load_exported": "orthogan.export.onnx_file",
    "look": "orthogan.analysis.look",
    "organize": "orthogan.organizing.api",
    "project": "orthogan.models.projection",
    "read_tables": "orthogan.embeddings",
    "resolve": "orthogan.gan.api",
    "sample": "orthogan.models.generator",
    "train": "orthogan.gan.api",
    "train_language": "orthogan.language.api",
}

__all__ = [
    "RECIPES",
    "Analysis",
    "Attention",
    "Comparison",
    "Evaluation",
    "Judgement",
    "Look",
    "Model",
    "Organization",
    "Projection",
    "Run",
    "Score",
    "__version__",
    "analyze",
    "as_attention",
    "as_convolution",
    "attention",
    "classify",
    "compare",
    "evaluate",
    "export_onnx",
    "geometry",
    "judge",
    "load",
    "load_data",
    "load_exported",
    "look",
    "organize",
    "project",
    "read_tables",
    "report",
    "resolve",
    "sample",
    "train",
    "train_language",
]


def __getattr__(name: str) -> Any:
    if name in {"attention", "geometry", "report"}:
        return importlib.import_module(f"orthogan.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'orthogan' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
