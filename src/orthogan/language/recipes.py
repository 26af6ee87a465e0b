"""Recipes of language models: whole configurations by name."""

from __future__ import annotations

from collections.abc import Callable

from orthogan.language.config import LanguageConfig
from orthogan.registry import Registry

RECIPES: Registry[Callable[[], LanguageConfig]] = Registry("recipe", __name__, group="recipes")


@RECIPES.register("transformer")
def transformer() -> LanguageConfig:
    """The default: a causal Transformer with rotary positions, trained with Muon."""
    return LanguageConfig()
