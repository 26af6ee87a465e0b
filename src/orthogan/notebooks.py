"""How results show themselves in notebooks; what draws them lies above and is imported then."""

from __future__ import annotations

import importlib

_HOME = "orthogan.report.notebook"


def shown(kind: str, result: object) -> str:
    """A result as HTML for a notebook, every text in it escaped.

    Args:
        kind: The function of `orthogan.report.notebook` that draws it.
        result: What is drawn.
    """
    text: str = getattr(importlib.import_module(_HOME), kind)(result)
    return text
