"""Classes by what file names begin with: `cat_001.png` is a cat."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from orthogan.data.entries import shown
from orthogan.errors import DataError

# What comes first, then a number: after a separator, or at the very end.
_PREFIX = re.compile(r"(.+?)(?:[-_ .]+\(?[0-9]+\)?(?:[-_ .(].*)?|(?<![0-9])[0-9]+)")


def prefix_of(name: str) -> str | None:
    """What stands before the first number of its own in a file name; None without one.

    >>> [prefix_of(name) for name in ("a/cat_001.png", "great_pyrenees-7.jpg", "mp3 (2).png")]
    ['cat', 'great_pyrenees', 'mp3']
    >>> [prefix_of(name) for name in ("dog12.png", "3_0001.png", "001.png", "cat.png")]
    ['dog', '3', None, None]
    """
    match = _PREFIX.fullmatch(PurePosixPath(name).stem)
    return None if match is None else match[1].rstrip("-_ .(")


def prefix_classes(names: Sequence[str], where: str) -> list[str]:
    """The class of each picture by its name.

    Raises:
        DataError: a name has no prefix, or the prefixes are no classes: a single one, or one for
            every picture.
    """
    found = [prefix_of(name) for name in names]
    missing = [name for name, prefix in zip(names, found, strict=True) if not prefix]
    if missing:
        raise DataError(
            f"{where}: labels=prefix takes what stands before the number in a name, as in "
            f"cat_001.png; {len(missing):,} of {len(names):,} names have none, such as "
            f"'{shown(missing[0])}'; rename or remove these files, or leave labels=prefix out."
        )
    known = [prefix for prefix in found if prefix]
    kinds = set(known)
    if names and (len(kinds) < 2 or len(kinds) > len(names) // 2):
        what = (
            f"all begin with '{shown(known[0])}'"
            if len(kinds) < 2
            else (f"begin in {len(kinds):,} ways")
        )
        raise DataError(
            f"{where}: with labels=prefix there are at least 2 classes of 2 images on average, but "
            f"the {len(names):,} names {what}; leave labels=prefix out."
        )
    return known
