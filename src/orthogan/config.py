"""Strict nested frozen configuration, the same for Python, `--set`, files and `run.json`."""

from __future__ import annotations

import datetime as dt
import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from orthogan.errors import ConfigError, did_you_mean

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

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise ConfigError(_first_problem(type(self), error)) from None

    def evolve(self: C, *assignments: str, **fields: Any) -> C:  # noqa: PYI019 - see C
        """A copy with changed settings, given as `"a.b=c"` strings or top-level fields.

        Args:
            assignments: Dotted name, `=`, value in YAML syntax (`true`, `3`, `1e-3`, `[1, 2]`).
            fields: Top-level fields and their new values.

        Raises:
            ConfigError: the name is unknown, the value does not fit, or there is no `=`.
        """
        tree = self.to_dict() | fields
        for assignment in assignments:
            name, equals, text = assignment.partition("=")
            if not equals:
                raise ConfigError(f"Expected NAME=VALUE, got '{assignment}'.")
            _assign(tree, name.strip(), _parse_value(text), self.settings())
        return type(self)(**tree)

    def merge(self: C, changes: Mapping[str, Any]) -> C:  # noqa: PYI019 - see C
        """A copy with the nested mapping `changes` laid over it, as read from a file."""
        tree = self.to_dict()
        for name, value in flatten(changes):
            _assign(tree, name, value, self.settings())
        return type(self)(**tree)

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


def read_config_file(path: Path) -> dict[str, Any]:
    """The nested mapping in a TOML, YAML or JSON file.

    Raises:
        ConfigError: the file is missing, malformed, of another type, or not a mapping.
    """
    loaders: dict[str, Callable[[str], Any]] = {
        ".toml": tomllib.loads,
        ".yaml": yaml.safe_load,
        ".yml": yaml.safe_load,
        ".json": json.loads,
    }
    loader = loaders.get(path.suffix.lower())
    if loader is None:
        raise ConfigError(f"{path}: a configuration file ends in .toml, .yaml, .yml or .json.")
    try:
        tree = loader(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read: {str(error).splitlines()[0]}.") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected a mapping of settings, got {type(tree).__name__}.")
    return tree


def _parse_value(text: str) -> Any:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    if isinstance(value, str):  # YAML 1.1 reads 1e-3 as text
        try:
            return float(value)
        except ValueError:
            return value
    if isinstance(value, dt.date):  # no setting is a date, but a folder may be named by one
        return text
    return value


def _assign(tree: dict[str, Any], name: str, value: Any, known: Mapping[str, Any]) -> None:
    *parents, leaf = name.split(".")
    node = tree
    for parent in parents:
        inner = node.get(parent)
        if not isinstance(inner, dict):
            raise ConfigError(f"Unknown setting '{name}'.{did_you_mean(name, known)}")
        node = inner
    if leaf not in node:
        raise ConfigError(f"Unknown setting '{name}'.{did_you_mean(name, known)}")
    node[leaf] = value


def _first_problem(owner: type[BaseModel], error: ValidationError) -> str:
    problem = error.errors()[0]
    name = ".".join(str(part) for part in problem["loc"]) or owner.__qualname__
    if problem["type"] == "extra_forbidden":
        return f"Unknown setting '{name}'.{did_you_mean(name, owner.model_fields)}"
    cause = problem.get("ctx", {}).get("error")
    if isinstance(cause, ConfigError):  # a nested configuration has already said what is wrong
        return f"In '{name}': {cause}"
    message = problem["msg"].removeprefix("Value error, ")
    return f"Setting '{name}' = {problem['input']!r}: {message}."
