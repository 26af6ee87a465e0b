"""Generators in ONNX files, run by ONNX Runtime; no PyTorch here, so drawing starts at once."""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from orthogan.class_names import class_indices, is_name_list
from orthogan.errors import BundleError, MissingExtraError, shortened
from orthogan.files import parse_json
from orthogan.images.encoding import png
from orthogan.images.sheet import sheet
from orthogan.inference_batches import inference_batches

SUFFIX = ".onnx"
FORMAT = 1
METADATA = "orthogan"  # the key of ours among the properties of an ONNX file
CHECKSUM = "sha256"  # of the file with `UNSEALED` in the place of the checksum
UNSEALED = "0" * 64
EXTRA = "export"
LATENTS, LABELS, IMAGES = "latents", "labels", "images"
OWN_CLASS = -1  # the label that lets a latent draw its class

NUM_RGBA = 4
MAX_REASON = 300  # characters of a foreign sentence

_SMALLEST = {"size": 1, "colours": 1, "classes": 0, "latent_size": 1}
# "[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : " and "/src/model.cc:40 void Model::Load(...) ".
_CODE = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : (\S+:\d+ .*?\) )?")


@dataclass(frozen=True, kw_only=True)
class ExportedGenerator:
    """A generator in an ONNX file.

    Attributes:
        path: The file.
        size: Side of the images, px.
        colours: Channels.
        classes: Classes it is conditioned on; 0: none.
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
        """One image per seed as bytes: image x row x column x colour.

        They are the images of the model that was exported, but for rounding: a pixel may differ
        by 1.

        Args:
            seeds: Each decides its image, and its class if none is asked for.
            classes: Names of classes, in turn; a number that is no name is an index.

        Raises:
            ConfigError: a negative seed, an index out of range, or a model without classes.
            UnknownNameError: no class of that name.
            BundleError: the file computes no images.
        """
        seeds = list(seeds)
        if classes is not None:
            classes = class_indices(classes, self.class_names, self.classes)
        made = [np.empty((0, self.colours, self.size, self.size), dtype=np.uint8)]
        for latents, labels in inference_batches(seeds, self.latent_size, self.classes, classes):
            given = {LATENTS: latents}
            if self.classes:
                own = np.full(len(latents), OWN_CLASS, dtype=np.int64)
                given[LABELS] = own if labels is None else labels
            images = self._drawn(given)
            made.append(_bytes(images))
        return np.concatenate(made)[: len(seeds)].transpose(0, 2, 3, 1)

    def _drawn(self, given: dict[str, np.ndarray]) -> np.ndarray:
        try:
            (images,) = self.session.run([IMAGES], given)
        except Exception as error:  # noqa: BLE001 - its errors share no base but this
            raise BundleError(f"{self.path}: cannot draw: {foreign_reason(error)}") from None
        wanted = (len(given[LATENTS]), self.colours, self.size, self.size)
        shape = np.shape(images)
        if (
            shape != wanted
            or getattr(images, "dtype", None) != np.float32
            or not np.isfinite(images).all()
        ):
            raise BundleError(
                f"{self.path}: draws no finite images of shape {wanted}; export the model again."
            )
        drawn: np.ndarray = images
        return drawn

    def _repr_png_(self) -> bytes:
        """A grid of 64 images, for notebooks."""
        return png(sheet(self.sample()))


def _bytes(images: np.ndarray) -> np.ndarray:
    """Floats in [-1, 1] as bytes, as `orthogan.data.to_pixels` makes them."""
    values = (images + 1.0) * 127.5
    if values.shape[1] == NUM_RGBA:
        opacity = np.rint(values[:, 3:]).clip(0, 255)
        seen = np.where(opacity > 0, values[:, :3] * 255 / opacity.clip(1), 0)
        values = np.concatenate([seen, opacity], axis=1)
    return np.rint(values).clip(0, 255).astype(np.uint8)


def load_exported(path: str | Path, threads: int | None = None) -> ExportedGenerator:
    """A generator that `export_onnx` wrote.

    Args:
        path: The file.
        threads: CPU threads; None: one per core.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        BundleError: there is no such file, it cannot be read, or another program wrote it.
    """
    path = Path(path)
    _runtime()
    if not path.is_file():
        raise BundleError(f"{path}: no such file.")
    try:
        # The bytes and not the path: it takes no path that is not valid Unicode.
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}.") from None
    session = open_session(path, content, threads)
    return ExportedGenerator(path=path, session=session, **describes_generator(path, session))


def open_session(path: Path, content: bytes, threads: int | None = None) -> Any:
    """An `onnxruntime.InferenceSession` of a file.

    Args:
        path: For messages.
        content: The file.
        threads: CPU threads; None: one per core.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        BundleError: it cannot read the file.
    """
    runtime = _runtime()
    options = runtime.SessionOptions()
    options.log_severity_level = 4  # its complaints become our sentence
    options.intra_op_num_threads = threads or 0
    try:
        return runtime.InferenceSession(
            content,
            options,
            providers=["CPUExecutionProvider"],
            enable_fallback=False,  # it would print what it tries to stdout
        )
    except Exception as error:  # noqa: BLE001 - its errors share no base but this
        raise BundleError(f"{path}: ONNX Runtime cannot read it: {foreign_reason(error)}") from None


def _runtime() -> Any:
    try:
        return importlib.import_module("onnxruntime")
    except ImportError:
        raise MissingExtraError("onnxruntime", EXTRA) from None


def seal(data: bytes) -> bytes:
    """An ONNX file whose description holds `UNSEALED`, with its checksum in that place."""
    return data.replace(UNSEALED.encode(), hashlib.sha256(data).hexdigest().encode(), 1)


def _is_sealed(data: bytes, sha256: str) -> bool:
    unsealed = data.replace(sha256.encode(), UNSEALED.encode(), 1)
    return hashlib.sha256(unsealed).hexdigest() == sha256


def describes_generator(path: Path, session: Any) -> dict[str, Any]:
    """What a file of `export_onnx` says of itself.

    Raises:
        BundleError: it is none, or not as it was written.
    """
    try:
        text = session.get_modelmeta().custom_metadata_map[METADATA].encode()
        said = parse_json(text, path, error=BundleError)
        number = said["format"]
    except (BundleError, KeyError, TypeError, ValueError):
        raise BundleError(
            f"{path}: not a generator of ours; make one with 'orthogan export'."
        ) from None
    if number != FORMAT:
        raise BundleError(f"{path}: format {shortened(number)}, this version reads {FORMAT}.")
    facts = {name: said.get(name) for name in _SMALLEST}
    # Not isinstance: True is an int.
    names = said.get("class_names", [])  # files without names came first
    if (
        any(type(fact) is not int or fact < _SMALLEST[name] for name, fact in facts.items())
        or not is_name_list(names)
        or len(names) not in {0, facts["classes"]}
    ):
        raise BundleError(f"{path}: its description is incomplete; export the model again.")
    given = {LATENTS: facts["latent_size"]} | ({LABELS: None} if facts["classes"] else {})
    # Arrays are made as long as the description says: only if the graph says the same.
    if _inputs(session) != given:
        raise BundleError(f"{path}: its description is of another graph; export the model again.")
    sha256 = said.get(CHECKSUM)  # files of version 0.1 have none
    if sha256 is not None and not _is_sealed(path.read_bytes(), str(sha256)):
        raise BundleError(f"{path}: damaged: its checksum differs; copy or export it again.")
    return facts | {"class_names": tuple(names)}


def _inputs(session: Any) -> dict[str, Any]:
    """The inputs of a graph by their names, each with the length of its second axis."""
    try:
        return {each.name: (each.shape[1:] or [None])[0] for each in session.get_inputs()}
    except UnicodeDecodeError:  # a name that is no UTF-8, so none of ours
        return {}


def foreign_reason(error: Exception) -> str:
    """What ONNX Runtime says, without its error code and its place in its own sources."""
    lines = str(error).splitlines() or [type(error).__name__]
    said = _CODE.sub("", lines[0])
    return f"{said[:MAX_REASON].rstrip('. ')}."
