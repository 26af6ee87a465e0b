"""What is asked of a comparison, and whether it can be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orthogan.errors import ConfigError
from orthogan.experiments.task import Task
from orthogan.experiments.tasks import DEFAULT_TASK
from orthogan.experiments.variants import MODEL

DEFAULT_MODEL = "attention-gan"
# What does nothing for some tasks, as it is typed.
_PARTIAL = ("images", "tokens", "size")


@dataclass(frozen=True, kw_only=True)
class ExperimentSpec:
    """What is asked: the settings that vary, and everything that does not.

    Attributes:
        vary: Values of each varied setting, as text.
        seeds: Seeds of every variant.
        task: What kind of runs.
        source: The data; None as in the command of the task.
        model: Recipe of a GAN.
        minutes: Time budget of a run.
        images: Budget in images of a run.
        tokens: Budget in tokens of a run.
        match: Widths to move until the parameters of their network are equal.
        settings: Changes that all variants share.
        config: File of settings.
        size: Side of the images in pixels.
        device: Where to train.
        threads: CPU threads.
    """

    vary: dict[str, tuple[str, ...]]
    seeds: tuple[int, ...]
    task: str = DEFAULT_TASK
    source: str | None = None
    model: str = DEFAULT_MODEL
    minutes: float | None = None
    images: int | None = None
    tokens: int | None = None
    match: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    config: Path | None = None
    size: int | None = None
    device: str = "auto"
    threads: int | None = None


def check_spec(spec: ExperimentSpec, task: Task) -> None:
    """Refuses what cannot be asked, whatever the variants are.

    Raises:
        ConfigError: no seed, or one twice; an option that does nothing for the task; a width that
            is varied and matched.
    """
    if not spec.seeds:
        raise ConfigError("At least one seed is needed.")
    repeated = [seed for seed in spec.seeds if spec.seeds.count(seed) > 1]
    if repeated:
        raise ConfigError(f"Seed {repeated[0]} is given twice; a repeated run adds nothing.")
    _refuse_idle(spec, task)
    clash = [key for key in spec.match if key in spec.vary]
    if clash:
        raise ConfigError(f"'{clash[0]}' is varied, so it cannot be matched; match another width.")


def _refuse_idle(spec: ExperimentSpec, task: Task) -> None:
    idle = [name for name in _PARTIAL if name not in task.takes and getattr(spec, name)]
    if idle:
        hint = f"; a budget is counted in {task.unit}" if idle[0] in ("images", "tokens") else ""
        raise ConfigError(f"--{idle[0]} has no effect with --task {task.name}{hint}.")
    if "model" in task.takes:
        return
    if MODEL in spec.vary or spec.model != DEFAULT_MODEL:
        raise ConfigError(
            f"'{MODEL}' is the recipe of a GAN, and --task {task.name} has none; give settings "
            "such as network.score."
        )
