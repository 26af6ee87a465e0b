"""A trained classifier, and how it is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from orthogan.classification import ClassifierScore, LabelScheme
from orthogan.classification import passes as reading
from orthogan.classification.attention_picture import draw_attention
from orthogan.classification.examples import load_test
from orthogan.classification.extraction import ClassifierExtractor
from orthogan.classification.scoring import score_answers
from orthogan.data.image_set import ImageSet
from orthogan.data.named import read_named
from orthogan.devices import pick_device
from orthogan.errors import BundleError
from orthogan.models import bundle
from orthogan.networks.classifier import CLASSIFIERS, Classifier
from orthogan.networks.network import network_config
from orthogan.shapes import Features, Pixels


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """The answer to each image, how sure it is, and the probability of every class.

    Attributes:
        names: Class names.
        confidences: Probability of each answer; of several labels, the product.
        probabilities: `B L C`: image, label, class.
    """

    names: list[str]
    confidences: Tensor
    probabilities: Tensor


@dataclass(frozen=True, kw_only=True)
class FilePredictions:
    """Predictions for the pictures in a folder."""

    files: tuple[str, ...]
    predictions: Predictions
    pixels: Pixels
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One plain record a picture: `file`, `class`, `confidence`."""
        found = self.predictions
        return [
            {"file": file, "class": name, "confidence": confidence}
            for file, name, confidence in zip(
                self.files, found.names, found.confidences.tolist(), strict=True
            )
        ]


@dataclass(frozen=True, kw_only=True)
class ImageClassifier:
    """A trained classifier; `note` says which checkpoint it is, of a run that is not done."""

    network: Classifier
    scheme: LabelScheme
    data: dict[str, Any]
    card: dict[str, Any]
    path: Path
    sha256: str
    note: str = ""

    def predict(self, pixels: Pixels) -> Predictions:
        """The answer to each image, the same whichever other images are asked about.

        Raises:
            ShapeError: the images have another size or number of colours.
        """
        chances = reading.probabilities(self.network, pixels)
        return Predictions(
            names=self.scheme.decode(chances.argmax(dim=2)),
            confidences=chances.amax(dim=2).prod(dim=1),
            probabilities=chances,
        )

    def predict_files(self, path: str | Path) -> FilePredictions:
        """The answer to each picture in a folder, or to one picture, made to fit the network.

        Raises:
            DataError: there is no picture that can be read.
        """
        config = self.network.config
        found = read_named(Path(path), config.size, config.colours, self.data.get("fit", "crop"))
        return FilePredictions(
            files=found.names,
            predictions=self.predict(found.pixels),
            pixels=found.pixels,
            skipped=found.skipped,
            notes=found.notes,
        )

    def features(self, pixels: Pixels) -> Features:
        """What the class logits are a linear function of: the network as a feature extractor.

        Raises:
            ShapeError: the images have another size or number of colours.
        """
        return reading.features(self.network, pixels)

    def extractor(self) -> ClassifierExtractor:
        """What `orthogan.evaluation.EXTRACTORS` holds: the metrics in this network's features.

        Raises:
            ConfigError: the classifier gives several labels an image.
        """
        return ClassifierExtractor(self.network, self.sha256)

    def attention(self, pixels: Pixels) -> Tensor:
        """How the read-out weighs the patches, `B M N H W`: block, head, row, column.

        Raises:
            ShapeError: the images have another size or number of colours.
        """
        return reading.attention_maps(self.network, pixels)

    def draw_attention(self, pixels: Pixels, names: Sequence[str] = ()) -> Image.Image:
        """A picture of `attention`, drawn over the images; see `attention_picture`."""
        return draw_attention(self.network, pixels, self.scheme, names)

    def score(self, source: str | Path) -> ClassifierScore:
        """Accuracy on the test set of a source, or on all of it if it has a single split.

        Raises:
            DataError: the images cannot be loaded, have no labels, or classes unknown here.
        """
        images = self.images_of(source)
        answers = reading.probabilities(self.network, images.images).argmax(dim=2)
        return score_answers(answers, self.scheme.encode(images), self.scheme)

    def images_of(self, source: str | Path) -> ImageSet:
        """The images that `score` scores, made to fit the network."""
        form = self.network.config
        facts = {name: self.data[name] for name in ("labels", "fit") if name in self.data}
        return load_test(str(source), form.size, form.colours, **facts)


def load_classifier(
    source: str | Path, *, device: str = "auto", threads: int | None = None
) -> ImageClassifier:
    """A trained classifier.

    Args:
        source: A run folder, or a bundle folder.
        device: Where it answers: `auto`, `cpu`, `cuda` or `mps`.
        threads: CPU threads of this process from now on; unchanged if None.

    Raises:
        BundleError: damaged, newer than this version, or not a classifier.
        UnknownNameError: nothing of that name.
    """
    place = pick_device(device)
    torch.set_num_threads(threads or torch.get_num_threads())
    stored = bundle.load_stored(source, "classifier")
    network: Classifier = stored.network(lambda tree: network_config(CLASSIFIERS, tree))
    return ImageClassifier(
        network=network.eval().requires_grad_(False).to(place),
        scheme=_scheme_of(stored, network),
        data=stored.data,
        card=stored.card,
        path=stored.path,
        sha256=stored.sha256,
        note=stored.note,
    )


def _scheme_of(stored: bundle.Bundle, network: Classifier) -> LabelScheme:
    scheme = LabelScheme(tuple(stored.fact("class_names")), stored.fact("label_parts"))
    found = (len(scheme.names), scheme.parts)
    wanted = (network.config.classes, network.config.labels)
    if found != wanted:
        raise BundleError(
            f"{stored.path}: names {found[0]} classes of {found[1]} labels, its network gives "
            f"{wanted[0]} of {wanted[1]}; copy it again."
        )
    return scheme
