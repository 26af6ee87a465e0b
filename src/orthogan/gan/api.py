"""The Python API of GANs: what `orthogan train` and `orthogan evaluate` do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orthogan.data import ImageSource, source_of
from orthogan.gan.config import TrainingConfig
from orthogan.gan.evaluation import evaluate, neighbours
from orthogan.gan.task import GanTask
from orthogan.training.request import Request
from orthogan.training.run import Run
from orthogan.training.task import Launch, resolve_run, train_run

__all__ = ["evaluate", "neighbours", "resolve", "train"]


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
