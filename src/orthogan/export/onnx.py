"""Trained generators for other programs: one ONNX file, checked against PyTorch."""

from __future__ import annotations

import importlib
import json
import logging
import math
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from orthogan.errors import BundleError, ConfigError, MissingExtraError
from orthogan.export.onnx_file import (
    CHECKSUM,
    EXTRA,
    FORMAT,
    IMAGES,
    LABELS,
    LATENTS,
    METADATA,
    OWN_CLASS,
    SUFFIX,
    UNSEALED,
    ExportedGenerator,
    load_exported,
    seal,
)
from orthogan.files import storage_errors, write_atomic
from orthogan.inference_batches import INFERENCE_BATCH_SIZE
from orthogan.models.generator import load
from orthogan.networks import Generator
from orthogan.networks.network import normalise
from orthogan.rng import latents as latents_of
from orthogan.shapes import Images, Labels, Latents

PARITY_BATCHES = (1, 2, 7, INFERENCE_BATCH_SIZE)
# Two hundredths of a step of a pixel, whose 256 steps span [-1, 1].
TOLERANCE = 1.6e-4
EXPORTER = "torch.onnx"  # its logger: it warns of packages that nobody asked for


class ExportForm(nn.Module):
    """A generator as a graph without branches: the class is drawn by comparing lengths.

    A latent's class depends on where its length falls among the quantiles of the gamma
    distribution (`Generator.classes_of`); ONNX has no such function, so the quantiles that divide
    the classes are constants here.
    """

    quantiles: Tensor

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator
        if generator.config.classes:
            self.register_buffer("quantiles", class_quantiles(generator))

    def forward(self, latents: Latents, labels: Labels | None = None) -> Images:
        """Images; a label of -1 lets the latent draw its class."""
        noise = normalise(latents)
        if labels is not None and self.generator.class_latents is not None:
            half = latents.double().square().sum(1, keepdim=True) / 2
            drawn = (half >= self.quantiles).long().sum(1)
            noise = noise + self.generator.class_latents(torch.where(labels < 0, drawn, labels))
        return self.generator.synthesise(noise)


def class_quantiles(generator: Generator) -> Tensor:
    r"""The $\|z\|^2 / 2$ from which on a latent is of the next class; one fewer than classes.

    Found by bisection of the regularised incomplete gamma function.
    """
    ends = generator.class_shares.double().cumsum(0)[:-1].cpu()
    shape = torch.full_like(ends, generator.config.latent_size / 2)
    low, high = torch.zeros_like(ends), 2 * shape + 1000
    for _ in range(100):
        middle = (low + high) / 2
        is_below = torch.special.gammainc(shape, middle) < ends
        low, high = torch.where(is_below, middle, low), torch.where(is_below, high, middle)
    return high


@dataclass(frozen=True, kw_only=True)
class OnnxExport:
    """An ONNX file that was written and checked.

    Attributes:
        generator: The file, ready to draw from.
        largest_difference: Of a pixel in [-1, 1] from PyTorch's, over the batches compared.
        note: Which checkpoint was taken, of a run that is not done; else empty.
    """

    generator: ExportedGenerator
    largest_difference: float
    note: str = ""


def export_onnx(source: str | Path, out: str | Path) -> OnnxExport:
    """Writes the generator of a run, bundle or shipped model as an ONNX file.

    Inputs: `latents` (float32, `B Z`), of which any number fit, and, where the model has classes,
    `labels` (int64, `B`; -1: the latent draws its class). Output: `images` (float32, `B C H W`,
    about -1 to 1). The file is compared with PyTorch at batches of 1, 2, 7 and 64 before it is
    put in its place.

    Args:
        source: Run folder, bundle folder, or the name of a shipped model.
        out: The file, ending in `.onnx`; its folder is made.

    Raises:
        MissingExtraError: onnx, onnxscript or onnxruntime is not installed.
        ConfigError: `out` ends otherwise, or PyTorch has no ONNX form of the network.
        BundleError: the model is damaged, or its ONNX form makes other images.
        UnknownNameError: nothing of that name.
        StorageError: the file cannot be written.
    """
    out = Path(out)
    if out.suffix.lower() != SUFFIX:
        raise ConfigError(f"An ONNX file ends in {SUFFIX}, got '{out}'.")
    for package in ("onnx", "onnxscript", "onnxruntime"):
        _need(package)
    model = load(source)
    generator = model.generator
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "draft.onnx"
        _exported(generator, model.class_names).save(draft)
        draft.write_bytes(seal(draft.read_bytes()))
        furthest = largest_difference(generator, load_exported(draft))
        if not furthest <= TOLERANCE:
            raise BundleError(
                f"{source}: its ONNX form makes other images, {furthest:.2g} apart in [-1, 1]; "
                "nothing was written."
            )
        with storage_errors(out):
            out.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(out, draft.read_bytes())
    made = load_exported(out)
    return OnnxExport(generator=made, largest_difference=furthest, note=model.note)


