"""The model that a name, a bundle or a run holds, finished or not."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from orthogan.models.bundle.folder import Bundle, Role, load_bundle, role_of
from orthogan.models.bundle.names import is_unfinished, resolve

# What reads checkpoints; imported when a run is met that is not done, so that drawing images of a
# finished one needs no training code.
_READER = "orthogan.training.unfinished"


def load_stored(source: str | Path, role: Role = "generator") -> Bundle:
    """The model of a shipped name, bundle or run; of an unfinished run, its newest healthy one.

    Raises:
        BundleError: damaged, newer than this version, of another kind of network, or none yet.
        UnknownNameError: nothing of that name.
    """
    place = resolve(source)
    if not is_unfinished(place):
        return load_bundle(place, role)
    found: Bundle = _reader().newest_model(place, role)
    return found


def role_of_stored(source: str | Path) -> str | None:
    """`generator`, `classifier` or `language`: what `load_stored` finds; None if none of ours.

    Raises:
        BundleError: there is no model yet.
        UnknownNameError: nothing of that name.
    """
    place = resolve(source)
    if not is_unfinished(place):
        return role_of(place)
    role: str = _reader().role_of_run(place)
    return role


def _reader() -> Any:
    return importlib.import_module(_READER)
