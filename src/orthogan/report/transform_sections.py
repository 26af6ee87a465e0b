"""The section on transforms of the token table: before and after, and both sides of the bargain."""

from __future__ import annotations

from orthogan.analysis.result import Analysis
from orthogan.analysis.transformed import TransformedTable
from orthogan.report.measured import Measured
from orthogan.report.page import Section
from orthogan.report.tables import table
from orthogan.report.wording import count, decimal, share

WORDS = {
    "as it is": "As it is",
    "center": "Mean taken off",
    "pca": "Principal axes (no product changes but by the mean)",
    "whiten": "Whitened",
}


def transforms(analysis: Analysis, _: Measured | None) -> Section | None:
    """Flips, isotropy and meanings before and after each transform."""
    found = analysis.transforms
    if not found:
        return None
    tests = sorted({test for each in found for test in each.meanings})
    counted = found[0].flips is not None
    headers = ["Table", "width", *(["flips", "kept"] if counted else []), "isotropy",
               "mean cosine", "effective rank", *tests]  # fmt: skip
    rows = [_row(each, tests, counted=counted) for each in found]
    return Section(
        "transforms",
        "What do transforms of the table change?",
        _answer(found),
        [table("The token table before and after. Codes of the source take the linear part of a "
               "transform; isotropy is the IsoScore, from 0 to 1",
               headers, rows, tuple(range(1, len(headers))))],
        "Transforms",
    )  # fmt: skip


def _row(each: TransformedTable, tests: list[str], *, counted: bool) -> tuple[str, ...]:
    flips = (count(each.flips or 0), share(each.kept or 0.0)) if counted else ()
    solved = (each.meanings.get(test) for test in tests)
    return (
        WORDS.get(each.name, each.name),
        count(each.width),
        *flips,
        decimal(each.isoscore),
        decimal(each.mean_cosine),
        decimal(each.effective_rank),
        *("-" if one is None else decimal(one.value) for one in solved),
    )


def _answer(found: tuple[TransformedTable, ...]) -> str:
    before, *after = found
    if before.flips is None:
        return "Nothing flips, since no code is added; isotropy and meanings before and after."
    parts = [f"{count(each.flips or 0)} after {each.name}" for each in after]
    return f"{count(before.flips)} pairs flip as it is, " + ", ".join(parts) + "."
