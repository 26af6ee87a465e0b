"""What an ONNX file does when it is run: its images, their range, its classes."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from orthogan.errors import BundleError, shortened
from orthogan.export.foreign.graph import CLASS_NAMES, INT32, Graph
from orthogan.export.onnx_file import (
    METADATA,
    OWN_CLASS,
    describes_generator,
    foreign_reason,
    open_session,
)
from orthogan.networks.directions import (
    MOST_IMAGES,
    PrincipalDirections,
    central_changes,
    mean_directions,
)
from orthogan.rng import latents as latents_of

MOST_CLASSES = 1000  # of a file that does not name them
MOST_SIDE = 1024  # pixels
COLOURS = (1, 3, 4)
NUM_TRIED = 64  # images
LONGEST_S = 60.0  # that drawing for one purpose may take
MOST_COARSE = 64  # pixels a side that directions are found by
FEWEST = 8  # images that are drawn however long it takes


class Runs:
    """An ONNX file in ONNX Runtime.

    Args:
        graph: The file.
        content: What is run; the file itself, or what a page makes of it.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        BundleError: it cannot read the file.
    """

    def __init__(self, graph: Graph, content: bytes) -> None:
        self.graph = graph
        self.session = open_session(graph.path, content, torch.get_num_threads())

    def values(self, latents: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
        """What the file draws, an image a latent, in numbers of its own.

        Raises:
            BundleError: it fails, or what it draws is no image.
        """
        size = 1 if self.graph.is_single else len(latents)
        parts = [
            self._drawn(latents[at : at + size], None if labels is None else labels[at : at + size])
            for at in range(0, len(latents), size)
        ]
        return np.concatenate(parts)

    def _drawn(self, latents: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
        graph, path = self.graph, self.graph.path
        ones = (1,) * (len(graph.latents.axes) - 1)
        given = {graph.latents.name: latents.reshape(len(latents), graph.latent_size, *ones)}
        if graph.labels is not None and labels is not None:
            kind = np.int32 if graph.labels.kind == INT32 else np.int64
            axes = (1,) * len(graph.labels.axes)
            given[graph.labels.name] = labels.astype(kind).reshape(len(labels), *axes)
        try:
            (made,) = self.session.run(None, given)
        except Exception as error:  # noqa: BLE001 - its errors share no base but this
            raise BundleError(f"{path}: cannot draw: {foreign_reason(error)}") from None
        shape = np.shape(made)
        is_image = (
            len(shape) == 4
            and shape[0] == len(latents)
            and shape[1] in COLOURS
            and all(1 <= each <= MOST_SIDE for each in shape[2:])
            and made.dtype == np.float32
        )
        if not is_image:
            raise BundleError(
                f"{path}: a page shows images [{len(latents)}, c, h, w] of 1, 3 or 4 channels and "
                f"at most {MOST_SIDE} pixels a side; this file draws {shortened(list(shape))}."
            )
        if not np.isfinite(made).all():
            raise BundleError(f"{path}: draws numbers that are not finite.")
        drawn: np.ndarray = made
        return drawn


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """A generator in an ONNX file that was tried.

    Attributes:
        graph: The file.
        runs: It, in ONNX Runtime.
        colours: Channels.
        height: Pixels.
        width: Pixels.
        low: What stands for black.
        high: What stands for white.
        class_names: One a class; empty without a class.
        draws_class: Whether a class of -1 lets the latent draw it.
    """

    graph: Graph
    runs: Runs
    colours: int
    height: int
    width: int
    low: float
    high: float
    class_names: tuple[str, ...]
    draws_class: bool

    def images(
        self, latents: np.ndarray, labels: np.ndarray | None, runs: Runs | None = None
    ) -> np.ndarray:
        """Images in -1..1, cut at black and white; of other `runs` of the same file on request."""
        values = (runs or self.runs).values(latents, labels)
        scaled = 2 * (values - self.low) / (self.high - self.low) - 1
        shown: np.ndarray = scaled.clip(-1, 1)
        return shown

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Latents and classes to compare two forms of the file by: as a page draws, and each class.

        Fewer where drawing them takes more than a minute.
        """
        until = time.monotonic() + LONGEST_S
        num_classes = len(self.class_names)
        for start in range(0, max(NUM_TRIED, num_classes), FEWEST):
            if start and time.monotonic() > until:
                return
            latents = latents_of(range(start, start + FEWEST), self.graph.latent_size).numpy()
            if not num_classes:
                yield latents, None
                continue
            if self.draws_class:
                yield latents, np.full(FEWEST, OWN_CLASS)
            yield latents, np.arange(start, start + FEWEST) % num_classes

    def directions(self) -> PrincipalDirections | None:
        """The directions of most change (`networks.directions`); None where they take minutes."""
        size = self.graph.latent_size
        one = latents_of([0], size).numpy()
        label = self._label(0)
        started = time.monotonic()
        self.images(one, label)
        most = LONGEST_S / max(time.monotonic() - started, 1e-4)
        if most < 2 * size:
            return None
        place = count()

        def changes(latent: Tensor) -> Tensor:
            at = next(place)
            return central_changes(lambda moved: self._coarse(moved, self._label(at, len(moved))),
                                   latent)  # fmt: skip

        return mean_directions(changes, size, most_images=int(min(most, MOST_IMAGES)))

    def _coarse(self, latents: Tensor, labels: np.ndarray | None) -> Tensor:
        """Flat images with no more pixels than directions need."""
        images = torch.from_numpy(self.images(latents.numpy(), labels))
        sides = (min(self.height, MOST_COARSE), min(self.width, MOST_COARSE))
        return adaptive_avg_pool2d(images, sides).flatten(1)

    def _label(self, at: int, num_images: int = 1) -> np.ndarray | None:
        """One class for all: a latent that moves must not change its class."""
        return np.full(num_images, at % len(self.class_names)) if self.class_names else None


