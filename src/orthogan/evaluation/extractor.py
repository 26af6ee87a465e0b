"""Named, hashed feature extractors: what turns pictures into the numbers that are compared."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Protocol, runtime_checkable

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from orthogan.errors import BundleError, ShapeError, shortened
from orthogan.files import parse_json
from orthogan.registry import Registry
from orthogan.shapes import Features, Images, Pixels

SIDE = 28  # the digits extractor was trained on MNIST, which is 28 x 28
BATCH_SIZE = 512  # activations of 512 images stay near the last-level cache
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601: how bright red, green and blue look
HASH_DIGITS = 6


@runtime_checkable  # so that annotations can be checked while tests run
class Extractor(Protocol):
    """A pinned network that describes pictures by features and by class probabilities."""

    @property
    def name(self) -> str:
        """Short name with a hash of the weights, part of every metric's name."""

    @property
    def num_features(self) -> int:
        """Features per picture (per colour plane, where planes are read one by one)."""

    @property
    def num_classes(self) -> int:
        """Classes per picture (per colour plane, where planes are read one by one)."""

    def describe(self, pixels: Pixels) -> tuple[Features, Tensor]:
        """Features and class probabilities of one-channel or RGB pictures of any size."""


EXTRACTORS: Registry[Callable[[], Extractor]] = Registry("extractor")


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

    num_features = 64
    num_classes = 10

    def __init__(self, folder: Traversable | None = None) -> None:
        folder = folder or resources.files("orthogan") / "assets" / "digits-extractor"
        weights, digest = _verified_weights(folder)
        self.name = f"digits-cls@{digest[:HASH_DIGITS]}"
        self._net = _build(weights, folder)

    def features(self, pixels: Pixels) -> Features:
        """64 non-negative features per picture."""
        return self.describe(pixels)[0]

    def probabilities(self, pixels: Pixels) -> Tensor:
        """The probability of each digit, one row per picture."""
        return self.describe(pixels)[1]

    def describe(self, pixels: Pixels) -> tuple[Features, Tensor]:
        """Features and class probabilities in one pass; other sizes and RGB are made to fit."""
        features = torch.empty(len(pixels), self.num_features)
        probabilities = torch.empty(len(pixels), self.num_classes)
        with torch.inference_mode():  # writes into ordinary tensors, usable anywhere
            for start in range(0, len(pixels), BATCH_SIZE):
                part = slice(start, start + BATCH_SIZE)
                grey = to_grey(pixels[part], SIDE)
                # Small batches take other kernels, which round otherwise. In full ones a picture
                # has the same features wherever it stands, and copies lie at distance 0.
                full = torch.zeros(BATCH_SIZE, *grey.shape[1:])
                full[: len(grey)] = grey
                found, logits = self._net(full.contiguous(memory_format=torch.channels_last))
                features[part] = found[: len(grey)]
                probabilities[part] = logits[: len(grey)].softmax(1)
        return features, probabilities


@EXTRACTORS.register("digits-cls")
def load_digits_extractor() -> Extractor:
    """The packaged digits extractor."""
    return DigitsExtractor()


def describe_planes(extractor: Extractor, pixels: Pixels) -> tuple[Features, Tensor]:
    """Stacked pictures read plane by plane: joined features (B, C F), classes (B, C)."""
    num_images, num_planes = pixels.shape[:2]
    planes = pixels.reshape(num_images * num_planes, 1, *pixels.shape[2:])
    features, probabilities = extractor.describe(planes)
    classes = probabilities.argmax(1).reshape(num_images, num_planes)
    return features.reshape(num_images, -1), classes


def to_grey(pixels: Pixels, side: int) -> Tensor:
    """One-channel float images in [0, 1] of `side` x `side`; RGB by luma, resized if needed.

    Raises:
        ShapeError: the pictures have neither one nor three channels.
    """
    num_channels = pixels.shape[1]
    if num_channels not in {1, 3}:
        raise ShapeError(f"Pictures have 1 or 3 channels (axis 1), got {num_channels}.")
    images = pixels.float() / 255
    if num_channels == len(LUMA):
        images = (images * torch.tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
    if images.shape[2:] != (side, side):
        images = nn.functional.interpolate(
            images, size=(side, side), mode="bilinear", antialias=True
        )
    return images


def _verified_weights(folder: Traversable) -> tuple[dict[str, Tensor], str]:
    try:
        content = (folder / "card.json").read_bytes()
        stored = (folder / "weights.safetensors").read_bytes()
    except OSError as error:
        raise BundleError(f"{folder}: the extractor cannot be read: {error}.") from None
    card = parse_json(content, folder / "card.json", error=BundleError)
    told = card.get("sha256") if isinstance(card, dict) else None
    digest = hashlib.sha256(stored).hexdigest()
    if digest != told:
        raise BundleError(
            f"{folder}: weights.safetensors has sha256 {digest}, card.json says "
            f"{shortened(told)}; install orthogan again."
        )
    try:
        return safetensors.torch.load(stored), digest
    except SafetensorError as error:
        raise BundleError(f"{folder}: weights.safetensors is malformed: {error}.") from None


def _build(weights: dict[str, Tensor], folder: Traversable) -> DigitsNet:
    net = DigitsNet()
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        raise BundleError(f"{folder}: not weights of the digits extractor: {error}.") from None
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs
    return net.eval().requires_grad_(False)
