"""What a person asks of a run, on the command line or in Python, and the settings it comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from orthogan.config import read_config_file
from orthogan.errors import ConfigError
from orthogan.training.config import RunConfig

RunConfigT = TypeVar("RunConfigT", bound=RunConfig)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for; None leaves a setting as it is.

    So it is as the recipe and the file have it, or, in a run that goes on, as the run has it.

    Attributes:
        model: The recipe; None: the task's default.
        minutes: Time budget.
        count: Budget in images or tokens; excludes `minutes`.
        seed: Seed of every draw.
        config: File of settings, over the recipe.
        data: Settings of the data by their names, over the file, as are those above.
        settings: Changes such as `"batch_size=32"`, over all others.
    """

    model: str | None = None
    minutes: float | None = None
    count: int | None = None
    seed: int | None = None
    config: Path | str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    settings: Sequence[str] = ()


def merged(
    base: RunConfigT, request: Request, unit: str, locate: Callable[[str], str]
) -> RunConfigT:
    """A base under the file, under the other arguments, under the settings of a request.

    Args:
        base: What is below all: a recipe, or the settings of a run that goes on.
        request: What is asked for.
        unit: What `count` counts.
        locate: A source of data as it is written down. A run is looked at from other folders than
            the one it was started in, so a path becomes absolute.

    Raises:
        ConfigError: a setting is unknown, does not fit, or clashes with another.
    """
    config = base
    if request.config is not None:
        tree = read_config_file(Path(request.config))
        tree.pop("inspection", None)  # what `--dry-run --json` says of the data is no setting
        config = config.merge(tree)
    changes: dict[str, Any] = {} if request.seed is None else {"seed": request.seed}
    if request.minutes is not None and request.count is not None:
        raise ConfigError(f"A budget in minutes and one in {unit} exclude one another; give one.")
    if request.minutes is not None:
        changes["budget"] = {"seconds": 60 * request.minutes}
    if request.count is not None:
        changes["budget"] = {unit: request.count}
    given = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in request.data.items()
        if value is not None
    }
    data = config.to_dict()["data"] | given
    config = config.evolve(**changes, data=data).evolve(*request.settings)
    data = config.to_dict()["data"]
    return config.evolve(data=data | {"source": locate(data["source"])})
