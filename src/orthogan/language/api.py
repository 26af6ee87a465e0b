"""The Python API of `orthogan language`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orthogan.devices import pick_device
from orthogan.errors import ConfigError
from orthogan.language.config import LanguageBudgetConfig, LanguageConfig
from orthogan.language.corpus import settled_source
from orthogan.language.task import LanguageTask
from orthogan.training.launch import merged_config
from orthogan.training.run import Run
from orthogan.training.task import Launch, train_run


def resolve_language(
    source: str | Path | None = None,
    *,
    minutes: float | None = None,
    tokens: int | None = None,
    seed: int | None = None,
    settings: Sequence[str] = (),
    config: Path | str | None = None,
    tokenizer: str | None = None,
) -> LanguageConfig:
    """The configuration that `train_language` with the same arguments would run.

    Raises:
        ConfigError: a setting is unknown, does not fit, or clashes with another.
        DataError: the text cannot be loaded, or is too short.
    """
    asked = _asked(source, minutes, tokens, seed, settings, config, tokenizer)
    task = LanguageTask()
    return task.fit(asked, task.load(asked), pick_device("auto"))


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
    """Train a language model, or go on with a run that was stopped; the same arguments resume it.

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
    asked = _asked(source, minutes, tokens, seed, settings, config, tokenizer)
    path = Path(run) if run is not None else _default_run(asked)
    launch = Launch(path=path, device=device, threads=threads, show_progress=show_progress)
    return train_run(LanguageTask(), asked, launch)


def _asked(
    source: str | Path | None,
    minutes: float | None,
    tokens: int | None,
    seed: int | None,
    settings: Sequence[str],
    config: Path | str | None,
    tokenizer: str | None,
) -> LanguageConfig:
    if minutes is not None and tokens is not None:
        raise ConfigError("A time budget and a token budget exclude one another; give one.")
    budget = None if tokens is None else LanguageBudgetConfig(tokens=tokens)
    if minutes is not None:
        budget = LanguageBudgetConfig(seconds=60 * minutes)
    facts = {"source": source, "tokenizer": tokenizer}
    asked = merged_config(LanguageConfig(), config, seed, budget, facts, settings)
    if not asked.data.source:
        raise ConfigError("Name the text to learn from: a file or a folder of .txt files.")
    # A run is looked at from other folders than the one it was started in.
    return asked.evolve(data=asked.data.to_dict() | {"source": settled_source(asked.data.source)})


def _default_run(config: LanguageConfig) -> Path:
    name = Path(config.data.source).stem or "text"
    return Path("runs") / f"{name}-language-{config.seed}"
