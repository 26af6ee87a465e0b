"""Files of questions about words: analogies and judged similarities."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from orthogan.embeddings.packages import shipped
from orthogan.errors import DataError

GENSIM = "gensim"  # as the name of a file: those that the installed package ships
ANALOGIES = ("questions-words.txt",)
SIMILARITY = ("wordsim353.tsv", "simlex999.txt")


class Analogy(NamedTuple):
    """Four words, the first to the second as the third to the fourth, in a section of a file."""

    section: str
    words: tuple[str, str, str, str]


class Judged(NamedTuple):
    """How similar people found two words."""

    words: tuple[str, str]
    score: float


def question_files(asked: str, shipped_names: tuple[str, ...]) -> list[Path]:
    """The files that a user's word means: a path, or `gensim` for those that gensim ships.

    Raises:
        MissingExtraError: gensim is not installed.
        DataError: there is no such file.
    """
    if asked != GENSIM:
        paths = [Path(asked).expanduser()]
    else:  # the data of its own tests; nothing of it is imported
        folder = shipped(GENSIM, "gensim/test/test_data")
        paths = [folder / name for name in shipped_names]
    for path in paths:
        if not path.is_file():
            raise DataError(f"{path}: there is no such file; name one, or '{GENSIM}'.")
    return paths


def read_analogies(path: Path) -> list[Analogy]:
    """The questions of a file of word2vec's form: four words a line, `: section` above some.

    Raises:
        DataError: not readable as text, no question, or a line of another number of words.
    """
    section, found = "", []
    for number, line in _lines(path):
        if line.startswith(":"):
            section = line[1:].strip()
            continue
        words = line.split()
        if len(words) != 4:
            raise DataError(f"{path}: line {number}: four words were expected, got '{line[:60]}'.")
        first, second, third, fourth = words
        found.append(Analogy(section, (first, second, third, fourth)))
    if not found:
        raise DataError(f"{path}: holds no question; each line has four words.")
    return found


def read_similarity(path: Path) -> list[Judged]:
    """The pairs of a file with two words and a number a line, separated by tabs or commas.

    A first line without a number is a heading; lines that begin with # are left out.

    Raises:
        DataError: not readable as text, no pair, or a line of another form.
    """
    found = []
    for number, line in _lines(path):
        fields = [part.strip() for part in line.split("\t" if "\t" in line else ",")]
        score = _number(fields[2]) if len(fields) == 3 else None
        if score is None and number == 1:
            continue
        if score is None:
            raise DataError(
                f"{path}: line {number}: two words and a number, separated by tabs or commas, "
                f"were expected, got '{line[:60]}'."
            )
        found.append(Judged((fields[0], fields[1]), score))
    if not found:
        raise DataError(f"{path}: holds no pair; each line has two words and a number.")
    return found


def _number(field: str) -> float | None:
    try:
        value = float(field)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def _lines(path: Path) -> list[tuple[int, str]]:
    """The lines that say something, with their numbers."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text: {error}.") from None
    lines = enumerate(map(str.strip, text.splitlines()), 1)
    return [(number, line) for number, line in lines if line and not line.startswith("#")]
