"""Strict nested frozen configuration, the same for Python, `--set`, files and `run.json`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from orthogan.config.file import read_yaml
from orthogan.config.unknown import unknown_setting
from orthogan.errors import ConfigError, SettingError, shortened

# Not Self: beartype refuses it on the methods that it checks while tests run.
C = TypeVar("C", bound="Config")


class Config(BaseModel):
    """Base of every configuration: frozen, keyword-only, unknown names refused.

    >>> class Point(Config):
    ...     x: int = 0
    >>> Point().evolve("x=3").x
    3
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )

    # Names that settings had in earlier versions, and their names now: old files hold the old ones.
    RENAMED: ClassVar[Mapping[str, str]] = {}

    # The command of `orthogan` that runs such a configuration; empty for the parts of one.
    COMMAND: ClassVar[str] = ""

    def __init__(self, /, **fields: Any) -> None:  # /: a file may hold a setting 'self'
        fields = {self.RENAMED.get(name, name): value for name, value in fields.items()}
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise _first_problem(type(self), error) from None

    def evolve(self: C, *assignments: str, **fields: Any) -> C:  # noqa: PYI019 - see C
        """A copy with changed settings, given as `"a.b=c"` strings or top-level fields.

        A part that is switched to another `kind` takes that kind's defaults, whatever the order.

        Args:
            assignments: Dotted name, `=`, value in YAML syntax (`true`, `3`, `1e-3`, `[1, 2]`);
                a setting that is text takes what is written, with or without quotes.
            fields: Top-level fields and their new values.

        Raises:
            SettingError: the name is unknown, or it cannot have this value.
            ConfigError: the values do not go together, or there is no `=`.
        """
        base = type(self)(**(self.to_dict() | fields)) if fields else self
        written = [(_current(base, name), text) for name, text in map(_split, assignments)]
        base = _switched(base, [(name, _unquoted(text)) for name, text in written])
        return _changed(base, [(name, _parse_value(text, base, name)) for name, text in written])

    def merge(self: C, changes: Mapping[str, Any]) -> C:  # noqa: PYI019 - see C
        """A copy with the nested mapping `changes` laid over it, as read from a file.

        A part that is switched to another `kind` takes that kind's defaults under the changes.
        """
        leaves = [(_current(self, name), value) for name, value in flatten(changes)]
        return _changed(_switched(self, leaves), leaves)

    def of_kind(self: C, kind: str) -> C:  # noqa: ARG002, PYI019 - see C
        """The defaults of another kind of this part; itself where there are no kinds."""
        return self

    @classmethod
    def complete(cls, recorded: dict[str, Any]) -> dict[str, Any]:
        """Recorded settings with those that came later, at their defaults.

        Settings that fit no longer come back as they are.
        """
        try:
            return cls(**recorded).to_dict()
        except (ConfigError, LookupError):
            return recorded

    def to_dict(self) -> dict[str, Any]:
        """Plain nested dictionaries, lists, strings and numbers; `json.dumps` takes it."""
        return self.model_dump(mode="json")

    def settings(self) -> dict[str, Any]:
        """Every dotted name with its value, in order of declaration."""
        return dict(flatten(self.to_dict()))


