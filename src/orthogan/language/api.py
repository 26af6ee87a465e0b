"""The Python API of `orthogan language`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orthogan.language.config import LanguageConfig
from orthogan.language.task import LanguageTask
from orthogan.training.request import Request
from orthogan.training.run import Run
from orthogan.training.task import Launch, resolve_run, train_run


def resolve_language(
    source: str | Path | None = None,
    *,
    minutes: float | None = None,
    tokens: int | None = None,
    seed: int | None = None,
    settings: Sequence[str] = (),
    config: Path | str | None = None,
    tokenizer: str | None = None,
    run: Path | str | None = None,
) -> LanguageConfig:
    """The configuration that `train_language` with the same arguments would run.

    Raises:
        ConfigError: a setting is unknown, does not fit, or clashes with another.
        DataError: the text cannot be loaded, or is too short.
    """
    request = Request(
        minutes=minutes,
        count=tokens,
        seed=seed,
        config=config,
        data={"source": source, "tokenizer": tokenizer},
        settings=settings,
    )
    return resolve_run(LanguageTask(), request, run)


def train_language(
    source: str | Path | None = None,
    *,
    minutes: float | None = None,
    tokens: int | None = None,
    run: Path | str | None = None,
    seed: int | None = None,
    device: str = "auto",
    threads: int | None = None,
    settings: Sequence[str] = (),
    config: Path | str | None = None,
    tokenizer: str | None = None,
    show_progress: bool = True,
) -> Run:
    """Train a language model, or go on with a run: `run` alone resumes it.

    In a run that goes on, what is not given is taken from it, and what is given must be the same,
    except the budget: a longer one extends the run.

    Args:
        source: A text file, a folder of .txt files, or the name of a corpus.
        minutes: Time budget; 5 if neither this nor `tokens` is given.
        tokens: Budget in tokens predicted; such runs repeat bit for bit.
        run: Run folder; `runs/<text>-language-<seed>` by default.
        seed: Seed of every draw; 0 by default.
        device: `auto`, `cpu`, `cuda` or `mps`.
        threads: CPU threads; a resumed run takes as many as it had.
        settings: Changes such as `"network.width=64"`.
        config: File of settings.
        tokenizer: `characters` (the default), `bytes` or `words`.
        show_progress: Show progress on stderr.

    Raises:
        ConfigError: a setting is unknown, does not fit, or clashes with another.
        DataError: the text cannot be loaded, or is too short.
        ResumeError: the run folder holds another run.
        DivergedError: training broke down; the last healthy checkpoint is kept.
        StorageError: the run folder cannot be written.
    """
    request = Request(
        minutes=minutes,
        count=tokens,
        seed=seed,
        config=config,
        data={"source": source, "tokenizer": tokenizer},
        settings=settings,
    )
    launch = Launch(path=run, device=device, threads=threads, show_progress=show_progress)
    return train_run(LanguageTask(), request, launch)
