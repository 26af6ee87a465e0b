"""A trained classifier as a feature extractor for the metrics."""

from __future__ import annotations

import torch
from torch import Tensor

from orthogan.classification.passes import features, probabilities
from orthogan.data import ImageSet
from orthogan.errors import ConfigError
from orthogan.evaluation.extractors import HASH_DIGITS
from orthogan.evaluation.inputs import to_grey
from orthogan.networks.classifier import Classifier
from orthogan.shapes import Features, Pixels


class ClassifierExtractor:
    """What an `orthogan.evaluation.Extractor` is, read from a trained classifier.

    Args:
        network: A classifier of one label an image.
        sha256: Checksum of its weights; the first digits are part of every metric's name.

    Raises:
        ConfigError: the classifier gives several labels, so there is no one class histogram.
    """

    def __init__(self, network: Classifier, sha256: str) -> None:
        if network.config.labels != 1:
            raise ConfigError(
                "An extractor describes an image by one label, this classifier gives "
                f"{network.config.labels}; train one with data.label_parts=1."
            )
        self.name = f"classifier@{sha256[:HASH_DIGITS]}"
        self.num_features, self.num_classes = network.num_features, network.config.classes
        self.sha256, self.channels, self.size = sha256, network.config.colours, network.config.size
        self.num_components = None
        self.domain = "its classifier's images"
        self._network = network

    def knows(self, images: ImageSet) -> bool:
        """Whether they have the form of the classifier's images."""
        return (images.colours, images.size) == (self.channels, self.size)

    def describe(self, pixels: Pixels) -> tuple[Features, Tensor]:
        """Features and class probabilities; other sizes and colours are made to fit."""
        fitting = self._fitted(pixels)
        return features(self._network, fitting), probabilities(self._network, fitting)[:, 0]

    def _fitted(self, pixels: Tensor) -> Tensor:
        config = self._network.config
        if pixels.shape[1:] == (config.colours, config.size, config.size):
            return pixels
        if config.colours == 1:
            planes = to_grey(pixels, config.size)
        else:
            # Plane by plane, since what makes pictures grey would mix the colours.
            coloured = pixels.expand(-1, config.colours, -1, -1)
            flat = coloured.reshape(-1, 1, *pixels.shape[2:])
            planes = to_grey(flat, config.size).unflatten(0, (len(pixels), config.colours))[:, :, 0]
        return (planes * 255).round().clamp(0, 255).to(torch.uint8)
