"""Pickles, which run code when they are opened: recognised, and never opened."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from orthogan.errors import DataError

SUFFIXES = (".pkl", ".pickle", ".pt", ".pth", ".joblib")
_CIFAR = re.compile(r"data_batch_\d+|test_batch|batches\.meta|train|test|meta")


def is_pickle(path: Path) -> bool:
    """Whether a file is a pickle by its suffix or its first bytes (protocols 2 to 5)."""
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        with path.open("rb") as file:
            head = file.read(2)
    except OSError:
        return False
    return len(head) == 2 and head[0] == 0x80 and 2 <= head[1] <= 5


def refuse_pickles(files: Iterable[Path], where: Path) -> None:
    """Nothing, if none of these files is a pickle.

    Args:
        files: What is looked at.
        where: What to name in the message.

    Raises:
        DataError: one is; the sentence names the way out.
    """
    found = next((file for file in files if is_pickle(file)), None)
    if found is None:
        return
    place = f"{where}: " if found == where else f"{where}: {found.name} "
    rule = f"{place}is a pickle, which can run code and is never opened; "
    if not found.suffix.lower().startswith(SUFFIXES) and _CIFAR.fullmatch(found.name):
        raise DataError(
            f"{rule}CIFAR has a binary version with the same images (cifar-10-binary.tar.gz or "
            "cifar-100-binary.tar.gz, https://www.cs.toronto.edu/~kriz/cifar.html): unpack it and "
            "name its folder."
        )
    raise DataError(
        f"{rule}save its arrays by numpy.savez(FILE, images=..., labels=...) and name the .npz."
    )
