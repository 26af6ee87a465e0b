"""Recipes of classifiers: whole configurations by name."""

from __future__ import annotations

from collections.abc import Callable

from orthogan.classification.config import ClassificationConfig
from orthogan.registry import Registry

RECIPES: Registry[Callable[[], ClassificationConfig]] = Registry(
    "recipe", __name__, group="recipes"
)


@RECIPES.register("attention-classifier")
def attention_classifier() -> ClassificationConfig:
    """The default: a class token attends to image patches behind a convolutional stem."""
    return ClassificationConfig()
