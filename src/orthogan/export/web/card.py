"""The card of a model as a section of its page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orthogan.models.generator import Model
from orthogan.report.markup import Html, element
from orthogan.report.tables import table
from orthogan.report.wording import decimal
from orthogan.terminal import printable

_OWN_PLACE = {"title", "summary", "command", "scores", "verdict"}


def card(model: Model) -> Html:
    """What the model is, what it scored, and how it was made."""
    verdict = model.card.get("verdict")
    command = model.card.get("command")
    return element(
        "section",
        element("h2", "About this model", id="card-heading"),
        element("p", printable(str(verdict)), class_="answer") if verdict else None,
        _scores(model.card.get("scores")),
        _facts(model),
        element("p", "Made by") if command else None,
        element("pre", element("code", printable(str(command))), tabindex="0") if command else None,
        id="card",
        aria_labelledby="card-heading",
    )


def _scores(scores: Any) -> Html | None:
    if not isinstance(scores, Mapping) or not scores:
        return None
    rows = [
        (
            printable(str(name)),
            _number(score, "value"),
            f"{_number(score, 'low')} to {_number(score, 'high')}",
            _number(score, "floor"),
            _number(score, "n"),
        )
        for name, score in scores.items()
        if isinstance(score, Mapping)
    ]
    return table(
        "Each score with its 95 % interval. Beside it, what real images score in the place of "
        "generated ones: the best to hope for.",
        ("Score", "value", "interval", "real images", "images"),
        rows,
        numeric=(1, 2, 3, 4),
    )


def _number(score: Mapping[str, Any], name: str) -> str:
    value = score.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return decimal(value) if isinstance(value, float) else "-"


def _facts(model: Model) -> Html:
    config = model.generator.config
    facts: dict[str, Any] = {
        "network": config.kind,
        "weights": f"{sum(each.numel() for each in model.generator.parameters()):,}",
        "image": f"{config.size} x {config.size}",
        "classes": ", ".join(model.class_names) or config.classes,
        "data": model.data.get("source"),
    }
    facts |= {name: value for name, value in model.card.items() if name not in _OWN_PLACE}
    rows = [
        child
        for name, value in facts.items()
        if value not in (None, "", 0)
        for child in (element("dt", printable(str(name))), element("dd", _plain(value)))
    ]
    return element("dl", *rows, class_="facts")


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return decimal(value, 4)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return printable(", ".join(map(str, value)))
    return printable(str(value))
