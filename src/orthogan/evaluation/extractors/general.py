"""The general extractor: colour, texture and shape in any small images."""

from __future__ import annotations

from functools import partial
from importlib import resources
from importlib.resources.abc import Traversable

import torch
from torch import Tensor

from orthogan.data import ImageSet
from orthogan.errors import BundleError
from orthogan.evaluation.efficientnet import NUM_FEATURES, EfficientNetLite0
from orthogan.evaluation.extractors import EXTRACTORS, HASH_DIGITS, Extractor
from orthogan.evaluation.extractors.weights import verified_weights
from orthogan.evaluation.inputs import full_batches, to_rgb
from orthogan.shapes import Features, Pixels

SIDE = 96  # at 32 px the deepest maps would be one pixel; at 224 an image costs five times as much
BATCH_SIZE = 64  # activations of 64 images stay near the last-level cache
NUM_COMPONENTS = 64


class GeneralExtractor:
    """504 features from EfficientNet-Lite0: means of its maps at four depths.

    The stem sees colour and edges, blocks 4 and 10 textures, the last block shapes; so colour that
    is gone, blur and noise show as well as wrong shapes do. Trained on ImageNet's photographs; it
    has no classes of its own here.

    Args:
        folder: Where `weights.safetensors` and `card.json` lie; the packaged asset by default.

    Raises:
        BundleError: a file is missing, or the weights do not match the card's hash.

    Source: Tan and Le 2019; `scripts/convert_extractor.py` made the weights.
    """

    channels = 3
    size = SIDE
    num_features = NUM_FEATURES
    num_components = NUM_COMPONENTS
    num_classes = 0
    domain = "pictures of any kind"

    def __init__(self, folder: Traversable | None = None) -> None:
        folder = folder or resources.files("orthogan") / "assets" / "general-extractor"
        weights, self.sha256 = verified_weights(folder)
        self.name = f"general@{self.sha256[:HASH_DIGITS]}"
        self._net = _build(weights, folder)

    def knows(self, images: ImageSet) -> bool:
        """Whether its features mean something on these images: on all."""
        del images
        return True

    def describe(self, pixels: Pixels) -> tuple[Features, Tensor]:
        """Features, and no class probabilities (`B 0`); grey images become RGB, all are resized."""
        features = torch.empty(len(pixels), self.num_features)
        with torch.inference_mode():
            for part, images in full_batches(pixels, BATCH_SIZE, partial(to_rgb, side=SIDE)):
                means = torch.cat([each.mean((2, 3)) for each in self._net(images)], 1)
                features[part] = means[: part.stop - part.start]
        return features, torch.zeros(len(pixels), 0)


@EXTRACTORS.register("general")
def load_general_extractor() -> Extractor:
    """The packaged general extractor."""
    return GeneralExtractor()


def _build(weights: dict[str, Tensor], folder: Traversable) -> EfficientNetLite0:
    net = EfficientNetLite0()
    try:
        net.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    except RuntimeError as error:
        raise BundleError(f"{folder}: not weights of the general extractor: {error}.") from None
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs
    return net.eval().requires_grad_(False)
