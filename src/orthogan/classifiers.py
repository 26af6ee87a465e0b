"""The Python face of `orthogan classify`: train a classifier, load one, ask it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from orthogan import bundle, rng
from orthogan.classification import ClassificationConfig, ClassifierScore, LabelScheme
from orthogan.classification import passes as reading
from orthogan.classification.config import without_effect
from orthogan.classification.examples import Lesson, load_lesson, load_test
from orthogan.classification.extraction import ClassifierExtractor
from orthogan.classification.look import look
from orthogan.classification.scoring import ClassifierScoreShape, score_answers
from orthogan.classification.session import ClassificationSession
from orthogan.classification.trainer import ClassifierTrainer
from orthogan.data.image_set import ImageSet
from orthogan.data.named import read_named
from orthogan.errors import BundleError
from orthogan.networks.classifier import CLASSIFIERS, Classifier
from orthogan.networks.network import network_config
from orthogan.request import (
    default_run,
    image_budget,
    laid_over,
    open_run,
    pick_device,
    set_threads,
)
from orthogan.shapes import Features, Pixels
from orthogan.terminal import pasteable
from orthogan.training.precision import resolve_precision
from orthogan.training.progress import ProgressDisplay
from orthogan.training.run_folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class ClassifierRun:
    """A classification run that has stopped: where it is, how it went, why it stopped.

    `score` is empty until the run is done; then it is what `ClassifierScore.to_dict` returns.
    """

    path: Path
    status: str
    reason: str
    next_command: str
    images_seen: int
    seconds: float
    scores: dict[str, float]
    score: dict[str, Any]

    def classifier(self) -> ImageClassifier:
        """The trained classifier, ready to predict.

        Raises:
            BundleError: the run is not done.
        """
        return load_classifier(self.path)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `json.dumps` takes it."""
        return vars(self) | {"path": str(self.path)}


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
    """A trained classifier."""

    network: Classifier
    scheme: LabelScheme
    data: dict[str, Any]
    card: dict[str, Any]
    path: Path
    sha256: str

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
        found = read_named(Path(path), config.size, config.colours)
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

    def look(self, pixels: Pixels, names: Sequence[str] = ()) -> Image.Image:
        """A picture of `attention`, drawn over the images; see `classification.look`."""
        return look(self.network, pixels, self.scheme, names)

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
        return load_test(str(source), self.network.config.size, self.network.config.colours)


def resolve_classification(
    source: str | Path | None = None,
    *,
    minutes: float | None = None,
    images: int | None = None,
    seed: int | None = None,
    settings: Sequence[str] = (),
    config: Path | str | None = None,
    size: int | None = None,
    test: str | Path | None = None,
) -> ClassificationConfig:
    """The configuration that `classify` with the same arguments would run.

    Raises:
        ConfigError: a setting is unknown, does not fit, or clashes with another.
        DataError: the images cannot be loaded, or there is nothing to learn from them.
    """
    asked = _asked(source, minutes, images, seed, settings, config, size, test)
    return _fitted(asked, load_lesson(asked.data, asked.seed), pick_device("auto"))


