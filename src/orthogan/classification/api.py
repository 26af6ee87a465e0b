"""The Python API of `orthogan classify`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orthogan.classification import ClassificationConfig
from orthogan.classification.task import ClassifyTask
from orthogan.data import ImageSource, source_of
from orthogan.training.request import Request
from orthogan.training.run import Run
from orthogan.training.task import Launch, resolve_run, train_run


def resolve_classification(
    source: ImageSource | None = None,
    *,
    minutes: float | None = None,
    images: int | None = None,
    seed: int | None = None,
    settings: Sequence[str] = (),
    config: Path | str | None = None,
    size: int | None = None,
    test: ImageSource | None = None,
    run: Path | str | None = None,
) -> ClassificationConfig:
    """The configuration that `classify` with the same arguments would run.

    Raises:
        ConfigError: a setting is unknown, does not fit, or clashes with another.
        DataError: the images cannot be loaded, or there is nothing to learn from them.
    """
    request = Request(
        minutes=minutes,
        count=images,
        seed=seed,
        config=config,
        data={"source": source_of(source), "size": size, "test": source_of(test)},
        settings=settings,
    )
    return resolve_run(ClassifyTask(), request, run)


def classify(
    source: ImageSource | None = None,
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
    test: ImageSource | None = None,
    show_progress: bool = True,
) -> Run:
    """Train a classifier, or go on with a run: `run` alone resumes it, a longer budget extends it.

    In a run that goes on, what is not given is taken from it, and what is given must be the same,
    except the budget.

    Args:
        source: Labelled images: `mnist` (the default), `stacked-mnist`, a folder with one
            sub-folder a class, zip, npz or IDX file, `hf:NAME`, or images in memory as
            `orthogan.load_data` takes them.
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
    request = Request(
        minutes=minutes,
        count=images,
        seed=seed,
        config=config,
        data={"source": source_of(source), "size": size, "test": source_of(test)},
        settings=settings,
    )
    launch = Launch(path=run, device=device, threads=threads, show_progress=show_progress)
    return train_run(ClassifyTask(), request, launch)
