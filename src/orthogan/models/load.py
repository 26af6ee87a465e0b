"""One `load` for every kind of trained model."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from orthogan.models import bundle

# Where each kind is loaded; imported when it is met, so that drawing images needs no other code.
_LOADERS = {
    "generator": ("orthogan.models.generator", "load"),
    "classifier": ("orthogan.classification.model", "load_classifier"),
    "language": ("orthogan.language.model", "load_language"),
}


def load(source: str | Path, *, device: str | None = None, threads: int | None = None) -> Any:
    """A trained model: a shipped one by name, a run folder, or a bundle folder.

    A run that is not done, still running or stopped, gives the model of its newest healthy
    checkpoint; `note` of the model says which.

    Args:
        source: Its name or folder.
        device: Where it computes: `auto`, `cpu`, `cuda` or `mps`. None: a generator on the
            processor, where its images are the same on every machine, the others like `auto`.
        threads: CPU threads of this process from now on; unchanged if None.

    Returns:
        A `Model` that samples images, an `ImageClassifier`, or a `LanguageModel`.

    Raises:
        BundleError: damaged, newer than this version, or not a bundle.
        ConfigError: this machine has no such device.
        UnknownNameError: nothing of that name.
    """
    home, name = _LOADERS[bundle.role_of_stored(source) or "generator"]
    given = {"device": device, "threads": threads}
    chosen = {option: value for option, value in given.items() if value is not None}
    return getattr(importlib.import_module(home), name)(source, **chosen)
