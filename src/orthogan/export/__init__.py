"""Trained generators for other programs: one file per format, in `formats`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orthogan.registry import TraitRegistry


@dataclass(frozen=True)
class Exported:
    """A file that was written and checked.

    Attributes:
        summary: What was made, in words.
        facts: The same for programs; `json.dumps` takes it.
        note: Which checkpoint was taken, of a run that is not done: `note` of the model.
    """

    summary: str
    facts: dict[str, Any]
    note: str = ""


@dataclass(frozen=True)
class Exporter:
    """How a trained generator becomes a file.

    Attributes:
        write: From a run folder, bundle or shipped name, and the file to write.
        suffix: How names of such files end, with the dot.
    """

    write: Callable[[str, Path], Exported]
    suffix: str


EXPORTERS = TraitRegistry("export format", Exporter, "orthogan.export.formats", group="exporters")
