"""What a person calls a model."""

from __future__ import annotations

from pathlib import Path


def name_of(source: str) -> str:
    """A name for files made from a run, a bundle or an exported model.

    >>> name_of("runs/digits"), name_of("runs/digits/bundle"), name_of("digits.onnx")
    ('digits', 'digits', 'digits')
    """
    path = Path(source).resolve()
    return path.parent.name if path.name == "bundle" else path.name.removesuffix(".onnx") or "model"
