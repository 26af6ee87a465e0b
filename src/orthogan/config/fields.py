"""What a setting is, told from its field: meaning, default, and the values it can have."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import GetCoreSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema

from orthogan.config.base import Config
from orthogan.errors import UnknownNameError, UnknownValueError, listed

_BOUNDS = {
    "ge": "at least",
    "gt": "above",
    "le": "at most",
    "lt": "below",
    "multiple_of": "a multiple of",
}
_TYPES = {int: "whole", float: "", str: "text", bool: "true or false"}


class Choice(ABC):
    """Marks a field whose values have names, in the metadata of its annotation."""

    @abstractmethod
    def values(self) -> list[str]:
        """The names, as they are registered now."""


@dataclass(frozen=True)
class OneOf(Choice):
    """Marks a text setting that is one of the names of a kind of parts.

    `loss: Annotated[str, OneOf("loss", lambda: LOSSES)]`. The names are asked for each time, so
    what is registered later is a value too.
    """

    kind: str
    names: Callable[[], Iterable[str]]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """The check, for pydantic."""
        return core_schema.no_info_after_validator_function(self._known, handler(source))

    def values(self) -> list[str]:
        """The names, as they are registered now."""
        return list(self.names())

    def _known(self, name: str) -> str:
        if name not in self.names():  # a registry, which need not be complete to know a name
            raise UnknownValueError(str(UnknownNameError(self.kind, name, self.values())))
        return name


@dataclass(frozen=True)
class SomeOf(OneOf):
    """Marks a text setting that is several names of a kind of parts, separated by commas.

    Attributes:
        words: What may stand in the place of names.
    """

    words: tuple[str, ...] = ()

    def values(self) -> list[str]:
        """What may stand in the place of names, then the names."""
        return [*self.words, *self.names()]

    def _known(self, name: str) -> str:
        if name in self.words:
            return name
        chosen = [part.strip() for part in name.split(",")]
        for part in chosen:
            super()._known(part)
        return ",".join(dict.fromkeys(chosen))


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting of a configuration.

    Attributes:
        name: Dotted.
        value: What it is.
        meaning: What it does.
        allowed: The values it can have, in words; empty where any will do.
        choices: The same where each has a name of its own and one is taken; empty elsewhere.
    """

    name: str
    value: Any
    meaning: str
    allowed: str
    choices: tuple[str, ...] = ()


def described(config: Config, prefix: str = "") -> list[Setting]:
    """Every setting of a configuration, its parts included, in order of declaration."""
    found: list[Setting] = []
    for name, field in type(config).model_fields.items():
        value, dotted = getattr(config, name), f"{prefix}{name}"
        if not isinstance(value, Config):
            meaning, values = field.description or "", allowed(field)
            found.append(
                Setting(
                    name=dotted, value=value, meaning=meaning, allowed=values,
                    choices=choices(field),
                )
            )  # fmt: skip
            continue
        kinds = _choice(field)
        for inner in described(value, f"{dotted}."):
            if inner.name == f"{dotted}.kind" and (kinds is not None or not inner.meaning):
                inner = replace(inner, meaning="which kind it is")
                if kinds is not None:
                    names = kinds.values()
                    inner = replace(inner, allowed=listed(names), choices=tuple(names))
            found.append(inner)
    return found


def about(part: Config) -> str:
    """What a part of a configuration is, in a line."""
    return (inspect.getdoc(type(part)) or "").partition("\n")[0]


def choices(field: FieldInfo) -> tuple[str, ...]:
    """The names of which the field takes one; none where it takes several, or other values.

    >>> from pydantic import Field
    >>> class Shade(Config):
    ...     tone: Literal["light", "dark"] | None = None
    >>> choices(Shade.model_fields["tone"])
    ('null', 'light', 'dark')
    """
    mark, optional = _choice(field), ["null"] if NoneType in _members(field) else []
    if isinstance(mark, SomeOf):
        return ()
    names = _literals(field) if mark is None else mark.values()
    return (*optional, *names) if names else ()


def allowed(field: FieldInfo) -> str:
    """The values that a field allows, in words.

    >>> from pydantic import Field
    >>> class Point(Config):
    ...     x: int = Field(0, ge=0, le=9)
    >>> allowed(Point.model_fields["x"])
    'whole, 0 to 9'
    """
    choice, members = _choice(field), _members(field)
    optional = ["null"] if NoneType in members else []
    if choice is not None:
        return listed([*optional, *choice.values()])
    names = _literals(field)
    if names:
        return listed([*optional, *names])
    base = next((_TYPES[kind] for kind in _TYPES if kind in members), "")
    return listed([*optional, ", ".join(filter(None, [base, _bounds(field)]))])


def _members(field: FieldInfo) -> set[Any]:
    """The types of which a value is one."""
    is_union = get_origin(field.annotation) in {Union, UnionType}
    return set(get_args(field.annotation)) if is_union else {field.annotation}


def _literals(field: FieldInfo) -> list[str]:
    literals = [member for member in _members(field) if get_origin(member) is Literal]
    return [str(value) for member in literals for value in get_args(member)]


def _choice(field: FieldInfo) -> Choice | None:
    return next((mark for mark in field.metadata if isinstance(mark, Choice)), None)


def _bounds(field: FieldInfo) -> str:
    """The bounds in the words of a sentence, the lower one first."""
    marks: dict[str, Any] = {}
    for mark in field.metadata:
        marks |= {name: getattr(mark, name) for name in _BOUNDS if hasattr(mark, name)}
    if marks.get("lt") == 2**63:
        marks["lt"] = "2**63"
    if marks.keys() >= {"ge", "le"}:
        marks = {"range": f"{marks.pop('ge')} to {marks.pop('le')}"} | marks
    return ", ".join(f"{_BOUNDS.get(name, '')} {bound}".strip() for name, bound in marks.items())
