"""Names of many files in one, as shells and WebDataset write them: `train-{000..127}.tar`."""

from __future__ import annotations

import re
from itertools import product
from math import prod

from orthogan.errors import ConfigError

MOST_NAMES = 100_000
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"([0-9]{1,9})\.\.([0-9]{1,9})")


def expanded(pattern: str) -> list[str]:
    """The names that a pattern stands for; a name without braces stands for itself.

    Raises:
        ConfigError: braces hold neither a range nor a list, or there are too many names.

    >>> expanded("a-{08..10}.tar"), expanded("{x,y}/b.tar")
    (['a-08.tar', 'a-09.tar', 'a-10.tar'], ['x/b.tar', 'y/b.tar'])
    """
    pieces = _BRACES.split(pattern)
    choices = [_choices(piece, pattern) for piece in pieces[1::2]]
    if prod(map(len, choices)) > MOST_NAMES:
        raise ConfigError(f"'{pattern}' stands for more than {MOST_NAMES:,} names; use a folder.")
    return [
        "".join(text for pair in zip(pieces[::2], (*chosen, ""), strict=True) for text in pair)
        for chosen in product(*choices)
    ]


def _choices(inside: str, pattern: str) -> list[str]:
    if found := _RANGE.fullmatch(inside):
        first, last = found.groups()
        if int(last) - int(first) >= MOST_NAMES:
            raise ConfigError(
                f"'{pattern}' stands for more than {MOST_NAMES:,} names; use a folder."
            )
        if int(first) <= int(last):
            return [f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1)]
    if "," in inside:
        return inside.split(",")
    raise ConfigError(
        f"'{pattern}': braces hold a rising range such as 000..127, or a list such as a,b; got "
        f"'{inside}'."
    )
