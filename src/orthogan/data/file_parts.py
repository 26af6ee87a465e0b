"""Which files of a folder are to train on and which are held out, as their names say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from orthogan.data.catalogue import SPLIT_NAMES, LoadOptions
from orthogan.data.entries import shown
from orthogan.data.facts import Note
from orthogan.errors import DataError

# Names that only files have: MNIST's ten thousand test images.
FILE_WORDS = {"t10k": "test"}
_WORD = re.compile(r"[a-z0-9]+")


def part_word(name: str) -> str | None:
    """The word in a file name that says which part of a data set it holds, or None.

    >>> part_word("t10k-images-idx3-ubyte.gz"), part_word("x_Train.npy"), part_word("trainers.csv")
    ('test', 'train', None)
    """
    known = {word: word for words in SPLIT_NAMES.values() for word in words} | FILE_WORDS
    words: list[str] = _WORD.findall(name.lower())
    return next((known[word] for word in words if word in known), None)


def files_of_part(
    files: Sequence[Path], where: Path, options: LoadOptions
) -> tuple[list[Path], list[str]]:
    """The files of the part that was asked for, and a sentence if there is more than one part.

    Files whose names say no part are all of the training part.

    Raises:
        SingleSplitError: the held-out part is asked for, and no file is named like one.
    """
    by_word: dict[str | None, list[Path]] = {}
    for file in sorted(files):
        by_word.setdefault(part_word(file.name), []).append(file)
    chosen = {
        split: next((by_word[word] for word in words if word in by_word), [])
        for split, words in SPLIT_NAMES.items()
    }
    train, held = chosen["train"] or by_word.get(None, []), chosen["test"]
    if not train or not held:
        options.only_split(str(where))
        return train or sorted(files), []
    said = f"Split by its files: {_listed(train)} to train on, {_listed(held)} held out."
    return (train if options.split == "train" else held), [Note(said, "split")]


def only_file(files: Sequence[Path], where: Path, what: str) -> Path:
    """The one file there is.

    Raises:
        DataError: there are several.
    """
    if len(files) != 1:
        raise DataError(f"{where}: holds {len(files)} {what} ({_listed(files)}); name one of them.")
    return files[0]


def _listed(files: Sequence[Path]) -> str:
    names = [shown(file.name) for file in files[:5]]
    return ", ".join(names + ([f"{len(files) - 5} more"] if len(files) > 5 else []))
