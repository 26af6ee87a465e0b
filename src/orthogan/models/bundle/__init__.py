"""A trained model as a folder: `config.json`, `generator.safetensors`, `README.md`.

A classifier's weights are in `classifier.safetensors`, a language model's in
`language.safetensors` with its `vocabulary.json` beside it. The package knows nothing of networks:
what to build stands in a plain dictionary.
"""

from orthogan.models.bundle.folder import (
    FORMAT,
    Bundle,
    Role,
    is_bundle,
    load_bundle,
    role_of,
    save_bundle,
)
from orthogan.models.bundle.names import resolve, shipped_names
from orthogan.models.bundle.rebuild import rebuild
from orthogan.models.bundle.stored import load_stored, role_of_stored

__all__ = [
    "FORMAT",
    "Bundle",
    "Role",
    "is_bundle",
    "load_bundle",
    "load_stored",
    "rebuild",
    "resolve",
    "role_of",
    "role_of_stored",
    "save_bundle",
    "shipped_names",
]
