"""The first losses of every recipe on fixed images; run this file to write them down anew.

    PYTHONPATH=benchmarks python tests/golden/refresh.py

Do so only when a change of architecture, defaults or method is meant, and say so in the commit.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from plain_step import in_float64

from orthogan import rng
from orthogan.data import ImageSet, to_pixels
from orthogan.gan.recipes import RECIPES
from orthogan.gan.trainer import Trainer

GOLDEN = Path(__file__).with_name("losses.json")
NUM_STEPS = 3
BATCH_SIZE = 16


def synthetic_images() -> ImageSet:
    """64 soft blobs at places that the seed decides."""
    axis = torch.linspace(-1, 1, 28)
    centres = 0.5 * rng.normal((64, 2), rng.stream(0, "golden")).tanh()
    rows = (axis[None, :, None] - centres[:, 0, None, None]).square()
    cols = (axis[None, None, :] - centres[:, 1, None, None]).square()
    blobs = 2 * torch.exp(-8 * (rows + cols)) - 1
    return ImageSet(to_pixels(blobs[:, None]), name="golden")


def first_losses(recipe: str) -> list[dict[str, float]]:
    """What each of the first steps of a recipe measures, in float64 on one thread.

    Muon brings the least direction of a gradient to the size of the others, and in float32 the
    least are rounding: losses of two kinds of processors would part by a thousandth at once.
    """
    config = RECIPES[recipe]().evolve(
        "precision=float32", f"batch_size={BATCH_SIZE}", f"budget={{images: {100 * BATCH_SIZE}}}"
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        trainer = in_float64(Trainer(config, synthetic_images(), torch.device("cpu")))
        return [trainer.step(step / 100).numbers() for step in range(NUM_STEPS)]
    finally:
        torch.set_num_threads(threads)


def refresh() -> None:
    """Write the losses of every recipe to `losses.json`."""
    losses = {recipe: first_losses(recipe) for recipe in RECIPES}
    GOLDEN.write_text(json.dumps(losses, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    refresh()
