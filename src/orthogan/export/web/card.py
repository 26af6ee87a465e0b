"""The card of a model as a section of its page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orthogan.models.generator import Model
from orthogan.report.markup import Html, element
from orthogan.report.score_words import is_share, said_of
from orthogan.report.tables import table
from orthogan.report.wording import decimal, share
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
            _named(str(name)),
            _with_interval(str(name), score),
            _value(str(name), score.get("floor")),
            f"{score['n']:,}" if isinstance(score.get("n"), int) else "-",
        )
        for name, score in scores.items()
        if isinstance(score, Mapping)
    ]
    return table(
        "Below each score its 95 % interval; beside it, what real images score in the place of "
        "generated ones: the best to hope for.",
        ("Score", "value", "real images", "images"),
        rows,
        numeric=(1, 2, 3),
    )


def _named(name: str) -> Html:
    """A score by its title, with what it means below."""
    title, meaning = said_of(name)
    return element(
        "span",
        element("b", printable(title)),
        element("span", meaning, class_="meaning") if meaning else None,
    )


def _with_interval(name: str, score: Mapping[str, Any]) -> Html:
    low, high = (_value(name, score.get(key)) for key in ("low", "high"))
    interval = None if "-" in (low, high) else f"{low} to {high}"
    return element(
        "span",
        _value(name, score.get("value")),
        element("span", interval, class_="meaning") if interval else None,
    )


def _value(name: str, value: Any) -> str:
    if not isinstance(value, float | int):
        return "-"
    return share(value) if is_share(name) and 0 <= value <= 1 else decimal(float(value))


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
