"""A trained model as a folder: `config.json`, `generator.safetensors`, `README.md`.

It knows nothing of networks: what to build stands in `generator_config`, a plain dictionary.
"""

from orthogan.bundle.folder import FORMAT, Bundle, is_bundle, load_bundle, save_bundle
from orthogan.bundle.names import resolve, shipped_names

__all__ = [
    "FORMAT",
    "Bundle",
    "is_bundle",
    "load_bundle",
    "resolve",
    "save_bundle",
    "shipped_names",
]