def tried(graph: Graph) -> Foreign:
    """An ONNX file as a generator, after some images.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        BundleError: it cannot be run, draws no images, draws others each time, or has classes
            that cannot be counted.
    """
    runs = Runs(graph, graph.content)
    own = _own(graph, runs.session)
    draws_class = bool(own.get("classes"))
    names = tuple(own["class_names"]) if own.get("class_names") else graph.class_names
    if graph.labels is not None and not names:
        names = _numbered(own.get("classes") or _num_classes(runs))
    latents = latents_of(range(FEWEST), graph.latent_size).numpy()
    labels = np.arange(FEWEST) % len(names) if names else None
    values = runs.values(latents, labels)
    if not np.array_equal(values, runs.values(latents, labels)):
        raise BundleError(
            f"{graph.path}: draws another image each time from the same latent; a page needs a "
            "file without random numbers of its own."
        )
    low, high = _range(values)
    _, colours, height, width = values.shape
    return Foreign(
        graph=graph, runs=runs, colours=colours, height=height, width=width, low=low, high=high,
        class_names=names if graph.labels is not None else (), draws_class=draws_class,
    )  # fmt: skip


def _own(graph: Graph, session: Any) -> dict[str, Any]:
    """What `orthogan export --to onnx` wrote into the file; nothing in files of others."""
    if METADATA not in {each.key for each in graph.model.metadata_props}:
        return {}
    return describes_generator(graph.path, session)


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))


def _num_classes(runs: Runs) -> int:
    """How many classes there are: one more than the largest that does not fail.

    Raises:
        BundleError: none does, so that they cannot be counted, or 0 does.
    """
    latent = latents_of([0], runs.graph.latent_size).numpy()
    runs.values(latent, np.array([0]))

    def is_class(label: int) -> bool:
        try:
            runs.values(latent, np.array([label]))
        except BundleError:
            return False
        return True

    below, beyond = 0, 1
    while beyond <= MOST_CLASSES and is_class(beyond):
        below, beyond = beyond, 2 * beyond
    if beyond > MOST_CLASSES and is_class(MOST_CLASSES):
        raise BundleError(
            f"{runs.graph.path}: takes a class and does not say how many there are; write their "
            f"names into the file, a list as JSON, as its property '{CLASS_NAMES}'."
        )
    beyond = min(beyond, MOST_CLASSES)
    while beyond - below > 1:
        middle = math.floor((below + beyond) / 2)
        below, beyond = (middle, beyond) if is_class(middle) else (below, middle)
    return beyond


def _range(values: np.ndarray) -> tuple[float, float]:
    """What stands for black and white: -1 and 1, 0 and 1, or 0 and 255.

    >>> _range(np.array([-0.8, 0.9])), _range(np.array([0.1, 1.0])), _range(np.array([3.0, 250.0]))
    ((-1.0, 1.0), (0.0, 1.0), (0.0, 255.0))
    """
    low, high = float(values.min()), float(values.max())
    if high > 8 and low >= -1:
        return 0.0, 255.0
    return (-1.0, 1.0) if low < -0.01 else (0.0, 1.0)
