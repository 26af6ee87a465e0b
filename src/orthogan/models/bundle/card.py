"""The README of a bundle: what the model is, how it was made, and its measured numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orthogan.class_names import class_order, named_classes
from orthogan.terminal import printable, printable_lines

_OWN_PLACE = {"title", "summary", "command", "scores"}
# What a network of each kind is scored on.
_COUNTED = {"generator": "images", "classifier": "images", "language": "tokens"}
CALLED = {"generator": "generator", "classifier": "classifier", "language": "language model"}


def render_card(config: Mapping[str, Any]) -> str:
    """Markdown for the README beside the configuration of a bundle.

    >>> print(render_card({"sha256": "0" * 64, "orthogan": "0.1.0", "generator": {}, "data": {},
    ...     "card": {"title": "Digits", "scores": {"fd": {"value": 1.5, "floor": 0.07}}}}))
    # Digits
    <BLANKLINE>
    | score | value | interval | floor | images |
    |---|---|---|---|---|
    | `fd` | 1.5 | - | 0.07 | - |
    ...
    """
    card = config["card"]
    title = printable(card.get("title", f"An orthogan {CALLED[_role(config)]}"))
    parts = [f"# {title}"]
    parts += [card["summary"]] if card.get("summary") else []
    if card.get("scores"):
        parts.append(_score_table(card["scores"], _COUNTED[_role(config)]))
    if card.get("command"):
        parts.append(f"Made by:\n\n```\n{card['command']}\n```")
    parts.append(_fact_list(config))
    return printable_lines("\n\n".join(parts) + "\n")


def _score_table(scores: Mapping[str, Mapping[str, Any]], counted: str) -> str:
    lines = [f"| score | value | interval | floor | {counted} |", "|---|---|---|---|---|"]
    for name, score in scores.items():
        low, high = score.get("low"), score.get("high")
        interval = "-" if low is None or high is None else f"{_number(low)} to {_number(high)}"
        cells = [_number(score.get(key)) for key in ("value", "floor", "n")]
        lines.append(f"| `{name}` | {cells[0]} | {interval} | {cells[1]} | {cells[2]} |")
    return "\n".join(lines)


def _fact_list(config: Mapping[str, Any]) -> str:
    role = _role(config)
    facts = {role: config[role].get("kind"), **config["data"], **_order(config[role], config)}
    facts |= {name: value for name, value in config["card"].items() if name not in _OWN_PLACE}
    facts |= {"orthogan": config["orthogan"], "sha256 of the weights": config["sha256"]}
    return "\n".join(f"- {name}: {_plain(value)}" for name, value in facts.items() if value)


def _order(network: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, str]:
    """The classes that can be asked for, in their order, of a generator whose classes have names.

    Names are quoted as `orthogan sample --classes` reads them.
    """
    names = named_classes(config["data"], network.get("classes", 0))
    if not names or _role(config) != "generator":
        return {}
    return {
        "class order": class_order(names),
        "asking for a class": "`orthogan sample BUNDLE --classes NAME,NAME`; "
        "a number that is no name is an index, counted from 0",
    }


def _role(config: Mapping[str, Any]) -> str:
    return next((role for role in _COUNTED if role in config), "generator")


def _plain(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return printable(text)  # one line, whatever a class is called


def _number(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
