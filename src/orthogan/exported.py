"""Generators in ONNX files, run by ONNX Runtime; no PyTorch here, so drawing starts at once."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from orthogan.class_names import class_indices, is_name_list
from orthogan.errors import BundleError, MissingExtraError
from orthogan.passes import passes
from orthogan.pictures import png, sheet

SUFFIX = ".onnx"
FORMAT = 1
METADATA = "orthogan"  # the key of ours among the properties of an ONNX file
EXTRA = "export"
LATENTS, LABELS, IMAGES = "latents", "labels", "images"
OWN_CLASS = -1  # the label that lets a latent draw its class

_FIELDS = {"size": int, "colours": int, "classes": int, "latent_size": int}


@dataclass(frozen=True, kw_only=True)
class ExportedGenerator:
    """A generator in an ONNX file.

    Attributes:
        path: The file.
        size: Side of the images, px.
        colours: Colour planes.
        classes: Kinds of images it was told; 0: none.
        latent_size: Length of a latent.
        class_names: What the classes are called, in their order; empty where they have no names.
    """

    path: Path
    size: int
    colours: int
    classes: int
    latent_size: int
    class_names: tuple[str, ...] = ()
    session: Any = field(repr=False)

    def sample(
        self, seeds: Iterable[int] = range(64), classes: Sequence[int | str] | None = None
    ) -> np.ndarray:
        """One image a seed as bytes: image x row x column x colour.

        They are the images of the model that was exported, but for rounding: a pixel may differ
        by 1.

        Args:
            seeds: Each decides its image, and its class if none is asked for.
            classes: Names of classes, in turn; a number that is no name is an index.

        Raises:
            ConfigError: a negative seed, an index out of range, or a model without classes.
            UnknownNameError: no class of that name.
        """
        seeds = list(seeds)
        if classes is not None:
            classes = class_indices(classes, self.class_names, self.classes)
        made = [np.empty((0, self.colours, self.size, self.size), dtype=np.uint8)]
        for latents, labels in passes(seeds, self.latent_size, self.classes, classes):
            given = {LATENTS: latents}
            if self.classes:
                own = np.full(len(latents), OWN_CLASS, dtype=np.int64)
                given[LABELS] = own if labels is None else labels
            (images,) = self.session.run([IMAGES], given)
            made.append(np.rint((images + 1.0) * 127.5).clip(0, 255).astype(np.uint8))
        return np.concatenate(made)[: len(seeds)].transpose(0, 2, 3, 1)

    def _repr_png_(self) -> bytes:
        """A grid of 64 images, for notebooks."""
        return png(sheet(self.sample()))


def load_exported(path: str | Path, threads: int | None = None) -> ExportedGenerator:
    """A generator that `export_onnx` wrote.

    Args:
        path: The file.
        threads: CPU threads; None: one a core.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        BundleError: there is no such file, it cannot be read, or another program wrote it.
    """
    path = Path(path)
    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError:
        raise MissingExtraError("onnxruntime", EXTRA) from None
    if not path.is_file():
        raise BundleError(f"{path}: no such file.")
    options = runtime.SessionOptions()
    options.log_severity_level = 4  # its complaints become our sentence
    options.intra_op_num_threads = threads or 0
    try:
        # The bytes and not the path: it takes no path that is not valid Unicode.
        content = path.read_bytes()
        session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}.") from None
    except Exception as error:  # noqa: BLE001 - its errors share no base but this
        why = str(error).splitlines()[0]
        raise BundleError(f"{path}: ONNX Runtime cannot read it: {why}") from None
    return ExportedGenerator(path=path, session=session, **_described(path, session))


def _described(path: Path, session: Any) -> dict[str, Any]:
    """What the file says of itself."""
    try:
        said = json.loads(session.get_modelmeta().custom_metadata_map[METADATA])
        number = said["format"]
    except (KeyError, TypeError, ValueError):
        raise BundleError(
            f"{path}: not a generator of ours; make one with 'orthogan export'."
        ) from None
    if number != FORMAT:
        raise BundleError(f"{path}: format {number}, this version reads {FORMAT}.")
    facts = {name: said.get(name) for name in _FIELDS}
    names = said.get("class_names", [])  # files without names came first
    if (
        any(not isinstance(fact, _FIELDS[name]) for name, fact in facts.items())
        or not is_name_list(names)
        or len(names) not in {0, facts["classes"]}
    ):
        raise BundleError(f"{path}: its description is incomplete; export the model again.")
    return facts | {"class_names": tuple(names)}
