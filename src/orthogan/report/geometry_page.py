"""The report of an analysis: its questions in order, on one page."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from orthogan.analysis.result import Analysis
from orthogan.report import (
    cause_sections,
    identity_sections,
    motion_sections,
    place_sections,
    term_section,
    transform_sections,
    word_sections,
)
from orthogan.report.definitions import definitions
from orthogan.report.head_sections import heads
from orthogan.report.measured import Measured, measure
from orthogan.report.page import Section, page
from orthogan.report.target import check_target, write_page
from orthogan.report.wording import short_name
from orthogan.terminal import printable

Answer = Callable[[Analysis, Measured | None], Section | None]

# In the order in which a stranger asks.
QUESTIONS: tuple[Answer, ...] = (
    term_section.words,
    identity_sections.reading,
    identity_sections.flips,
    identity_sections.worst,
    place_sections.places,
    identity_sections.margins,
    motion_sections.motion,
    cause_sections.controls,
    cause_sections.amplitudes,
    word_sections.examples,
    cause_sections.corrections,
    word_sections.scale_limits,
    word_sections.meanings,
    transform_sections.transforms,
    cause_sections.directions,
    motion_sections.repeats,
    cause_sections.correlations,
    heads,
    definitions,
)


def geometry_report(analysis: Analysis, *, command: str | None = None, seed: int = 0) -> str:
    """An analysis as one HTML page that needs nothing else: no script, no font, no network.

    The same analysis gives the same text. A question is on the page only if it is answered.

    Args:
        analysis: What was counted.
        command: What writes the page again, for its last line; None names the Python call.
        seed: Of what the page adds: drawn margins and rows, shuffled tables.

    >>> from orthogan.analysis.api import analyze
    >>> from torch import eye, nn
    >>> found = analyze(nn.Embedding.from_pretrained(10 * eye(4)), num_positions=3)
    >>> geometry_report(found).startswith("<!doctype html>")
    True
    """
    measured = measure(analysis, seed)
    sections = [part for answer in QUESTIONS if (part := answer(analysis, measured)) is not None]
    numbers = analysis.to_dict() | ({} if measured is None else {"beside": measured.to_dict()})
    numbers.pop("flips_per_token", None)  # one number a token: megabytes that nothing shows
    source = printable(analysis.tables.source)
    return page(
        title=f"What position codes do to the tokens of {short_name(source)}",
        summary=identity_sections.summary(analysis),
        tiles=identity_sections.tiles(analysis),
        sections=sections,
        remade_by=printable(command or f"write_geometry_report(analyze({source!r}), path)"),
        numbers=_finite(numbers),
    )


def write_geometry_report(
    analysis: Analysis, path: str | Path, *, command: str | None = None, seed: int = 0
) -> Path:
    """Writes `geometry_report` to a file, entirely or not at all.

    Args:
        analysis: What was counted.
        path: An `.html` file, replaced if it exists; folders above it are made.
        command: What writes the page again, for its last line.
        seed: Of what the page adds.

    Returns:
        Where it was written.

    Raises:
        ConfigError: the path is a folder, or not named as an HTML file.
        StorageError: the place cannot be written.
    """
    target = Path(path)
    check_target(target)
    text = geometry_report(analysis, command=command, seed=seed)
    return write_page(target, text)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
