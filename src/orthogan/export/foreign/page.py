"""The page of an ONNX file: the runtime in it, and what is known of the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orthogan.export.foreign.graph import KINDS
from orthogan.export.foreign.numbers import Packed
from orthogan.export.foreign.trial import Foreign
from orthogan.export.web import runtime
from orthogan.export.web.page import GRID, PARTS, Page, script, whole_page
from orthogan.networks.directions import PrincipalDirections
from orthogan.report.markup import Html, element
from orthogan.streams import LATENTS, stream_key
from orthogan.terminal import printable
from orthogan.version import __version__


def foreign_script() -> str:
    """The runtime and the scripts of the page."""
    return script(*PARTS, "foreign.js", before=runtime.runtime_script())


def foreign_page(
    found: Foreign,
    made: Packed,
    directions: PrincipalDirections | None,
    words: tuple[str, str, Html],
) -> str:
    """The whole page.

    Args:
        found: The file.
        made: Its bytes.
        directions: Of its latent space, if they are known.
        words: Title, summary, and the section about it.
    """
    title, summary, about = words
    data = {
        "runtime": runtime.runtime_binary(),
        "graph": made.graph,
        "numbers": made.numbers.text,
        "notices": runtime.runtime_notices(),
    }
    return whole_page(Page(
        title=title, summary=summary, about=about, closing=_closing(),
        described=_described(found, made, directions), data=data, script=foreign_script(),
        is_module=True,
    ))  # fmt: skip


def _described(
    found: Foreign, made: Packed, directions: PrincipalDirections | None
) -> Mapping[str, Any]:
    graph = found.graph
    latents = {"name": graph.latents.name, "axes": list(graph.latents.axes)}
    labels = graph.labels and {
        "name": graph.labels.name,
        "axes": list(graph.labels.axes),
        "kind": KINDS[graph.labels.kind],
    }
    shares = directions.shares.tolist() if directions is not None else []
    return {
        "program": {"weights": []},  # of attention: none that could be seen
        "unseen": "What its network attends to cannot be seen in an ONNX file.",
        "graph": {
            "latents": latents,
            "labels": labels,
            "images": graph.images.name,
            "range": [found.low, found.high],
        },
        "stored": made.numbers.places,
        "stream": str(stream_key(LATENTS)),
        "latentSize": graph.latent_size,
        "height": found.height,
        "width": found.width,
        "colours": found.colours,
        "classes": len(found.class_names),
        "classNames": [printable(name) for name in found.class_names],
        "drawsClass": found.draws_class,
        "shares": [round(share, 4) for share in shares],
        "gridSize": GRID,
    }


def about_file(found: Foreign, sha256: str) -> Html:
    """What is known of an ONNX file of which nothing else is."""
    graph, model = found.graph, found.graph.model
    facts: dict[str, Any] = {
        "file": graph.path.name,
        "sha256": sha256,
        "written by": f"{model.producer_name} {model.producer_version}".strip(),
        "latent": f"{graph.latent_size} normal numbers, the input '{graph.latents.name}'",
        "image": f"{found.width} x {found.height}, {found.colours} channels, from "
        f"{found.low:g} (black) to {found.high:g} (white)",
        "classes": ", ".join(found.class_names),
        "operations": f"{len(model.graph.node):,}",
    }
    rows = [
        child
        for name, value in facts.items()
        if value
        for child in (element("dt", name), element("dd", printable(value)))
    ]
    return element(
        "section",
        element("h2", "About this file", id="card-heading"),
        element("dl", *rows, class_="facts"),
        id="card",
        aria_labelledby="card-heading",
    )


def _closing() -> Html:
    return element(
        "div",
        element(
            "p",
            f"Written by orthogan {__version__}. This page loads nothing and sends nothing. Its "
            f"images are drawn by ONNX Runtime Web {runtime.version()}, which is in it.",
        ),
        element(
            "details",
            element("summary", "License of ONNX Runtime Web"),
            element("pre", runtime.runtime_license(), tabindex="0"),
        ),
        element(
            "details",
            element("summary", "Licenses of what it is built from"),
            element("pre", "", tabindex="0"),
            id="licenses",
        ),
    )
