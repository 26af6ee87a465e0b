"""The frame of a report: one HTML file that loads nothing and runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from orthogan.report.markup import Html, element, joined
from orthogan.version import __version__

# Nothing is fetched and no foreign script runs, whatever a label or a name might hold.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


# By whether there is a script.
RUNS = {False: " and runs nothing", True: ", and its only script moves the sliders"}


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
    script: str = "",
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
        script: The page's own, allowed by its checksum; the page must be whole without it.
    """
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
            element(
                "p", f"It loads nothing{RUNS[bool(script)]}; its numbers are also in it as JSON."
            ),
        ),
        _data(numbers),
        element("script", Html(script)) if script else None,
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="generator", content=f"orthogan {__version__}"),
        element(
            "meta",
            http_equiv="Content-Security-Policy",
            content=policy(script, pictures="<img " in body),
        ),
        element("title", title),
        element("style", Html(style())),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def policy(script: str, *, pictures: bool) -> str:
    """The Content-Security-Policy of a page with this script, or with none.

    Args:
        script: The page's own.
        pictures: Whether pictures stand in the page.

    >>> policy("", pictures=False) == POLICY, "script-src 'sha256-" in policy("1", pictures=True)
    (True, True)
    """
    allowed = f"{POLICY}; img-src data:" if pictures else POLICY
    if not script:
        return allowed
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"{allowed}; script-src 'sha256-{digest}'"


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
