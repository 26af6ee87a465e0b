"""A trained model as a folder: `config.json`, `generator.safetensors`, `README.md`.

A classifier's weights are in `classifier.safetensors`. The package knows nothing of networks:
what to build stands in `generator_config` or `classifier_config`, a plain dictionary.
"""

from orthogan.bundle.folder import (
    FORMAT,
    Bundle,
    ClassifierBundle,
    is_bundle,
    load_bundle,
    load_classifier,
    save_bundle,
    save_classifier,
)
from orthogan.bundle.names import resolve, shipped_names

__all__ = [
    "FORMAT",
    "Bundle",
    "ClassifierBundle",
    "is_bundle",
    "load_bundle",
    "load_classifier",
    "resolve",
    "save_bundle",
    "save_classifier",
    "shipped_names",
]
