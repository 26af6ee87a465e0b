"""The variants of a comparison: every combination of the varied settings."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orthogan.errors import ConfigError

MODEL = "model"  # the recipe can be varied too, though it is no setting
# Varying these would compare what no table can make comparable.
_REFUSED = {
    "seed": "seeds are given by --seeds",
    "budget": "every variant gets the same budget; give it by --for or --images",
    "data": "scores on different data cannot be compared; ask one question for each data set",
}
_OPENING, _CLOSING = "[{(", "]})"

# One variant: the value of each varied setting, as text.
Values = dict[str, str]


def parse_vary(words: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The settings to vary and their values, from words such as `generator.score=softmax,cosine`.

    Commas inside brackets belong to a value.

    Raises:
        ConfigError: no `=`, no value, an empty value, or a setting that is varied twice.

    >>> parse_vary(["generator.blocks=1,2"])
    {'generator.blocks': ('1', '2')}
    """
    varied: dict[str, tuple[str, ...]] = {}
    for word in words:
        key, equals, text = word.partition("=")
        key = key.strip()
        if not equals or not key:
            raise ConfigError(f"Expected --vary KEY=a,b,c, got '{word}'.")
        if key in varied:
            raise ConfigError(f"'{key}' is varied twice; give all its values in one --vary.")
        varied[key] = tuple(_split(text))
    return varied


def checked_vary(vary: Mapping[str, Sequence[Any]]) -> dict[str, tuple[str, ...]]:
    """The same settings with their values as text, each with at least two different ones.

    Raises:
        ConfigError: nothing is varied, a setting cannot be, or it has too few values.
    """
    if not vary:
        raise ConfigError("Nothing is varied; give --vary KEY=a,b with at least two values.")
    checked = {key: tuple(_text(value) for value in values) for key, values in vary.items()}
    for key, values in checked.items():
        reason = _REFUSED.get(key.partition(".")[0])
        if reason is not None:
            raise ConfigError(f"'{key}' cannot be varied: {reason}.")
        if "" in values:
            raise ConfigError(f"'{key}' has an empty value; give --vary {key}=a,b.")
        if len(values) < 2:
            raise ConfigError(
                f"'{key}' has {len(values)} value to compare; give at least two, or fix it by "
                f"--set {key}=..."
            )
        repeated = [value for value in values if values.count(value) > 1]
        if repeated:
            raise ConfigError(f"'{key}' has the value {repeated[0]} twice.")
    return checked


def combinations(vary: Mapping[str, Sequence[str]]) -> list[Values]:
    """Every combination of the values, the last setting changing fastest.

    >>> combinations({"a": ["1", "2"], "b": ["x"]})
    [{'a': '1', 'b': 'x'}, {'a': '2', 'b': 'x'}]
    """
    return [dict(zip(vary, row, strict=True)) for row in itertools.product(*vary.values())]


def label_of(values: Mapping[str, str]) -> str:
    """What a variant is called.

    >>> label_of({"a": "1", "b": "x"})
    'a=1, b=x'
    """
    return ", ".join(f"{key}={value}" for key, value in values.items())


def _split(text: str) -> list[str]:
    parts, depth = [""], 0
    for character in text:
        depth += (character in _OPENING) - (character in _CLOSING)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def _text(value: Any) -> str:
    """What `--set` reads as this value."""
    return value.strip() if isinstance(value, str) else json.dumps(value)
