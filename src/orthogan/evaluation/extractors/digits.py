"""The digits extractor: a classifier of MNIST, in the package."""

from __future__ import annotations

from functools import partial
from importlib import resources
from importlib.resources.abc import Traversable

import torch
from torch import Tensor, nn

from orthogan.data import ImageSet
from orthogan.errors import BundleError
from orthogan.evaluation.extractors import EXTRACTORS, HASH_DIGITS, Extractor
from orthogan.evaluation.extractors.weights import verified_weights
from orthogan.evaluation.inputs import full_batches, to_grey
from orthogan.shapes import Features, Images, Pixels

SIDE = 28  # it was trained on MNIST, which is 28 x 28
BATCH_SIZE = 512  # activations of 512 images stay near the last-level cache
DIGIT_SETS = ("mnist", "stacked-mnist")


class DigitsNet(nn.Module):
    """The digits classifier with its batch normalisation folded into the weights."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, 32, 5, 2, 2),
            nn.ReLU(),
            nn.Conv2d(32, 48, 3, 1, 1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(48, 64, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(64, 96, 3, 2, 1),
            nn.ReLU(),
        )
        self.embed = nn.Linear(96 * 4 * 4, 64)
        self.classify = nn.Linear(64, 10)

    def forward(self, grey: Images) -> tuple[Features, Tensor]:
        """Features (after the last ReLU) and class logits of grey images in [0, 1]."""
        features = nn.functional.relu(self.embed(self.convolutions(grey).flatten(1)))
        return features, self.classify(features)


class DigitsExtractor:
    """64 features and 10 class probabilities from the digits classifier in the package.

    Args:
        folder: Where `weights.safetensors` and `card.json` lie; the packaged asset by default.

    Raises:
        BundleError: a file is missing, or the weights do not match the card's hash.
    """

    channels = 1
    size = SIDE
    num_features = 64
    num_components = None
    num_classes = 10
    domain = "handwritten digits"

    def __init__(self, folder: Traversable | None = None) -> None:
        folder = folder or resources.files("orthogan") / "assets" / "digits-extractor"
        weights, self.sha256 = verified_weights(folder)
        self.name = f"digits-cls@{self.sha256[:HASH_DIGITS]}"
        self._net = _build(weights, folder)

    def knows(self, images: ImageSet) -> bool:
        """Whether the images are MNIST's."""
        return images.name in DIGIT_SETS

    def features(self, pixels: Pixels) -> Features:
        """64 non-negative features per image."""
        return self.describe(pixels)[0]

    def probabilities(self, pixels: Pixels) -> Tensor:
        """The probability of each digit, one row per image."""
        return self.describe(pixels)[1]

    def describe(self, pixels: Pixels) -> tuple[Features, Tensor]:
        """Features and class probabilities in one pass; other sizes and RGB are made to fit."""
        features = torch.empty(len(pixels), self.num_features)
        probabilities = torch.empty(len(pixels), self.num_classes)
        with torch.inference_mode():  # writes into ordinary tensors, usable anywhere
            for part, grey in full_batches(pixels, BATCH_SIZE, partial(to_grey, side=SIDE)):
                found, logits = self._net(grey)
                count = part.stop - part.start
                features[part] = found[:count]
                probabilities[part] = logits[:count].softmax(1)
        return features, probabilities


@EXTRACTORS.register("digits-cls")
def load_digits_extractor() -> Extractor:
    """The packaged digits extractor."""
    return DigitsExtractor()


def _build(weights: dict[str, Tensor], folder: Traversable) -> DigitsNet:
    net = DigitsNet()
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        raise BundleError(f"{folder}: not weights of the digits extractor: {error}.") from None
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs
    return net.eval().requires_grad_(False)
