"""A trained model as a folder: `config.json`, `generator.safetensors`, `README.md`.

A classifier's weights are in `classifier.safetensors`, a language model's in
`language.safetensors` with its `vocabulary.json` beside it. The package knows nothing of networks:
what to build stands in a plain dictionary.
"""

from orthogan.bundle.folder import (
    FORMAT,
    Bundle,
    ImageRole,
    LanguageBundle,
    is_bundle,
    load_bundle,
    load_language,
    role_of,
    save_bundle,
    save_language,
)
from orthogan.bundle.names import resolve, shipped_names
from orthogan.bundle.rebuild import rebuild

__all__ = [
    "FORMAT",
    "Bundle",
    "ImageRole",
    "LanguageBundle",
    "is_bundle",
    "load_bundle",
    "load_language",
    "rebuild",
    "resolve",
    "role_of",
    "save_bundle",
    "save_language",
    "shipped_names",
]
