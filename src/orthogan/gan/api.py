"""The Python API of GANs: what `orthogan train` and `orthogan evaluate` do."""

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
from orthogan.evaluation.compared import Compared
from orthogan.evaluation.description import Report, is_stacked
from orthogan.evaluation.extractors import DEFAULT_EXTRACTOR, Extractor, extractor_for
from orthogan.evaluation.modes import PROTOCOL_SAMPLES
from orthogan.evaluation.neighbour_panel import neighbour_panel
from orthogan.gan.config import TrainingConfig
from orthogan.gan.task import GanTask
from orthogan.models.generator import Model, load
from orthogan.shapes import Pixels
from orthogan.training.request import Request
from orthogan.training.run import Run
from orthogan.training.task import Launch, resolve_run, train_run

__all__ = ["evaluate", "neighbours", "resolve", "train"]

NUM_EVALUATED = 10_000  # images; published precision and recall use as many
NUM_DESCRIBED = 5000  # images where describing one takes a millisecond; as many as real ones
LEAST_HELD_OUT = 128  # images; a Frechet distance on 64 features needs as many
DEFAULT_REAL = "mnist"  # what bare images are compared with


def resolve(
    source: ImageSource | None = None,
    *,
    model: str | None = None,
    minutes: float | None = None,
    images: int | None = None,
    seed: int | None = None,
    settings: Sequence[str] = (),
    config: Path | str | None = None,
    size: int | None = None,
    run: Path | str | None = None,
) -> TrainingConfig:
    """The configuration that `train` with the same arguments would run.

    A recipe is the base, or the settings of a run that goes on; the file `config`, the other
    arguments and `settings` are laid over it in that order.

    Raises:
        ConfigError: a setting is unknown, does not fit, or clashes with another.
        UnknownNameError: no such recipe.
        DataError: the images cannot be loaded.
    """
    request = Request(
        model=model,
        minutes=minutes,
        count=images,
        seed=seed,
        config=config,
        data={"source": source_of(source), "size": size},
        settings=settings,
    )
    return resolve_run(GanTask(), request, run)


def train(
    source: ImageSource | None = None,
    *,
    model: str | None = None,
    minutes: float | None = None,
    images: int | None = None,
    run: Path | str | None = None,
    seed: int | None = None,
    device: str = "auto",
    threads: int | None = None,
    settings: Sequence[str] = (),
    config: Path | str | None = None,
    size: int | None = None,
    show_progress: bool = True,
) -> Run:
    """Train a GAN, or go on with a run: `run` alone resumes it, a longer budget extends it.

    In a run that goes on, what is not given is taken from it, and what is given must be the same,
    except the budget.

    Args:
        source: `mnist` (the default), `stacked-mnist`, a folder, zip, npz, npy, IDX, CIFAR, csv or
            parquet file, `hf:NAME`, or images in memory as `orthogan.load_data` takes them; a run
            on those is resumed by giving the same images again.
        model: Recipe, one of `orthogan.gan.recipes.RECIPES`; `attention-gan` by default.
        minutes: Time budget; 5 if neither this nor `images` is given.
        images: Budget in images shown; such runs repeat bit for bit.
        run: Run folder; `runs/<data>-<model>-<seed>` by default.
        seed: Seed of every draw; 0 by default.
        device: `auto`, `cpu`, `cuda` or `mps`.
        threads: CPU threads; a resumed run takes as many as it had.
        settings: Changes such as `"generator.width=48"`.
        config: File of settings.
        size: Side of the images in pixels.
        show_progress: Show progress on stderr.

    Raises:
        ConfigError: a setting is unknown, does not fit, or clashes with another.
        UnknownNameError: no such recipe.
        DataError: the images cannot be loaded.
        ResumeError: the run folder holds another run.
        DivergedError: training broke down; the last healthy checkpoint is kept.
        StorageError: the run folder cannot be written.
    """
    request = Request(
        model=model,
        minutes=minutes,
        count=images,
        seed=seed,
        config=config,
        data={"source": source_of(source), "size": size},
        settings=settings,
    )
    launch = Launch(path=run, device=device, threads=threads, show_progress=show_progress)
    return train_run(GanTask(), request, launch)


def evaluate(
    source: ImageSource | Run | Model,
    data: ImageSource | None = None,
    *,
    metrics: Sequence[str] | None = None,
    num_images: int | None = None,
    seed: int = 0,
    extractor: str | Extractor = DEFAULT_EXTRACTOR,
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
        extractor: What describes the images: a registered name, an extractor, or "auto" for one
            that knows the real images.
        report: Is told how many images of how many are described, where that takes a while.

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
    net = extractor_for(train_set, extractor)
    held_out, note = _held_out(str(real), form)
    fake = draw(seed, num_images or _usual_number(train_set, net))
    found = evaluate_images(
        fake,
        train_set,
        held_out=held_out,
        metrics=metrics,
        seed=seed,
        extractor=net,
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
