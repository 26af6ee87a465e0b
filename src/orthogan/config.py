"""Strict nested frozen configuration, the same for Python, `--set`, files and `run.json`."""

from __future__ import annotations

import datetime as dt
import difflib
import json
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from types import UnionType
from typing import Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from orthogan.errors import (
    MAX_NAMES,
    ConfigError,
    OrthoganError,
    SettingError,
    did_you_mean,
    shortened,
)

# A file of settings has a few hundred values, five levels deep; a bomb has millions.
MAX_FILE_BYTES = 64 * 2**10
MAX_DEPTH, MAX_VALUES = 20, 10_000
_TOO_DEEP = f"it is nested deeper than {MAX_DEPTH} levels"

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


def read_config_file(path: Path) -> dict[str, Any]:
    """The nested mapping in a TOML, YAML or JSON file.

    Raises:
        ConfigError: the file is missing, malformed, of another type, or not a mapping.
    """
    loaders: dict[str, Callable[[str], Any]] = {
        ".toml": tomllib.loads,
        ".yaml": _read_yaml,
        ".yml": _read_yaml,
        ".json": partial(json.loads, object_pairs_hook=_without_repeats),
    }
    loader = loaders.get(path.suffix.lower())
    if loader is None:
        raise ConfigError(f"{path}: a configuration file ends in .toml, .yaml, .yml or .json.")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise ValueError(f"it has more than {MAX_FILE_BYTES} bytes, so it is none of settings")
        tree = loader(content.decode("utf-8"))
        _refuse_huge(tree, _values)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read: {_why_unreadable(error)}.") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected a mapping of settings, got {type(tree).__name__}.")
    return tree


class _SettingsLoader(yaml.SafeLoader):
    """YAML without repeated keys, of which the last would win unseen, and without abysses."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError(_TOO_DEEP)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if (key.tag, str(key.value)) in seen and key.value != "<<":
                raise yaml.constructor.ConstructorError(
                    None, None, f"'{shortened(str(key.value))}' is set twice", key.start_mark
                )
            seen.add((key.tag, str(key.value)))
        return super().construct_mapping(node, deep)


def _read_yaml(text: str) -> Any:
    loader = _SettingsLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _refuse_huge(node, _nodes)  # before anchors are written out, which can take any memory
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"'{shortened(repeated)}' is set twice")
    return tree


def _refuse_huge(root: Any, inner: Callable[[Any], Iterable[Any]]) -> None:
    """Nothing, if a tree is as small as settings are; what it holds twice counts twice."""
    level, count = [root], 0
    for _ in range(MAX_DEPTH):
        children = (child for each in level for child in inner(each))
        level = list(islice(children, MAX_VALUES + 1))
        count += len(level)
        if count > MAX_VALUES:
            raise ValueError(f"it holds more than {MAX_VALUES} values")
        if not level:
            return
    raise ValueError(_TOO_DEEP)


def _values(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _nodes(node: yaml.Node) -> Iterable[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [each for pair in node.value for each in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else ()


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
    tree, known = base.to_dict(), base.settings()
    for name, value in values:
        _assign(tree, name, value, known)
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


def _unknown_setting(name: str, known: Mapping[str, Any]) -> SettingError:
    # The list of them all would bury the sentence.
    hint = did_you_mean(name, known) if len(known) <= MAX_NAMES else _nearest(name, known)
    return SettingError(f"Unknown setting '{shortened(name)}'.{hint}")


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    return f"{hint} 'orthogan train --dry-run' shows every setting."


def _why_unreadable(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:  # only the second line of YAML's message says what is wrong
        return f"line {mark.line + 1}, column {mark.column + 1}: {getattr(error, 'problem', '')}"
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    if isinstance(error, RecursionError):
        return _TOO_DEEP
    return shortened(str(error).splitlines()[0])


def _parse_value(text: str, base: Config, name: str) -> Any:
    if _is_text(_annotation(base, name), text):
        return _unquoted(text)
    try:
        value = _read_yaml(text)
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
        value = _read_yaml(text)
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


def _assign(tree: dict[str, Any], name: str, value: Any, known: Mapping[str, Any]) -> None:
    *parents, leaf = name.split(".")
    node = tree
    for parent in parents:
        inner = node.get(parent)
        if not isinstance(inner, dict):
            raise _unknown_setting(name, known)
        node = inner
    if leaf not in node:
        raise _unknown_setting(name, known)
    node[leaf] = value


def _first_problem(owner: type[BaseModel], error: ValidationError) -> ConfigError:
    problem = error.errors()[0]
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        hint = did_you_mean(name, owner.model_fields)
        return SettingError(f"Unknown setting '{shortened(name)}'.{hint}")
    cause = problem.get("ctx", {}).get("error")
    if isinstance(cause, ConfigError):  # a nested configuration has already said what is wrong
        return type(cause)(f"In '{name}': {cause}" if name else str(cause))
    message = problem["msg"].removeprefix("Value error, ")
    if not name:  # a rule between settings, which names them itself
        return ConfigError(f"{message[:1].upper()}{message[1:]}.")
    kind = ConfigError if problem["type"] == "value_error" else SettingError
    return kind(f"Setting '{name}' = {shortened(repr(problem['input']))}: {message}.")


def check_shape(
    shape: type[BaseModel], tree: object, where: object, error: type[OrthoganError], advice: str
) -> None:
    """Nothing, if a tree that was read from a file has the shape that a model describes.

    Args:
        shape: Its fields and their types; bools are no numbers, and texts no numbers either.
        tree: What was read.
        where: What to call the source.
        error: What is raised.
        advice: What to do, with what goes before it.

    Raises:
        OrthoganError: of the kind `error`: a field is missing, or of another type or range.
    """
    try:
        shape.model_validate(tree, strict=True)
    except ValidationError as wrong:
        loc = wrong.errors(include_url=False)[0]["loc"]
        name = ".".join(map(str, loc)) or "its content"
        raise error(f"{where}: '{shortened(name)}' is missing or damaged{advice}") from None
