"""The general extractor: colour, texture and shape in any small images."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable

import torch
from torch import Tensor, nn

from orthogan.data import ImageSet
from orthogan.errors import BundleError, ShapeError
from orthogan.evaluation.efficientnet import NUM_FEATURES, EfficientNetLite0
from orthogan.evaluation.extractors import EXTRACTORS, HASH_DIGITS, Extractor
from orthogan.evaluation.extractors.weights import verified_weights
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
            for start in range(0, len(pixels), BATCH_SIZE):
                part = slice(start, start + BATCH_SIZE)
                images = to_rgb(pixels[part], SIDE)
                # As in the digits extractor: full batches only, so that copies are described alike.
                full = torch.zeros(BATCH_SIZE, *images.shape[1:])
                full[: len(images)] = images
                maps = self._net(full.contiguous(memory_format=torch.channels_last))
                means = torch.cat([each.mean((2, 3)) for each in maps], 1)
                features[part] = means[: len(images)]
        return features, torch.zeros(len(pixels), 0)


def to_rgb(pixels: Pixels, side: int) -> Tensor:
    """RGB float images in [-1, 1] of `side` x `side`.

    Raises:
        ShapeError: the images have neither one nor three channels.
    """
    if pixels.shape[1] not in {1, 3}:
        raise ShapeError(f"Pictures have 1 or 3 channels (axis 1), got {pixels.shape[1]}.")
    images = pixels.float().expand(-1, 3, -1, -1) / 127.5 - 1
    if images.shape[2:] != (side, side):
        images = nn.functional.interpolate(
            images, size=(side, side), mode="bilinear", antialias=True
        )
    return images


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
