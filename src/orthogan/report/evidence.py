"""What a report needs beside the run folder: images of the model and those it learnt from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from orthogan.analysis.look import look
from orthogan.analysis.look_result import Look
from orthogan.data import ImageSet
from orthogan.errors import OrthoganError
from orthogan.evaluation.alignment import AlignedNeighbours
from orthogan.gan.config import TrainingConfig
from orthogan.gan.task import GanTask
from orthogan.models.generator import load
from orthogan.report.run_facts import RunFacts
from orthogan.rng import permutation
from orthogan.shapes import Pixels, UnseenPixels

NUM_FAKES = 400  # images of which the nearest and the farthest are shown
NUM_SHOWN = 8  # of each kind
NUM_LOOKED, NUM_SEEN = 128, 3  # images whose attention is averaged, and those that are shown
MOST_TRAIN_BYTES = 200_000_000  # of a larger set, a random part is searched: some seconds


@dataclass(frozen=True)
class Neighbours:
    """Generated images and the training images that they come nearest to.

    Attributes:
        fakes: Generated images.
        nearest: The nearest training image of each.
        copies: Those that look most like copies, the nearest first.
        worst: Those that no training image comes near to, the farthest first.
        others: The first that are neither.
        num_train: Training images that were searched.
        num_all: Training images there are.
    """

    fakes: Pixels
    nearest: UnseenPixels
    copies: list[int]
    worst: list[int]
    others: list[int]
    num_train: int
    num_all: int


@dataclass(frozen=True)
class Evidence:
    """Training images and neighbours of a run, or why there are none.

    Attributes:
        images: The training set; None where it cannot be had.
        neighbours: None where they cannot be had.
        missing: Why, a sentence; empty if there are some.
        look: What the heads attend to; None where that cannot be seen.
        unseen: Why, a sentence; empty if it can.
    """

    images: ImageSet | None = None
    neighbours: Neighbours | None = None
    missing: str = ""
    look: Look | None = None
    unseen: str = ""


def gathered(run: RunFacts, data: Any = None) -> Evidence:
    """The training images, the neighbours and the attention of a GAN run.

    Args:
        run: The run.
        data: What it was trained on, if it is in memory; else it is read from where it lies.
    """
    if run.task != "gan":
        return Evidence()
    return _looked(run, _beside_data(run, data))


def _looked(run: RunFacts, found: Evidence) -> Evidence:
    """With what the heads attend to, over training images where there are some."""
    some = None
    if found.images is not None:
        order = permutation(len(found.images), 0, "report-look", 0)[:NUM_LOOKED]
        some = found.images.images[order.to(found.images.images.device)].cpu()
    on = "generated" if some is None else "real"
    try:
        seen = look(run.path, seeds=range(NUM_LOOKED), on=on, images=some, shown=NUM_SEEN)
    except OrthoganError as error:
        return replace(found, unseen=str(error))
    return replace(found, look=seen)


def _beside_data(run: RunFacts, data: Any) -> Evidence:
    try:
        images = data if isinstance(data, ImageSet) else _training_set(run)
    except OrthoganError as error:
        return Evidence(missing=f"The training images cannot be read, so none stand here. {error}")
    if images.draws_afresh:
        return Evidence(missing=(
            "Every training image is put together anew, so there is no set to search."
        ))  # fmt: skip
    known = run.record["provenance"].get("data_fingerprint")
    if data is None and images.fingerprint() != known:
        return Evidence(missing=(
            "The training images are others by now (their fingerprint differs), so none of them "
            "stand here."
        ))  # fmt: skip
    try:
        fakes = load(run.path).sample(range(NUM_FAKES))
    except OrthoganError as error:
        return Evidence(images, missing=f"The run has no model to draw with. {error}")
    if fakes.shape[1:] != images.images.shape[1:]:
        return Evidence(images, missing="The model draws images of another form than the data.")
    return Evidence(images, found_neighbours(fakes, images))


def found_neighbours(fakes: Pixels, images: ImageSet) -> Neighbours:
    """The nearest training image of every generated one, and which of them are to be shown."""
    train = images.images.cpu()
    most = max(1000, MOST_TRAIN_BYTES // max(1, train[0].numel()))
    if len(train) > most:
        train = train[permutation(len(train), 0, "report-part", 0)[:most]]
    found = AlignedNeighbours(train).find(fakes)
    copies = found.relative.argsort()[:NUM_SHOWN].tolist()
    is_free = torch.ones(len(fakes), dtype=torch.bool)
    is_free[copies] = False
    far = found.distance.masked_fill(~is_free, -1.0).argsort(descending=True)
    worst = far[: min(NUM_SHOWN, int(is_free.sum()))].tolist()
    is_free[worst] = False
    others = is_free.nonzero()[:NUM_SHOWN, 0].tolist()
    return Neighbours(
        fakes, train[found.nearest], copies, worst, others, len(train), len(images.images)
    )


def _training_set(run: RunFacts) -> ImageSet:
    return GanTask().load(TrainingConfig(**run.record["config"]))
