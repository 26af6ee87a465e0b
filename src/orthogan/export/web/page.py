"""The page around a generator: its controls, its card, and the scripts that draw."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
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
SCRIPTS = (
    *(
        "random.js",
        "tensors.js",
        "vectors.js",
        "products.js",
        "network.js",
        "weights.js",
        "generator.js",
    ),
    *("canvas.js", "attention.js", "application.js"),
)
GRID = 64  # images


def page(model: Model, described: Mapping[str, Any], numbers: str) -> str:
    """The whole page.

    Args:
        model: The generator, for its card.
        described: What the scripts are told of it.
        numbers: Its weights, base64.
    """
    title = printable(str(model.card.get("title") or model.path.name))
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="generator", content=f"orthogan {__version__}"),
        element("meta", http_equiv="Content-Security-Policy", content=policy()),
        element("title", f"{title} - images drawn by your browser"),
        element("style", Html(_styles())),
    )
    body = element(
        "body",
        element("a", "Skip to the image", href="#image", class_="skip"),
        element(
            "header",
            element("p", "orthogan generator", class_="kicker"),
            element("h1", title),
            element("p", _summary(model), class_="summary"),
        ),
        element(
            "main",
            element("noscript", element("p", "The images are drawn by scripts of this page.")),
            _studio(described),
            _grid(),
            card(model),
        ),
        _footer(),
        _data("model", "application/json", _json(described)),
        _data("numbers", "text/plain", numbers),
        element("script", Html(script())),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def policy() -> str:
    """Nothing is fetched; no script runs and no style counts but those of the page itself.

    The unsafe thing about WebAssembly would be code of others, and none can get in: the page
    assembles its own (`vectors.js`).
    """
    rules = [
        "default-src 'none'",
        f"script-src 'sha256-{_digest(script())}' 'wasm-unsafe-eval'",
        f"style-src 'sha256-{_digest(_styles())}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join(rules)


@cache
def script() -> str:
    """The scripts of a page, one after the other, in a scope of their own."""
    text = "\n".join(_read(name) for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{text}}})();\n'


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


def _summary(model: Model) -> str:
    size, colours = model.generator.config.size, model.generator.config.colours
    kind = {1: "grey", 3: "colour", 4: "colour, partly transparent"}.get(colours, "")
    said = printable(str(model.card.get("summary") or ""))
    own = (
        f"Every image on this page, {size} by {size} pixels, {kind}, is computed by your browser "
        "from a number, its seed. The whole network is in this file."
    )
    return f"{said} {own}" if said else own


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
        else "This generator has no attention."
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
        _directions(described),
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
    options = [element("option", "as the seed decides", value="")]
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


def _footer() -> Html:
    return element(
        "footer",
        element(
            "p",
            f"Written by orthogan {__version__}. This page loads nothing and sends nothing. The "
            "same seed gives the same image as ",
            element("code", "orthogan sample"),
            ", within one of 255 steps.",
        ),
    )