def flatten(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Dotted names and leaf values of a nested mapping.

    >>> flatten({"a": {"b": 1}, "c": 2})
    [('a.b', 1), ('c', 2)]
    """
    leaves: list[tuple[str, Any]] = []
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            leaves += flatten(value, f"{prefix}{key}.")
        else:
            leaves.append((f"{prefix}{key}", value))
    return leaves


def _switched(base: C, values: Sequence[tuple[str, Any]]) -> C:
    """The configuration whose parts have the kinds that `values` name."""
    for name, value in values:
        parent, _, leaf = name.rpartition(".")
        part = _part(base, parent)
        if leaf == "kind" and parent and part is not None:
            other = part.of_kind(str(value))
            base = base if other is part else _changed(base, [(parent, other.to_dict())])
    return base


def _changed(base: C, values: Sequence[tuple[str, Any]]) -> C:
    tree = base.to_dict()
    for name, value in values:
        _assign(base, tree, name, value)
    return type(base)(**tree)


def _split(assignment: str) -> tuple[str, str]:
    name, equals, text = assignment.partition("=")
    if not equals or not name.strip():
        raise ConfigError(f"Expected NAME=VALUE, got '{shortened(assignment)}'.")
    return name.strip(), text.strip()


def _current(base: Config, name: str) -> str:
    """A dotted name, in the spelling of this version."""
    part: Any = base
    words = name.split(".")
    for index, word in enumerate(words):
        if not isinstance(part, Config):
            break
        words[index] = part.RENAMED.get(word, word)
        part = getattr(part, words[index], None)
    return ".".join(words)


def _parse_value(text: str, base: Config, name: str) -> Any:
    if _is_text(_annotation(base, name), text):
        return _unquoted(text)
    try:
        value = read_yaml(text)
    except (ValueError, RecursionError, yaml.YAMLError):  # a month 13, 5000 digits, 5000 brackets
        return text
    if isinstance(value, str):  # YAML 1.1 reads 1e-3 as text
        try:
            return float(value)
        except ValueError:
            return value
    if isinstance(value, dt.date):  # no setting is a date, but a folder may be named by one
        return text
    return value


def _unquoted(text: str) -> str:
    if text[:1] not in {'"', "'"}:
        return text  # and not what YAML makes of it: a folder may be called '2020' or 'a #1'
    try:
        value = read_yaml(text)
    except (ValueError, RecursionError, yaml.YAMLError):
        return text
    return value if isinstance(value, str) else text


def _is_text(annotation: Any, text: str) -> bool:
    """Whether a setting of this type takes `text` as it is written."""
    is_union = get_origin(annotation) in {Union, UnionType}
    members = set(get_args(annotation)) if is_union else {annotation}
    if type(None) in members and text in {"", "~", "null", "Null", "NULL"}:
        return False
    return all(
        member is str or (get_origin(member) is Literal and isinstance(get_args(member)[0], str))
        for member in members - {type(None)}
    )


def _annotation(base: Config, name: str) -> Any:
    parent, _, leaf = name.rpartition(".")
    part = _part(base, parent)
    field = None if part is None else type(part).model_fields.get(leaf)
    return None if field is None else field.annotation


def _part(base: Config, path: str) -> Config | None:
    part: Any = base
    for name in path.split(".") if path else ():
        part = getattr(part, name, None) if isinstance(part, Config) else None
    return part if isinstance(part, Config) else None


def _assign(base: Config, tree: dict[str, Any], name: str, value: Any) -> None:
    *parents, leaf = name.split(".")
    node: Any = tree
    for parent in parents:
        node = node.get(parent) if isinstance(node, dict) else None
    if not isinstance(node, dict) or leaf not in node:
        raise unknown_setting(name, base.settings(), base.COMMAND)
    node[leaf] = value


def _first_problem(owner: type[Config], error: ValidationError) -> ConfigError:
    problem = error.errors()[0]
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return unknown_setting(name, owner.model_fields, owner.COMMAND)
    cause = problem.get("ctx", {}).get("error")
    if isinstance(cause, ConfigError):  # a nested configuration has already said what is wrong
        is_part = name and not isinstance(problem["input"], str)
        return type(cause)(f"In '{name}': {cause}" if is_part else str(cause))
    message = problem["msg"].removeprefix("Value error, ")
    if not name:  # a rule between settings, which names them itself
        return ConfigError(f"{message[:1].upper()}{message[1:]}.")
    kind = ConfigError if problem["type"] == "value_error" else SettingError
    return kind(f"Setting '{name}' = {shortened(repr(problem['input']))}: {message}.")
