"""The page around a generator: its controls, its card, and the scripts that draw."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from orthogan.export.web.card import card
from orthogan.models.generator import Model
from orthogan.report.markup import Html, element
from orthogan.report.page import style
from orthogan.terminal import printable
from orthogan.version import __version__

# One scope, in this order: each may use what stands in those before it.
PARTS = (
    *("random.js", "tensors.js", "vectors.js", "products.js", "network.js", "weights.js"),
    *("generator.js", "canvas.js", "attention.js", "application.js"),
)
SCRIPTS = (*PARTS, "own.js")
GRID = 64  # images


@dataclass(frozen=True, kw_only=True)
class Page:
    """What stands on the page of a generator, whatever draws it.

    Attributes:
        title: Its heading.
        summary: Below it.
        about: What the generator is, a section.
        closing: The last words.
        described: What the scripts are told; `described` of `orthogan.export.html`.
        data: Further texts for them, by the id of their element.
        script: The scripts.
        is_module: Whether they are a module.
    """

    title: str
    summary: str
    about: Html
    closing: Html
    described: Mapping[str, Any]
    data: Mapping[str, str]
    script: str
    is_module: bool = False


def model_page(model: Model, described: Mapping[str, Any], numbers: str) -> str:
    """The page of a generator that the kernels of a page draw.

    Args:
        model: The generator, for its card.
        described: What the scripts are told of it.
        numbers: Its weights, base64.
    """
    closing = element(
        "p",
        f"Written by orthogan {__version__}. This page loads nothing and sends nothing. The "
        "same seed gives the same image as ",
        element("code", "orthogan sample"),
        ", within one of 255 steps.",
    )
    return whole_page(Page(
        title=title_of(model), summary=summary_of(model), about=card(model), closing=closing,
        described=described, data={"numbers": numbers}, script=script(),
    ))  # fmt: skip


def title_of(model: Model) -> str:
    """What the page of a model is called."""
    return printable(str(model.card.get("title") or model.path.name))


def whole_page(page: Page) -> str:
    """One HTML file."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="generator", content=f"orthogan {__version__}"),
        element("meta", http_equiv="Content-Security-Policy", content=policy(page.script)),
        element("title", f"{page.title} - images drawn by your browser"),
        element("style", Html(_styles())),
    )
    body = element(
        "body",
        element("a", "Skip to the image", href="#image", class_="skip"),
        element(
            "header",
            element("p", "orthogan generator", class_="kicker"),
            element("h1", page.title),
            element("p", page.summary, class_="summary"),
        ),
        element(
            "main",
            element("noscript", element("p", "The images are drawn by scripts of this page.")),
            _studio(page.described),
            _grid(),
            page.about,
        ),
        element("footer", page.closing),
        _data("model", "application/json", _json(page.described)),
        *(_data(name, "text/plain", text) for name, text in page.data.items()),
        element("script", Html(page.script), type="module" if page.is_module else None),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def policy(script: str) -> str:
    """Nothing is fetched; no script runs and no style counts but those of the page itself.

    The unsafe thing about WebAssembly would be code of others, and none can get in: it is in the
    script itself (`vectors.js`), or in this file beside it (`runtime.py`).
    """
    rules = [
        "default-src 'none'",
        f"script-src 'sha256-{_digest(script)}' 'wasm-unsafe-eval'",
        f"style-src 'sha256-{_digest(_styles())}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join(rules)


@cache
def script(*names: str, before: str = "") -> str:
    """The scripts of a page, one after the other, in a scope of their own.

    Args:
        names: Of the files; those of a generator of ours if there are none.
        before: What comes first, outside of that scope.
    """
    text = "\n".join(_read(name) for name in names or SCRIPTS)
    return f'"use strict";\n{before}(() => {{\n{text}}})();\n'


@cache
def _styles() -> str:
    return f"{style()}\n{_read('page.css')}"


def _read(name: str) -> str:
    return resources.files("orthogan.export.page").joinpath(name).read_text("utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(value: Any) -> str:
    # No "<", so that no name can close the element.
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _data(name: str, kind: str, text: str) -> Html:
    """Data that a browser does not run."""
    return element("script", Html(text), id=name, type=kind)


def summary_of(model: Model) -> str:
    """What a model says of itself, and how its images are made here."""
    size, colours = model.generator.config.size, model.generator.config.colours
    said = printable(str(model.card.get("summary") or ""))
    own = how_drawn(size, size, colours)
    return f"{said} {own}" if said else own


def how_drawn(height: int, width: int, colours: int) -> str:
    """How the images of a page are made."""
    kind = {1: "grey", 3: "colour", 4: "colour, partly transparent"}.get(colours, "")
    return (
        f"Every image on this page, {width} by {height} pixels, {kind}, is computed by your "
        "browser from a number, its seed. The whole network is in this file."
    )


def _studio(described: Mapping[str, Any]) -> Html:
    return element(
        "section",
        element("h2", "One image", id="image-heading", class_="quiet"),
        element("div", _stage(described), _controls(described), class_="studio"),
        id="image",
        aria_labelledby="image-heading",
    )


def _stage(described: Mapping[str, Any]) -> Html:
    hint = (
        "Point at a patch, touch it, or press the arrow keys to see what it attends to."
        if described["program"]["weights"]
        else described.get("unseen", "This generator has no attention.")
    )
    return element(
        "figure",
        element(
            "div",
            element("canvas", id="large", role="img", aria_label="The image"),
            element("canvas", id="overlay", aria_hidden="true"),
            id="stage",
            class_="stage",
            tabindex="0" if described["program"]["weights"] else None,
            role="group",
            aria_label="The image, patch by patch",
            aria_describedby="attended",
        ),
        element(
            "figcaption",
            element("p", "Drawing...", id="said", class_="said", role="status"),
            element("p", hint, id="attended", class_="muted"),
        ),
        class_="large",
    )


def _controls(described: Mapping[str, Any]) -> Html:
    return element(
        "form",
        _seed(),
        _classes(described) if described["classes"] else None,
        _heads() if described["program"]["weights"] else None,
        _directions(described) if described["shares"] else None,
        _walk(),
        element("p", _button("save", "Save as PNG"), class_="row"),
        id="controls",
        class_="controls",
        autocomplete="off",
    )


def _button(name: str, text: str, label: str | None = None) -> Html:
    return element("button", text, type="button", id=name, aria_label=label)


def _group(name: str, legend: str, *children: Html | None) -> Html:
    return element("fieldset", element("legend", legend), *children, id=f"{name}-group")


def _seed() -> Html:
    return _group(
        "seed",
        "Seed",
        element(
            "div",
            _button("previous", "\u2190", "Previous seed"),
            element("input", id="seed", type="text", inputmode="numeric", value="0",
                    aria_label="Seed", aria_describedby="seed-fault", maxlength="19"),
            _button("next", "\u2192", "Next seed"),
            _button("random", "Any"),
            class_="row",
        ),
        element("p", "", id="seed-fault", class_="fault", role="alert"),
    )  # fmt: skip


def _classes(described: Mapping[str, Any]) -> Html:
    first = "as the seed decides" if described["drawsClass"] else "each in turn, by the seed"
    options = [element("option", first, value="")]
    options += [
        element("option", printable(name), value=str(index))
        for index, name in enumerate(described["classNames"])
    ]
    return _group("class", "Class", element("select", *options, id="class", aria_label="Class"))


def _heads() -> Html:
    """Filled by the script, which knows how many layers and heads there are."""
    return _group(
        "attention",
        "Attention",
        element(
            "div",
            element("select", id="layer", aria_label="Layer"),
            element("select", id="head", aria_label="Head"),
            class_="row",
        ),
    )


def _directions(described: Mapping[str, Any]) -> Html:
    rows = [
        element(
            "div",
            element("label", f"{index + 1}", for_=f"direction-{index}"),
            element("input", type="range", id=f"direction-{index}", class_="direction", min="-4",
                    max="4", step="0.05", value="0",
                    aria_label=f"Direction {index + 1}, {100 * share:.0f} % of the change"),
            element("span", f"{100 * share:.0f}\u202f%", class_="muted", aria_hidden="true"),
            class_="slide",
        )
        for index, share in enumerate(described["shares"])
    ]  # fmt: skip
    return _group(
        "directions",
        "Directions",
        element(
            "p",
            "The directions along which the images change most, with their part of all change.",
            class_="hint",
        ),
        *rows,
        element("div", _button("level", "Back to the middle"), class_="row"),
    )


def _walk() -> Html:
    return _group(
        "walk",
        "From this seed to another",
        element(
            "div",
            element("input", id="goal", type="text", inputmode="numeric", value="1",
                    aria_label="Seed to go to", aria_describedby="goal-fault", maxlength="19"),
            _button("play", "Play"),
            class_="row",
        ),
        element(
            "div",
            element("input", type="range", id="way", min="0", max="1", step="0.005", value="0",
                    aria_label="How far to the other seed"),
            class_="slide",
        ),
        element("p", "", id="goal-fault", class_="fault", role="alert"),
    )  # fmt: skip


def _grid() -> Html:
    return element(
        "section",
        element("h2", "More of them", id="grid-heading"),
        element("p", "Choose one to see it large.", class_="answer"),
        element("div", id="grid", class_="sheet", role="group", aria_labelledby="grid-heading"),
        element(
            "p",
            _button("earlier", "Earlier seeds"),
            _button("later", "Later seeds"),
            element("span", "", id="range", class_="muted", role="status"),
            class_="row",
        ),
        id="sheet",
        aria_labelledby="grid-heading",
    )
