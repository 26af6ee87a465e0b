"""What nobody can see: how far each feature moves when pixels change by so little."""

from __future__ import annotations

import numpy as np
import torch

from orthogan import rng
from orthogan.data import ImageSet
from orthogan.evaluation.description import describe_set
from orthogan.evaluation.extractors import Extractor
from orthogan.rng import permutation
from orthogan.shapes import Features, PerFeature, Pixels

# Gray levels by which a pixel may differ at random, unseen beside its neighbours on a screen.
UNSEEN = 4
SAMPLE = 256  # images that are changed


def unseen_change(pixels: Pixels, features: Features, net: Extractor) -> PerFeature:
    """The root mean square by which each feature moves when no pixel moves by more than 4 levels.

    On images of plain grounds some features hardly vary, and react to noise of three levels, which
    a generator always leaves, as to nothing else: standardised by their spread alone, they would
    call perfect letters unreal (docs/precision.md).

    Args:
        pixels: Real images.
        features: Theirs.
        net: What found them.

    Returns:
        One number a feature.
    """
    chosen = permutation(len(pixels), 0, "unseen", 0)[:SAMPLE].sort().values
    draws = rng.stream(0, "unseen").integers(
        -UNSEEN, UNSEEN + 1, tuple(pixels[chosen].shape), dtype=np.int16
    )
    changed = (pixels[chosen].short() + torch.from_numpy(draws)).clamp(0, 255).to(torch.uint8)
    moved = describe_set(ImageSet(changed, name="unseen changes"), net).features
    change = moved.double() - features[chosen].double()
    return change.square().mean(0).sqrt().to(features.dtype)
