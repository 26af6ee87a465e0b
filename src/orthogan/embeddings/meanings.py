"""What the words of a table mean before they are displaced, displaced, and after a repair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from orthogan.embeddings.questions import (
    ANALOGIES,
    GENSIM,
    SIMILARITY,
    Analogy,
    Judged,
    question_files,
    read_analogies,
    read_similarity,
)
from orthogan.embeddings.result import Tables
from orthogan.errors import MissingExtraError
from orthogan.geometry.identity.meanings import (
    Meaning,
    analogy_hits,
    similarity_score,
    solved_share,
)

ENGLISH = frozenset(("the", "of", "and", "man", "woman"))  # in every English vocabulary
SYNTACTIC = "gram"  # how word2vec's file names its sections on grammar
MIN_QUESTIONS = 10  # fewer say nothing: Spearman's 95 % interval at 10 is nearly [-0.63, 0.63]
MOST_NAMED = 5  # words in one sentence
NONE = "none"

Row = Callable[[str], int | None]


@dataclass(frozen=True)
class Tests:
    """Questions about words, and plain sentences on those that are missing."""

    __test__ = False  # no class of tests in the sense of pytest

    analogies: Sequence[Analogy] = ()
    similarity: Mapping[str, Sequence[Judged]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def find_tests(
    labels: Sequence[str] | None, analogies: str | None = None, similarity: str | None = None
) -> Tests:
    """The questions to ask of a table.

    Args:
        labels: The words of the table; English ones are asked gensim's questions by default.
        analogies: A file of word2vec's form, `gensim` for the one it ships, or `none`. None: that
            of gensim if the labels are English words.
        similarity: A file of pairs with a number, `gensim` for WordSim-353 and SimLex-999, or
            `none`. None: those of gensim likewise.

    Raises:
        MissingExtraError: gensim was named and is not installed.
        DataError: a named file is missing or of another form.

    >>> find_tests(["#", "a", "b"])
    Tests(analogies=(), similarity={}, notes=())
    """
    default = GENSIM if labels is not None and set(labels) >= ENGLISH else NONE
    notes = []
    try:
        first = _files(analogies or default, ANALOGIES)
        second = _files(similarity or default, SIMILARITY)
    except MissingExtraError as error:
        if GENSIM in (analogies, similarity):
            raise
        notes.append(
            "Analogies and word similarity were left out: WordSim-353, SimLex-999 and "
            f"questions-words ship with gensim. {error}"
        )
        first = _files(analogies or NONE, ANALOGIES)
        second = _files(similarity or NONE, SIMILARITY)
    asked = tuple(question for path in first for question in read_analogies(path))
    return Tests(asked, {path.stem: read_similarity(path) for path in second}, tuple(notes))


def word_meanings(
    tables: Tables, tests: Tests, codes: Mapping[str, Tensor | None], seed: int = 0
) -> tuple[dict[str, dict[str, Meaning]], tuple[str, ...]]:
    """Each test under each table of codes, and plain sentences on what was not asked.

    A word of a question is looked up as it is spelt, then in lower case. Questions with a word
    that the table does not have are left out, and so are tests of which fewer than 10 are left.
    A word whose vector is zero has no direction: it is treated as if the table did not have it.

    Args:
        tables: Vectors with labels.
        tests: Questions, from `find_tests`.
        codes: Codes by name; None for words that stand as they are.
        seed: Of the positions that words are displaced to.

    Returns:
        By test, then by name of the codes.
    """
    tokens, labels, notes = _with_directions(tables)
    row = _lookup(labels)
    found: dict[str, dict[str, Meaning]] = {}
    groups = _analogy_rows(tests.analogies, row, notes)
    if groups:
        everything = torch.cat(list(groups.values()))
        for name, code in codes.items():
            hits = analogy_hits(tokens, everything, code, seed=seed)
            start = 0
            for group, rows in groups.items():
                part = hits[:, start : start + len(rows)]
                start += len(rows)
                found.setdefault(f"analogies ({group})", {})[name] = solved_share(part)
    for test, judged in tests.similarity.items():
        pairs, scores = _pair_rows(judged, row)
        if len(pairs) < MIN_QUESTIONS:
            notes.append(_too_few(test, len(pairs), len(judged)))
            continue
        found[test] = {
            name: similarity_score(tokens, pairs, scores, code, seed=seed)
            for name, code in codes.items()
        }
    return found, tuple(notes)


def _with_directions(tables: Tables) -> tuple[Tensor, Sequence[str], list[str]]:
    """The rows that are not zero, their labels, and a sentence on the others."""
    labels = tables.labels or ()
    kept = (tables.tokens != 0).any(1)
    zero = (~kept).nonzero().flatten().tolist()
    if not labels or not zero:
        return tables.tokens, labels, []
    named = ", ".join(f"{labels[row]!a} (row {row:,})" for row in zero[:MOST_NAMED])
    more = f" and {len(zero) - MOST_NAMED:,} more" if len(zero) > MOST_NAMED else ""
    note = (
        f"Zero vectors have no direction, so questions about words leave them out: {named}{more}."
    )
    rows = kept.nonzero().flatten()
    return tables.tokens[rows], [labels[row] for row in rows.tolist()], [note]


def _files(asked: str, names: tuple[str, ...]) -> list[Path]:
    return [] if asked == NONE else question_files(asked, names)


def _lookup(labels: Sequence[str]) -> Row:
    rows: dict[str, int] = {}
    for row, label in enumerate(labels):
        rows.setdefault(label, row)
    return lambda word: rows.get(word, rows.get(word.lower()))


def _analogy_rows(analogies: Sequence[Analogy], row: Row, notes: list[str]) -> dict[str, Tensor]:
    """Rows of the questions that can be asked, by kind; a note on each kind with too few.

    A question whose answer is one of its own other words cannot be asked.
    """
    kinds: dict[str, list[list[int]]] = {}
    totals: Counter[str] = Counter()
    for question in analogies:
        kind = "grammar" if question.section.startswith(SYNTACTIC) else "meaning"
        totals[kind] += 1
        rows = [row(word) for word in question.words]
        known = [one for one in rows if one is not None]
        if len(known) == 4 and known[3] not in known[:3]:
            kinds.setdefault(kind, []).append(known)
    if analogies and not kinds:
        notes.append(_too_few("analogies", 0, len(analogies)))
        return {}
    covered = {kind: len(kinds.get(kind, ())) for kind in totals}
    notes += [
        _too_few(f"analogies ({kind})", covered[kind], totals[kind])
        for kind in totals
        if covered[kind] < MIN_QUESTIONS
    ]
    return {kind: torch.tensor(rows) for kind, rows in kinds.items() if len(rows) >= MIN_QUESTIONS}


def _pair_rows(judged: Sequence[Judged], row: Row) -> tuple[Tensor, Tensor]:
    pairs, scores = [], []
    for pair in judged:
        first, second = map(row, pair.words)
        if first is not None and second is not None:
            pairs.append([first, second])
            scores.append(pair.score)
    return torch.tensor(pairs, dtype=torch.int64).view(-1, 2), torch.tensor(scores).double()


def _too_few(test: str, covered: int, total: int) -> str:
    return (
        f"{test}: left out, the vocabulary covers {covered} of its {total:,} questions; fewer than "
        f"{MIN_QUESTIONS} say nothing."
    )