def largest_difference(generator: Generator, exported: ExportedGenerator) -> float:
    """The largest difference of a pixel in [-1, 1] between PyTorch and ONNX Runtime.

    Over batches of 1, 2, 7 and 64 images; with classes, drawn and asked for, each class at least
    once.
    """
    furthest = 0.0
    for latents, labels in _parity_batches(generator):
        given = {LATENTS: latents.numpy()}
        if labels is not None:
            given[LABELS] = labels
        is_drawn = labels is None or bool((labels == OWN_CLASS).all())
        with torch.inference_mode():
            given_labels = None if is_drawn else torch.from_numpy(labels)
            expected = generator(latents, given_labels).numpy()
        (images,) = exported.session.run([IMAGES], given)
        difference = float(np.abs(images - expected).max())
        furthest = max(furthest, difference) if math.isfinite(difference) else math.inf
    return furthest


def _parity_batches(generator: Generator) -> Iterator[tuple[Latents, np.ndarray | None]]:
    """Latents with labels: none where there are no classes, else once drawn and once asked for."""
    config = generator.config
    for size in PARITY_BATCHES:
        latents = latents_of(range(size), config.latent_size)
        if not config.classes:
            yield latents, None
            continue
        yield latents, np.full(size, OWN_CLASS, dtype=np.int64)
        yield latents, np.arange(size) % config.classes
    # Those that no batch above has.
    for start in range(INFERENCE_BATCH_SIZE, config.classes, INFERENCE_BATCH_SIZE):
        yield latents, np.arange(start, start + INFERENCE_BATCH_SIZE) % config.classes


def _exported(generator: Generator, class_names: Sequence[str]) -> Any:
    """The generator as PyTorch's own exporter writes it, with our description."""
    config = generator.config
    inputs = {LATENTS: latents_of(range(2), config.latent_size)}
    if config.classes:
        inputs[LABELS] = torch.full((2,), OWN_CLASS)
    batch = torch.export.Dim("batch")
    try:
        with (  # what it says is about itself, and stdout is for results
            warnings.catch_warnings(),
            _silent(EXPORTER),
            redirect_stdout(sys.stderr),
        ):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                ExportForm(generator).eval(),
                tuple(inputs.values()),
                input_names=list(inputs),
                output_names=[IMAGES],
                dynamic_shapes=tuple({0: batch} for _ in inputs),
                dynamo=True,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error).strip().splitlines() or ["no reason given"]
        raise ConfigError(
            f"The generator '{config.kind}' cannot be written as ONNX: {reason[0][:300]}"
        ) from error
    described = {name: getattr(config, name) for name in ("size", "colours", "classes")}
    described |= {"latent_size": config.latent_size, "format": FORMAT, CHECKSUM: UNSEALED}
    described |= {"class_names": list(class_names)} if class_names else {}
    assert program is not None  # noqa: S101 - None only for the older exporter
    program.model.metadata_props[METADATA] = json.dumps(described)
    return program


@contextmanager
def _silent(name: str) -> Iterator[None]:
    """Inside, a logger lets errors alone through."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _need(package: str) -> None:
    try:
        importlib.import_module(package)
    except ImportError:
        raise MissingExtraError(package, EXTRA) from None
