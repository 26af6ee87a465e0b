"""The specification of a comparison, and whether it can be carried out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orthogan.errors import ConfigError
from orthogan.experiments.task import DEFAULT_TASK, ComparedTask
from orthogan.experiments.variants import MODEL

DEFAULT_MODEL = "attention-gan"
# What does nothing for some tasks, as it is typed.
_PARTIAL = ("images", "tokens", "size")


@dataclass(frozen=True, kw_only=True)
class ExperimentSpec:
    """The settings that vary, and everything that does not; the fields are those of `compare`."""

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


def check_spec(spec: ExperimentSpec, task: ComparedTask) -> None:
    """Refuses what cannot be compared, whatever the variants are.

    Raises:
        ConfigError: no seed, or one twice; an option that does nothing for the task; a width that
            is varied and matched.
    """
    if not spec.seeds:
        raise ConfigError("At least one seed is needed.")
    repeated = [seed for seed in spec.seeds if spec.seeds.count(seed) > 1]
    if repeated:
        raise ConfigError(f"Seed {repeated[0]} is given twice; a repeated run adds nothing.")
    idle = [name for name in _PARTIAL if name not in task.takes and getattr(spec, name)]
    if idle:
        hint = f"; a budget is counted in {task.unit}" if idle[0] in ("images", "tokens") else ""
        raise ConfigError(f"--{idle[0]} has no effect with --task {task.name}{hint}.")
    has_recipe = MODEL in spec.vary or spec.model != DEFAULT_MODEL
    if has_recipe and "model" not in task.takes:
        raise ConfigError(
            f"'{MODEL}' is the recipe of a GAN, and --task {task.name} has none; give settings "
            "such as network.score."
        )
    clash = [key for key in spec.match if key in spec.vary]
    if clash:
        raise ConfigError(f"'{clash[0]}' is varied, so it cannot be matched; match another width.")