def classify(
    source: str | Path | None = None,
    *,
    minutes: float | None = None,
    images: int | None = None,
    run: Path | str | None = None,
    seed: int | None = None,
    device: str = "auto",
    threads: int | None = None,
    settings: Sequence[str] = (),
    config: Path | str | None = None,
    size: int | None = None,
    test: str | Path | None = None,
    show_progress: bool = True,
) -> ClassifierRun:
    """Train a classifier, or go on with a run that was stopped; the same arguments resume it.

    Args:
        source: Labelled images: `mnist` (the default), `stacked-mnist`, a folder with one
            sub-folder a class, zip, npz or IDX file, or `hf:NAME`.
        minutes: Time budget; 10 if neither this nor `images` is given.
        images: Budget in images shown; such runs repeat bit for bit.
        run: Run folder; `runs/<data>-classifier-<seed>` by default.
        seed: Seed of every draw; 0 by default.
        device: `auto`, `cpu`, `cuda` or `mps`.
        threads: CPU threads; a resumed run takes as many as it had.
        settings: Changes such as `"network.width=64"`.
        config: File of settings.
        size: Side of the images in pixels.
        test: Images to score on; the test set of the source by default, else a held-out share.
        show_progress: Show progress on stderr.

    Raises:
        ConfigError: a setting is unknown, does not fit, or clashes with another.
        DataError: the images cannot be loaded, or there is nothing to learn from them.
        ResumeError: the run folder holds another run.
        DivergedError: training broke down; the last healthy checkpoint is kept.
        StorageError: the run folder cannot be written.
    """
    asked = _asked(source, minutes, images, seed, settings, config, size, test)
    path = (
        Path(run) if run is not None else default_run(asked.data.source, "classifier", asked.seed)
    )
    place = pick_device(device)
    about_threads = set_threads(threads, path)
    lesson = load_lesson(asked.data, asked.seed)
    settled = _fitted(asked, lesson, place)
    fingerprints = [examples.images.fingerprint() for examples in (lesson.train, lesson.test)]
    with open_run(path, settled, place, "+".join(fingerprints)) as folder:
        display = ProgressDisplay(path.name, show_progress)
        sentences = (*lesson.notes, *without_effect(settled), *folder.changes, *about_threads)
        for sentence in sentences:
            display.note(sentence)
        if folder.status == "done":
            return _stopped(folder, "done", f"{path} is already trained to the end of its budget.")
        trainer = ClassifierTrainer(settled, lesson.train, place)
        return _stopped(folder, *ClassificationSession(trainer, folder, display, lesson).train())


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
    stored = bundle.load_bundle(bundle.resolve(source), "classifier")
    network: Classifier = stored.network(lambda tree: network_config(CLASSIFIERS, tree))
    return ImageClassifier(
        network=network.eval().requires_grad_(False).to(place),
        scheme=_scheme_of(stored, network),
        data=stored.data,
        card=stored.card,
        path=stored.path,
        sha256=stored.sha256,
    )


def _scheme_of(stored: bundle.Bundle, network: Classifier) -> LabelScheme:
    scheme = LabelScheme(tuple(stored.fact("class_names")), stored.fact("label_parts"))
    found = (len(scheme.names), scheme.parts)
    wanted = (network.config.classes, network.config.labels)
    if found != wanted:
        raise BundleError(
            f"{stored.path}: names {found[0]} classes of {found[1]} labels, its network tells "
            f"{wanted[0]} of {wanted[1]}; copy it again."
        )
    return scheme


def _asked(
    source: str | Path | None,
    minutes: float | None,
    images: int | None,
    seed: int | None,
    settings: Sequence[str],
    config: Path | str | None,
    size: int | None,
    test: str | Path | None,
) -> ClassificationConfig:
    budget = image_budget(minutes, images)
    facts = {"source": source, "test": test, "size": size}
    return laid_over(ClassificationConfig(), config, seed, budget, facts, settings)


def _fitted(
    config: ClassificationConfig, lesson: Lesson, device: torch.device
) -> ClassificationConfig:
    images = lesson.train.images
    facts = {
        "size": images.size,
        "colours": images.colours,
        "classes": len(lesson.scheme.names),
        "labels": lesson.scheme.parts,
    }
    settled = config.evolve(
        network=config.network.evolve(**facts).to_dict(),
        precision=resolve_precision(config.precision, device),
    )
    # What only building tells, such as heads that do not divide a width, is told before a run.
    with rng.initialisation(config.seed, "check"):
        settled.network.build()
    return settled


def _stopped(folder: RunFolder, status: str, reason: str) -> ClassifierRun:
    facts, done = folder.facts, status == "done"
    words: list[str | Path] = ["orthogan", "classify", "--classifier", folder.path]
    words += ["--predict", "FOLDER"]
    return ClassifierRun(
        path=folder.path,
        status=status,
        reason=reason,
        next_command=pasteable(words) if done else "repeat the same command to go on.",
        images_seen=folder.images_seen,
        seconds=float(facts.get("seconds", 0.0)),
        scores=dict(facts.get("scores", {})),
        score=folder.score(ClassifierScoreShape) if done else {},
    )
