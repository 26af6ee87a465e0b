"""The frame of a report: one HTML file that loads nothing and runs nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from orthogan.report.markup import Html, element, joined
from orthogan.version import __version__

# Nothing is fetched and no script runs, whatever a label of a token might hold.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@dataclass(frozen=True)
class Section:
    """One question of a report.

    Attributes:
        key: Its place in links.
        question: The heading.
        answer: One plain sentence or two.
        body: Figures and tables below it.
        short: The question in a word or two, for the list of contents.
    """

    key: str
    question: str
    answer: str
    body: Sequence[Html | None]
    short: str


def page(
    title: str,
    summary: str,
    tiles: Sequence[tuple[str, str]],
    sections: Sequence[Section],
    remade_by: str,
    numbers: Mapping[str, Any],
    *,
    kicker: str = "orthogan geometry",
) -> str:
    """A whole page.

    Args:
        title: Its heading.
        summary: The answer in one paragraph.
        tiles: (number, what it is) to be seen first.
        sections: In order.
        remade_by: The command or call that writes the page again.
        numbers: What the page shows, as data for programs.
        kicker: What kind of page it is, above its heading.
    """
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="generator", content=f"orthogan {__version__}"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("title", title),
        element("style", Html(style())),
    )
    body = element(
        "body",
        element("a", "Skip to the report", href="#report", class_="skip"),
        element(
            "header",
            element("p", kicker, class_="kicker"),
            element("h1", title),
            element("p", summary, class_="summary"),
            _tiles(tiles),
        ),
        _contents(sections),
        element("main", *map(_section, sections), id="report"),
        element(
            "footer",
            element("p", f"Written by orthogan {__version__}. This page is written again by"),
            element("pre", element("code", remade_by), tabindex="0"),
            element("p", "It loads nothing and runs nothing; its numbers are also in it as JSON."),
        ),
        _data(numbers),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _tiles(tiles: Sequence[tuple[str, str]]) -> Html | None:
    if not tiles:
        return None
    pairs = [
        element("div", element("dt", meaning), element("dd", number)) for number, meaning in tiles
    ]
    return element("dl", *pairs, class_="tiles")


def _contents(sections: Sequence[Section]) -> Html:
    links = [element("li", element("a", part.short, href=f"#{part.key}")) for part in sections]
    return element("nav", element("ul", *links), aria_label="Contents")


def _section(section: Section) -> Html:
    return element(
        "section",
        element("h2", section.question, id=f"{section.key}-heading"),
        element("p", section.answer, class_="answer"),
        *section.body,
        id=section.key,
        aria_labelledby=f"{section.key}-heading",
    )


def _data(numbers: Mapping[str, Any]) -> Html:
    text = json.dumps(numbers, allow_nan=False).replace("<", "\\u003c")
    return joined(Html('<script type="application/json" id="numbers">'), Html(text),
                  Html("</script>"))  # fmt: skip


@cache
def style() -> str:
    """The style sheet of a report."""
    return resources.files("orthogan.report").joinpath("page.css").read_text("utf-8")
