"""Classes by name or by index: what people write, and which class of a generator it means.

A name wins wherever there is one; a number that is no name counts the classes from 0.
"""

from __future__ import annotations

import csv
import operator
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from orthogan.errors import ConfigError, UnknownNameError, did_you_mean

WITHOUT_CLASSES = (
    "This generator was trained without classes, so none can be asked for; "
    "train with --set condition=classes."
)
_NUMBER = re.compile(r"[0-9]{1,18}")  # longer ones count nothing
_RANGE = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")
_NEEDS_QUOTES = re.compile(r'[",\r\n]|^\s|\s$|^$')


def class_list(text: str) -> list[int | str]:
    r"""The classes in a list as it is written on a command line, not yet looked up.

    Args:
        text: Names, numbers and ranges, separated by commas; a name that holds a comma, a quote
            or outer spaces stands in double quotes, a quote in it is doubled.

    Raises:
        ConfigError: it is no such list.

    >>> class_list('cats, "salt, pepper",0-3,7')
    ['cats', 'salt, pepper', '0-3', 7]
    """
    try:
        rows = list(csv.reader([text], skipinitialspace=True, strict=True))
    except csv.Error:
        rows = []
    if len(rows) != 1 or not rows[0]:
        raise ConfigError(
            f"Expected classes such as cats,dogs or 0-9, got '{text}'; a name that holds a comma "
            "or a quote stands in double quotes, as in '\"salt, pepper\",cats'."
        )
    return [int(part) if _is_plain_number(part) else part for part in rows[0]]


def quoted_class(name: str) -> str:
    """A name as `class_list` reads it.

    >>> quoted_class("cats"), quoted_class("salt, pepper")
    ('cats', '"salt, pepper"')
    """
    return '"' + name.replace('"', '""') + '"' if _NEEDS_QUOTES.search(name) else name


def class_indices(asked: Sequence[int | str], names: Sequence[str], num_classes: int) -> list[int]:
    """The index of each class that is asked for.

    Args:
        asked: Names, numbers, and ranges such as `"0-9"`; a single text is read by `class_list`.
        names: What the classes are called, in their order; empty if they have no names.
        num_classes: How many there are.

    Raises:
        UnknownNameError: no class has that name.
        ConfigError: a number that is neither a name nor an index, some numbers that are names
            beside others that are not, nothing, or a generator without classes.

    >>> class_indices(["dogs", 0, "1-2"], ["cats", "dogs", "emus"], 3)
    [1, 0, 1, 2]
    >>> class_indices([7], ["3", "7"], 2)
    [1]
    """
    if num_classes == 0:
        raise ConfigError(WITHOUT_CLASSES)
    known = _Known(names)
    chosen: list[int] = []
    called: dict[bool, str] = {}  # a number that is a name, and one that is none
    for item in class_list(asked) if isinstance(asked, str) else asked:
        for part in _members(item, known):
            found = known.find(part)
            if found is None or _NUMBER.fullmatch(part):
                called.setdefault(found is not None, part)
            chosen.append(_index(part, names, num_classes) if found is None else found)
    if not chosen:
        raise ConfigError(f"Classes lie in 0..{num_classes - 1}, got none.")
    if len(called) == 2:
        raise ConfigError(
            f"'{called[True]}' is the name of a class and '{called[False]}' is not, so the numbers "
            f"asked for mix names and indices; name the classes.{did_you_mean('', names)}"
        )
    return chosen


def named_classes(data: Mapping[str, Any], num_classes: int) -> tuple[str, ...]:
    """The names of a generator's classes in their order; empty where they have none.

    Args:
        data: What a bundle says of its data.
        num_classes: Classes of the generator. Of clusters the names of the labels say nothing.
    """
    names = data.get("class_names")
    if data.get("condition", "classes") != "classes" or not is_name_list(names):
        return ()
    return tuple(names) if len(names) == num_classes else ()


def is_name_list(names: object) -> TypeGuard[Sequence[str]]:
    """Whether what a file holds in the place of class names is a list of texts."""
    return isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)


def class_order(names: Sequence[str], most: int | None = None) -> str:
    """The classes with their indices, where the names are not the indices themselves.

    Args:
        names: In their order.
        most: Show so many at most.

    >>> class_order(["cats", "dogs", "emus"], most=2), class_order(["0", "1"])
    ('0 cats, 1 dogs, ... (3)', '0, 1')
    """
    are_indices = all(name == str(index) for index, name in enumerate(names))
    shown = [
        name if are_indices else f"{index} {quoted_class(name)}"
        for index, name in enumerate(names[:most])
    ]
    return ", ".join(shown if len(shown) == len(names) else [*shown, f"... ({len(names)})"])


class _Known:
    """The names of classes, to be looked up as they are, and then with less care."""

    def __init__(self, names: Sequence[str]) -> None:
        forms: tuple[Callable[[str], str], ...] = (str, str.strip, _composed)
        last_first = list(enumerate(names))[::-1]  # of two equal names the first one counts
        self._forms = [(form, {form(name): index for index, name in last_first}) for form in forms]

    def find(self, text: str) -> int | None:
        """The index of the class of that name; None if there is none."""
        found = (index.get(form(text)) for form, index in self._forms)
        return next((index for index in found if index is not None), None)


def _members(item: int | str, known: _Known) -> Iterator[str]:
    """The item itself; of a range that is no name, its numbers."""
    text = item if isinstance(item, str) else str(operator.index(item))
    match = None if known.find(text) is not None else _RANGE.fullmatch(text.strip())
    if match is None:
        yield text
        return
    first, last = int(match[1]), int(match[2])
    if last < first:
        raise ConfigError(f"A range of classes goes upward, got '{text.strip()}'.")
    yield from map(str, range(first, last + 1))  # the first that is unknown ends it


def _composed(text: str) -> str:
    # Some systems hand out the names of folders decomposed, keyboards write them composed.
    return unicodedata.normalize("NFC", text.strip())


def _index(text: str, names: Sequence[str], num_classes: int) -> int:
    """The index that a text, which is no name, stands for."""
    stripped = text.strip()
    if _NUMBER.fullmatch(stripped) and int(stripped) < num_classes:
        return int(stripped)
    if _NUMBER.fullmatch(stripped.removeprefix("-")):
        raise ConfigError(
            f"Classes lie in 0..{num_classes - 1}, got [{stripped}].{did_you_mean(stripped, names)}"
        )
    if not names:
        raise ConfigError(
            f"These classes have no names, their indices lie in 0..{num_classes - 1}, got '{text}'."
        )
    raise UnknownNameError("class", text, names)


def _is_plain_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None and str(int(text)) == text
