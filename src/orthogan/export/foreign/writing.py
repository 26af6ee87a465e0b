"""An ONNX file as one web page that draws by itself."""

from __future__ import annotations

import hashlib
import math
import tempfile
from pathlib import Path

import numpy as np

from orthogan.errors import BundleError
from orthogan.export.foreign.graph import read_graph
from orthogan.export.foreign.numbers import packed
from orthogan.export.foreign.page import about_file, foreign_page
from orthogan.export.foreign.trial import Foreign, Runs, tried
from orthogan.export.onnx import export_onnx
from orthogan.export.web.card import card
from orthogan.export.web.page import how_drawn, summary_of, title_of
from orthogan.models.generator import Model
from orthogan.report.markup import Html
from orthogan.terminal import printable

TOLERANCE = 0.75  # steps of 255; as `orthogan.export.html.TOLERANCE`
# A page, with its text, the largest difference of a pixel, images compared, bits of a weight.
Made = tuple[str, float, int, int]


def page_of_file(path: Path) -> tuple[Foreign, Made]:
    """The page of an ONNX file.

    Raises:
        MissingExtraError: onnx or ONNX Runtime is not installed.
        BundleError: the file is damaged, or draws no images from latents (and classes).
    """
    found = tried(read_graph(path))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    drawn = how_drawn(found.height, found.width, found.colours)
    words = (printable(path.stem), drawn, about_file(found, sha256))
    return found, _made(found, words)


def page_of_model(source: str | Path, model: Model) -> Made:
    """The page of a generator of ours whose operations our kernels have not all: through ONNX.

    Raises:
        MissingExtraError: what writes ONNX files is not installed.
        BundleError: its ONNX form makes other images.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        export_onnx(source, file)
        found = tried(read_graph(file))
        return _made(found, (title_of(model), summary_of(model), card(model)))


def _made(found: Foreign, words: tuple[str, str, Html]) -> Made:
    """A page with weights in as few bits as leave the images alone."""
    directions = found.directions()
    axes = directions.directions if directions is not None else None
    for bits in (16, 32):
        made = packed(found.graph, axes, bits)
        furthest, compared = _difference(found, made.content)
        if furthest <= TOLERANCE:
            text = foreign_page(found, made, directions, words)
            return text, furthest, compared, bits
    raise BundleError(
        f"{found.graph.path}: as a page it would make other images, {furthest:.2g} steps of 255 "
        "apart; nothing was written."
    )


def _difference(found: Foreign, content: bytes) -> tuple[float, int]:
    """How far the images of what a page runs are from the file's, in steps of 255; how many."""
    runs = Runs(found.graph, content)
    furthest, compared = 0.0, 0
    for latents, labels in found.batches():
        one, other = found.images(latents, labels), found.images(latents, labels, runs)
        apart = float(np.abs(one - other).max()) * 127.5
        furthest = max(furthest, apart) if math.isfinite(apart) else math.inf
        compared += len(latents)
    return furthest, compared
