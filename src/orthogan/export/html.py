"""Trained generators as one web page that draws by itself: no server, no network, no Python."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from orthogan.errors import BundleError, ConfigError, MissingExtraError
from orthogan.export.foreign.writing import Made, page_of_file, page_of_model
from orthogan.export.onnx import class_quantiles
from orthogan.export.onnx_file import SUFFIX as ONNX_SUFFIX
from orthogan.export.web.capture import captured
from orthogan.export.web.lowering import lowered
from orthogan.export.web.page import GRID, model_page
from orthogan.export.web.program import Program, run
from orthogan.export.web.weights import Stored, stored
from orthogan.files import storage_errors, write_atomic
from orthogan.inference_batches import INFERENCE_BATCH_SIZE
from orthogan.models.generator import Model, load
from orthogan.networks import Generator
from orthogan.networks.directions import PrincipalDirections, principal_directions
from orthogan.networks.network import normalise
from orthogan.rng import latents as latents_of
from orthogan.shapes import Labels, Latents
from orthogan.streams import LATENTS, stream_key
from orthogan.terminal import printable

SUFFIX = ".html"
NUM_COMPARED = 256  # seeds whose images are compared with PyTorch's
# Steps of 255: two images less than one apart differ by one at most once they are rounded, and
# seeds that were not compared may be somewhat further apart.
TOLERANCE = 0.75
CLASSES, DIRECTIONS = "classes", "directions"


@dataclass(frozen=True, kw_only=True)
class HtmlExport:
    """A page that was written and checked.

    Attributes:
        path: The file.
        size: Of the file, bytes.
        largest_difference: Of a pixel from PyTorch's, in steps of 255, over the images compared:
            what storing the weights in fewer bits, and another order of sums, amount to.
        num_compared: Images compared.
        bits: Bits that a weight is stored in.
        classes: Of the generator; 0: none.
        class_names: What they are called; empty where they have no names.
        has_runtime: Whether ONNX Runtime Web draws, and not the kernels of our pages.
        note: Which checkpoint was taken, of a run that is not done; else empty.
    """

    path: Path
    size: int
    largest_difference: float
    num_compared: int
    bits: int
    classes: int = 0
    class_names: tuple[str, ...] = ()
    has_runtime: bool = False
    note: str = ""


def export_html(source: str | Path, out: str | Path) -> HtmlExport:
    """Writes a generator as one HTML file.

    It opens from a folder, in any browser of the last years, and draws the images of
    `orthogan sample` to one step of 255. ONNX files, and networks that our kernels do not draw,
    are drawn by ONNX Runtime Web, which then is in the file.

    Args:
        source: Run folder, bundle folder, the name of a shipped model, or an ONNX file.
        out: The file, ending in `.html`; its folder is made.

    Raises:
        ConfigError: `out` ends otherwise.
        MissingExtraError: an ONNX file is read or needed, and what does that is not installed.
        BundleError: the model is damaged, its images would differ, or an ONNX file draws no
            images from latents.
        UnknownNameError: nothing of that name.
        StorageError: the file cannot be written.
    """
    out = Path(out)
    if out.suffix.lower() != SUFFIX:
        raise ConfigError(f"A page ends in {SUFFIX}, got '{out}'.")
    if Path(source).suffix.lower() == ONNX_SUFFIX and not Path(source).is_dir():
        foreign, made = page_of_file(Path(source))
        names = foreign.class_names
        return _written(out, made, classes=len(names), class_names=names, has_runtime=True)
    model = load(source)
    own = {
        "classes": model.generator.config.classes,
        "class_names": model.class_names,
        "note": model.note,
    }
    graph = captured(model.generator)
    try:
        program = lowered(graph)
    except ConfigError as error:  # no kernel of ours
        return _written(out, _through_onnx(source, model, error), has_runtime=True, **own)
    found = principal_directions(model.generator)
    numbers, furthest, compared = _numbers(source, model.generator, program, found)
    text = model_page(model, described(model, program, numbers, found), numbers.text)
    return _written(out, (text, furthest, compared, numbers.bits), **own)


def _through_onnx(source: str | Path, model: Model, error: ConfigError) -> Made:
    """The page of a network that our kernels do not draw.

    Raises:
        ConfigError: it is no ONNX file either.
    """
    try:
        return page_of_model(source, model)
    except MissingExtraError as missing:
        raise ConfigError(f"{error} {missing}") from None


def _written(out: Path, made: Made, **facts: Any) -> HtmlExport:
    text, furthest, compared, bits = made
    with storage_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    content = text.encode()
    write_atomic(out, content)
    return HtmlExport(
        path=out,
        size=len(content),
        largest_difference=furthest,
        num_compared=compared,
        bits=bits,
        **facts,
    )


def described(
    model: Model, program: Program, numbers: Stored, found: PrincipalDirections
) -> dict[str, Any]:
    """What the scripts of a page are told about a generator."""
    generator, config = model.generator, model.generator.config
    steps = [
        {"kind": step.kind, "inputs": step.inputs, "shape": step.shape, "settings": step.settings}
        for step in program.steps
    ]
    return {
        "program": {"steps": steps, "images": program.images, "weights": program.weights},
        "stored": numbers.places,
        # Text, since a number of JavaScript has 53 bits.
        "stream": str(stream_key(LATENTS)),
        "latentSize": config.latent_size,
        "size": config.size,
        "height": config.size,
        "width": config.size,
        "colours": config.colours,
        "classes": config.classes,
        "classNames": _names(model),
        "drawsClass": True,
        "quantiles": class_quantiles(generator).tolist() if config.classes else [],
        "shares": [round(share, 4) for share in found.shares.tolist()],
        "gridSize": GRID,
        "patch": getattr(config, "spacing", None),  # of a `PatchedConfig`
    }


def _names(model: Model) -> list[str]:
    """What the classes are called on the page; numbers where they have no names."""
    names = model.class_names or [str(i) for i in range(model.generator.config.classes)]
    return [printable(name) for name in names]


def _numbers(
    source: str | Path, generator: Generator, program: Program, found: PrincipalDirections
) -> tuple[Stored, float, int]:
    """The weights in as few bits as leave the images alone; their difference; images compared."""
    tensors: dict[int | str, Tensor] = dict(program.constants.items())
    tensors[DIRECTIONS] = found.directions
    if generator.class_latents is not None:
        tensors[CLASSES] = generator.class_latents.weight
    for bits in (16, 32):
        numbers = stored(tensors, bits)
        furthest, compared = _difference(generator, program, numbers)
        if furthest <= TOLERANCE:
            return numbers, furthest, compared
    raise BundleError(
        f"{source}: as a page it would make other images, {furthest:.2g} steps of 255 apart; "
        "nothing was written."
    )


@torch.inference_mode()
def _difference(generator: Generator, program: Program, numbers: Stored) -> tuple[float, int]:
    """How far the program's images are from the generator's, in steps of 255; images compared."""
    furthest, compared = 0.0, 0
    for latents, labels in _compared(generator):
        noise = normalise(latents)
        if generator.config.classes:
            noise = noise + numbers.tensors[CLASSES][generator.classes_of(latents, labels)]
        constants = {place: numbers.tensors[place] for place in program.constants}
        made, wanted = run(program, noise, constants), generator(latents, labels)
        # As they are shown, cut at black and white.
        apart = float((made.clamp(-1, 1) - wanted.clamp(-1, 1)).abs().max()) * 127.5
        furthest = max(furthest, apart) if math.isfinite(apart) else math.inf
        compared += len(latents)
    return furthest, compared


def _compared(generator: Generator) -> Iterator[tuple[Latents, Labels | None]]:
    """Latents with the classes that they draw, and with each class in turn."""
    config = generator.config
    for latents in latents_of(range(NUM_COMPARED), config.latent_size).split(INFERENCE_BATCH_SIZE):
        yield latents, None
    for start in range(0, config.classes, INFERENCE_BATCH_SIZE):
        yield latents, torch.arange(start, start + INFERENCE_BATCH_SIZE) % config.classes
