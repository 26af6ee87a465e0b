"""Judging a model's images, or images from a file: scores, and their nearest real neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from orthogan.data import DATA_SETS, ImageSet, ImageSource, source_of
from orthogan.data import load as load_images
from orthogan.data.catalogue import SingleSplitError, colour_of
from orthogan.data.in_memory import keep
from orthogan.errors import BundleError, ConfigError, OrthoganError
from orthogan.evaluation import Evaluation, evaluate_images
from orthogan.evaluation.choice import DEFAULT_EXTRACTOR, extractor_for
from orthogan.evaluation.compared import Compared
from orthogan.evaluation.description import Report, is_stacked
from orthogan.evaluation.extractors import Extractor
from orthogan.evaluation.modes import PROTOCOL_SAMPLES
from orthogan.evaluation.neighbour_panel import neighbour_panel
from orthogan.models.generator import Model, load
from orthogan.shapes import Labels, Pixels
from orthogan.training.run import Run

NUM_EVALUATED = 10_000  # images; published precision and recall use as many
NUM_DESCRIBED = 5000  # images where describing one takes a millisecond; as many as real ones
LEAST_HELD_OUT = 128  # images; a Frechet distance on 64 features needs as many
DEFAULT_REAL = "mnist"  # what bare images are compared with


def evaluate(
    source: ImageSource | Run | Model,
    data: ImageSource | None = None,
    *,
    metrics: Sequence[str] | None = None,
    num_images: int | None = None,
    seed: int = 0,
    extractor: str | Extractor = DEFAULT_EXTRACTOR,
    second_judge: str | Extractor | None = DEFAULT_EXTRACTOR,
    report: Report | None = None,
) -> Evaluation:
    """Scores of a model's images, or of images from a file, against real ones.

    Args:
        source: A run, model, bundle, shipped name; or a folder, file or array of images.
        data: The real images, of any source that `train` takes; what the model was trained on by
            default, and MNIST for images, which a note then says.
        metrics: Names; the usual ones for the data by default.
        num_images: How many images to generate; of a file, at most so many are taken. By default
            10,000 digits, 26,000 stacks of them, and 5,000 other images.
        seed: First seed of the images, and the seed of every random choice.
        extractor: What describes the images: a registered name, an extractor, "own" for one that
            is trained on the real images, or "auto" for one that knows them.
        second_judge: Another one, for the verdict: "auto" takes one of another architecture, None
            none. The first time that a set's own one is needed, it is trained in half a minute.
        report: Is told how far describing or training is, where that takes a while.

    Raises:
        ConfigError: too few images, or a metric has no meaning for this data.
        DataError: images cannot be loaded.
        BundleError: the model cannot be loaded.
        UnknownNameError: no such model, file or metric.
    """
    if num_images is not None and num_images < 1:
        raise ConfigError(f"At least 1 image is needed, got {num_images}.")
    named = source if isinstance(source, str | Path | Run | Model) else keep(source)
    facts, draw = _candidate(named)
    real, form = _real_images(source, facts, data)
    train_set = load_images(str(real), **form)
    net = extractor_for(train_set, extractor, report)
    held_out, note = _held_out(str(real), form)
    number = num_images or _usual_number(train_set, net)
    classes = _asked_classes(facts.get("model"), train_set, range(seed, seed + number))
    fake = ImageSet(draw(seed, number), classes)
    found = evaluate_images(
        fake,
        train_set,
        held_out=held_out,
        metrics=metrics,
        seed=seed,
        extractor=net,
        second_judge=second_judge,
        report=report,
    )
    of_data = () if real in DATA_SETS else train_set.notes
    chosen = (facts["chosen"],) if data is None and "chosen" in facts else ()
    said = (*chosen, *facts.get("image_notes", ()), *of_data, *note, *found.notes)
    compared = Compared(
        source=facts["name"],
        checkpoint=facts.get("checkpoint"),
        num_images=len(fake),
        data=str(real),
        split="all" if held_out is None else "train",
        num_real=len(train_set),
        num_held_out=0 if held_out is None else min(len(held_out), len(fake)),
    )
    return replace(found, data=str(real), compared=compared, notes=tuple(dict.fromkeys(said)))


def _asked_classes(model: Model | None, real: ImageSet, seeds: range) -> Labels | None:
    """The class of each image of a model that is conditioned on the classes of the real ones."""
    if model is None or not model.class_names or model.class_names != real.class_names:
        return None
    return model.classes_of(seeds)


def _usual_number(real: ImageSet, extractor: Extractor) -> int:
    """How many images are generated if nobody says."""
    if is_stacked(real):
        return PROTOCOL_SAMPLES
    return NUM_EVALUATED if extractor.num_components is None else NUM_DESCRIBED


def neighbours(
    source: ImageSource | Run | Model,
    data: ImageSource | None = None,
    *,
    num_images: int = 500,
    seed: int = 0,
) -> Image.Image:
    """A picture of a model's images beside the training images that they come nearest to.

    Of `num_images` the 16 that look most like copies come first, the nearest first, then 16 others.
    Copies are found moved, mirrored, brightened, noised or cropped too.

    Args:
        source: A run, model, bundle, shipped name; or a folder, file or array of images.
        data: The real images; what the model was trained on by default, and MNIST for images.
        num_images: How many images to generate; of a file, at most so many are taken.
        seed: First seed of the images.

    Raises:
        ConfigError: fewer than 1 image.
        DataError: images cannot be loaded.
        BundleError: the model cannot be loaded.
    """
    if num_images < 1:
        raise ConfigError(f"At least 1 image is needed, got {num_images}.")
    named = source if isinstance(source, str | Path | Run | Model) else keep(source)
    facts, draw = _candidate(named)
    real, form = _real_images(source, facts, data)
    return neighbour_panel(draw(seed, num_images), load_images(str(real), **form).images)


def _real_images(
    source: ImageSource | Run | Model, facts: dict[str, Any], data: ImageSource | None
) -> tuple[str | Path, dict[str, Any]]:
    """What to compare with, and the form in which to load it: that of the judged images."""
    real = facts["source"] if data is None else source_of(data)
    if real is None:
        raise BundleError(f"{source}: does not say what it was trained on; give the real images.")
    form: dict[str, Any] = {"size": facts["size"], "colour": colour_of(facts["colours"])}
    return real, form | (facts.get("form", {}) if data is None else {})


def _held_out(source: str, form: dict[str, Any]) -> tuple[ImageSet | None, tuple[str, ...]]:
    """The held-out part of a source if it has one that is large enough, and what is to be said."""
    try:
        found = load_images(source, split="test", **form)
    except SingleSplitError:
        return None, ()
    if len(found) < LEAST_HELD_OUT:
        note = (
            f"The {len(found)} held-out images of {source} are too few for floors, which take at "
            f"least {LEAST_HELD_OUT}; they are left out."
        )
        return None, (note,)
    return found, ()


def _candidate(
    source: str | Path | Run | Model,
) -> tuple[dict[str, Any], Callable[[int, int], Pixels]]:
    """The size, colours and data of what is judged, and its images from (first seed, count)."""
    model = _model_or_none(source)
    if model is not None:
        form = model.generator.config  # and not what stands beside it, which may be damaged
        facts: dict[str, Any] = {
            "name": str(getattr(source, "path", source)),
            "checkpoint": model.num_seen,
            "source": model.data.get("source"),
            "form": {name: model.data[name] for name in ("labels", "fit") if name in model.data},
            "size": form.size,
            "colours": form.colours,
            "image_notes": (model.note,) if model.note else (),
            "model": model,
        }
        return facts, lambda first, count: model.sample(range(first, first + count))
    given = load_images(str(source))
    facts = {
        "name": str(source),
        "source": DEFAULT_REAL,
        "size": given.size,
        "colours": given.colours,
        "image_notes": given.notes,
        "chosen": (
            f"Images do not say what they were made from, so they are compared with "
            f"{DEFAULT_REAL}; choose the real images with --data (data= in Python)."
        ),
    }
    return facts, lambda _, count: given.images[:count]


def _model_or_none(source: str | Path | Run | Model) -> Model | None:
    if isinstance(source, Model):
        return source
    if isinstance(source, Run):
        return load(source.path)
    try:
        return load(source)
    except OrthoganError:
        path = Path(source)
        if not path.exists() or (path / "run.json").exists() or (path / "config.json").exists():
            raise
        return None
