"""Settings in TOML, YAML or JSON files, which anybody may have written."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from orthogan.errors import ConfigError, shortened

# A file of settings has a few hundred values, five levels deep; a bomb has millions.
MAX_FILE_BYTES = 64 * 2**10
MAX_DEPTH, MAX_VALUES = 20, 10_000
_TOO_DEEP = f"it is nested deeper than {MAX_DEPTH} levels"


def read_config_file(path: Path) -> dict[str, Any]:
    """The nested mapping in a TOML, YAML or JSON file.

    Raises:
        ConfigError: the file is missing, malformed, of another type, or not a mapping.
    """
    loaders: dict[str, Callable[[str], Any]] = {
        ".toml": tomllib.loads,
        ".yaml": read_yaml,
        ".yml": read_yaml,
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


def read_yaml(text: str) -> Any:
    """The value of a YAML text.

    Raises:
        ValueError: it is too large or too deep.
        yaml.YAMLError: it is malformed, or sets a name twice.
    """
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


def _why_unreadable(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:  # only the second line of YAML's message says what is wrong
        return f"line {mark.line + 1}, column {mark.column + 1}: {getattr(error, 'problem', '')}"
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    if isinstance(error, RecursionError):
        return _TOO_DEEP
    return shortened(str(error).splitlines()[0])
