"""The first section: what the words of the page mean, before they are used."""

from __future__ import annotations

from orthogan.analysis.result import Analysis
from orthogan.report.measured import Measured
from orthogan.report.page import Section
from orthogan.report.tables import terms
from orthogan.report.wording import count, plural

OF_IMAGES = (
    "What a network holds of one patch of an image: a vector of {width} numbers. There is no list "
    "of all that could occur; the rows of this page are a sample from {sample}."
)
OF_TEXT = (
    "One entry of the vocabulary (a word, a piece of a word, a letter) as the model sees it: a "
    "vector of {width} numbers, its row in the token table."
)


def words(analysis: Analysis, _: Measured | None) -> Section | None:
    """Token, positional encoding, pair, identity, flip and margin, in plain words."""
    found, tables = analysis.flip_count, analysis.tables
    if found is None:
        return None
    token = OF_IMAGES if tables.grid is not None and tables.sample else OF_TEXT
    where = (
        f"the {tables.grid[0]} x {tables.grid[1]} places of an image"
        if tables.grid is not None
        else f"the {plural(found.positions, 'place')} of a sequence"
    )
    meanings = [
        ("Token", token.format(width=count(tables.tokens.shape[1]), sample=tables.sample)),
        ("Positional encoding, code", (f"A vector for each of {where}, added to whatever token "
         "stands there: without it attention could not tell first from last. It moves the token.")),
        ("Pair", (f"One token at one position. There are {count(found.tokens)} x "
         f"{count(found.positions)} of them, whether or not they ever occur.")),
        ("Identity", ("A moved token keeps its identity if it is still more like itself than like "
         "any other token of the table. If not, it flips: a reader that looks for the nearest "
         "token takes it for another one.")),
        ("Margin", ("How far a moved token is from the place where it would flip, in the units of "
         "the vectors; below 0 it has flipped.")),
    ]  # fmt: skip
    return Section(
        "words",
        "What do the words mean?",
        "Five words are all that this page needs.",
        [terms(meanings, "terms")],
        "Words",
    )
