"""Sections on words: what they become at each amplitude, what is allowed, what is still meant."""

from __future__ import annotations

from orthogan.analysis.result import Analysis
from orthogan.report.cause_sections import REPAIRS
from orthogan.report.grid_places import place_name
from orthogan.report.measured import Measured
from orthogan.report.page import Section
from orthogan.report.tables import table
from orthogan.report.wording import TIMES, count, decimal, share, token

CHANGES = REPAIRS | {
    "scale": "As they are",
    "remove-mean, rotate": "Take the mean code off, then turn",
}


def examples(analysis: Analysis, _: Measured | None) -> Section | None:
    """Which words turn into which, by amplitude."""
    rows = [
        (
            f"{TIMES} {amplitude:g}",
            token(name),
            place_name(analysis, position),
            token(becomes),
            decimal(flip.margin),
        )
        for amplitude in analysis.counts
        for name, position, becomes, flip in analysis.examples(amplitude)
    ]
    if not rows:
        return None
    listed = ", ".join(
        f"{share(1 - found.kept)} at {TIMES} {amplitude:g}"
        for amplitude, found in analysis.counts.items()
    )
    return Section(
        "examples",
        "Which words change at which length of the codes?",
        f"Of all pairs of a token and a position, these change: {listed}.",
        [table("The deepest flips of different tokens at each length",
               ["Codes", "Token", "at position", "is read as", "margin"], rows, (2, 4))],
        "Words that change",
    )  # fmt: skip


def scale_limits(analysis: Analysis, _: Measured | None) -> Section | None:
    """How long the codes may be."""
    best = analysis.recommendation
    if best is None or analysis.readable is None:
        return None
    rows = [
        (
            CHANGES.get(each.name, each.name),
            f"{TIMES} {decimal(each.factor)}",
            share(1 - each.flip_count.kept),
            share(round(each.token_r2, 6)),
            share(round(each.position_r2, 6)),
        )
        for each in analysis.scale_limits
    ]
    whole_tokens, whole_positions = (share(round(value, 6)) for value in analysis.readable)
    return Section(
        "allowances",
        "How long may the codes be?",
        f"At most {share(best.share)} of the pairs change if the codes are made "
        f"{TIMES} {decimal(best.factor)} as long "
        f"(\u201c{CHANGES.get(best.name, best.name).lower()}\u201d); a linear read-out then gets "
        f"{share(round(best.position_r2, 6))} of the positions, instead of {whole_positions}.",
        [table(f"Changes of the codes, each then shortened; {whole_tokens} of the tokens "
               f"and {whole_positions} of the positions are readable at full length",
               ["Change", "length", "pairs that change", "token readable", "position readable"],
               rows, (1, 2, 3, 4))],
        "Allowed length",
    )  # fmt: skip


def meanings(analysis: Analysis, _: Measured | None) -> Section | None:
    """What displaced words still mean."""
    if not analysis.meanings:
        return None
    rows = [
        (
            test,
            count(one.n),
            words,
            decimal(one.value),
            f"{decimal(one.low)} to {decimal(one.high)}",
        )
        for test, found in analysis.meanings.items()
        for words, one in found.items()
    ]
    test, found = next(iter(analysis.meanings.items()))
    said = "; ".join(f"{decimal(one.value)} {words}" for words, one in found.items())
    return Section(
        "meanings",
        "What do displaced words still mean?",
        f"{test}: {said}.",
        [table("Analogies: share solved. Similarity: rank correlation with human judgement. With "
               "codes, each word of a question stands at a random position",
               ["Test", "questions", "words", "score", "95 % interval"], rows, (1, 3))],
        "Meanings",
    )  # fmt: skip
