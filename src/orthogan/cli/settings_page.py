"""The settings of a recipe with what they mean: YAML that a person reads and `--config` too."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from orthogan.config import Config, Setting, about, described

COMMENT_COLUMN = 28  # most names with their values are shorter
NARROWEST, WIDEST = 60, 100  # characters a line; longer lines of text are hard to read
ABSENT = "no such setting"


def facts_of(config: Config, default: Config) -> list[dict[str, Any]]:
    """One plain record for each setting: its value, its meaning, and what the default has.

    Args:
        config: The settings.
        default: Those of the default recipe; what it lacks has `default` null.
    """
    usual = default.settings()
    return [
        {
            "name": setting.name,
            "value": setting.value,
            "default": usual.get(setting.name),
            "differs": setting.value != usual.get(setting.name, ABSENT),
            "meaning": setting.meaning,
            "allowed": setting.allowed,
        }
        for setting in described(config)
    ]


def settings_page(config: Config, default: Config, default_name: str, width: int) -> str:
    """The settings as YAML with comments, those without a part first.

    Args:
        config: The settings.
        default: Those of the default recipe.
        default_name: What the default is called.
        width: Characters a line.
    """
    usual = default.settings()
    parts: dict[str, list[Setting]] = {"": []}
    for setting in described(config):
        parts.setdefault(setting.name.rpartition(".")[0], []).append(setting)
    lines: list[str] = []
    for part, settings in parts.items():
        if part:
            lines += ["", *comment(about(getattr(config, part)), width), f"{part}:"]
        for setting in settings:
            lines += _lines(setting, _default_of(setting, usual, default_name), width)
    return "\n".join(lines)


def comment(text: str, width: int, margin: int = 0) -> list[str]:
    """A text as lines that YAML leaves out.

    Args:
        text: Any.
        width: Characters a line; a terminal that is narrower or wider than is readable is not
            followed.
        margin: Spaces before it.
    """
    width = min(max(width, NARROWEST), WIDEST) - margin - 2
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return [f"{' ' * margin}# {line}" for line in lines]


def _default_of(setting: Setting, usual: Mapping[str, Any], name: str) -> str:
    if setting.name not in usual:
        return f" ({name}: {ABSENT})"
    value = usual[setting.name]
    return "" if value == setting.value else f" ({name}: {_text(value)})"


def _lines(setting: Setting, default: str, width: int) -> list[str]:
    """A setting, and beside it its meaning, over as many lines as it takes."""
    part, _, leaf = setting.name.rpartition(".")
    assignment = f"{'  ' if part else ''}{leaf}: {_text(setting.value)}"
    beside = comment(f"{setting.meaning} [{setting.allowed}]{default}", width, COMMENT_COLUMN)
    if len(assignment) + 2 > COMMENT_COLUMN:
        return [assignment, *beside]
    return [assignment.ljust(COMMENT_COLUMN) + beside[0].lstrip(), *beside[1:]]


def _text(value: Any) -> str:
    import yaml

    return yaml.safe_dump(value, default_flow_style=True).splitlines()[0]
