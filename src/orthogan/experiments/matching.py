"""Equal parameter counts: one width of each variant moved until its count is the first's."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from orthogan import rng
from orthogan.errors import ConfigError, OrthoganError
from orthogan.experiments.costs import num_parameters
from orthogan.experiments.task import RunConfig

TOLERANCE = 0.02  # fraction of the first variant's parameters
WIDEST = 1 << 16  # far beyond any width of ours: a count that has not grown there never will
NEIGHBOURS = 64  # a width that heads must divide has a valid neighbour within so many


def networks_of(config: RunConfig) -> tuple[str, ...]:
    """The parts of a configuration that are networks.

    >>> from orthogan.language import LanguageConfig
    >>> networks_of(LanguageConfig())
    ('network',)
    """
    return tuple(name for name, part in config if hasattr(part, "build"))


def count_parameters(config: RunConfig, name: str) -> int:
    """The parameters of one of its networks.

    Raises:
        ConfigError: the network cannot be built.
    """
    with rng.initialization(config.seed, "count"):
        network: nn.Module = getattr(config, name).build()
    return num_parameters(network)


def current_width(config: RunConfig, key: str) -> int:
    """The value of the width `key`.

    Raises:
        SettingError: there is no such setting.
        ConfigError: it is not a whole number of one of the networks.
    """
    networks = networks_of(config)
    if key.partition(".")[0] not in networks:
        whose = "a network" if len(networks) > 1 else f"the {networks[0]}"
        raise ConfigError(
            f"--match takes a width of {whose}, such as {networks[0]}.width, got '{key}'."
        )
    settings = config.settings()
    if key not in settings:
        config.evolve(f"{key}=1")  # says what is wrong with the name
    value = settings[key]
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"--match takes a whole-number setting; {key} is {value!r}.")
    return value


def matched(config: RunConfig, key: str, target: int) -> int:
    """The value of the width `key` that brings its network nearest to `target` parameters.

    Args:
        config: A variant, its networks fitted to the images.
        key: A whole-number setting of one network that more parameters come with.
        target: Parameters of the same network in the first variant.

    Raises:
        ConfigError: `key` is no such setting, or no value comes within 2 %.
    """
    start = current_width(config, key)
    network = key.partition(".")[0]
    counts: dict[int, int | None] = {}

    def count(width: int) -> int | None:
        if width not in counts:
            try:
                counts[width] = count_parameters(config.evolve(f"{key}={width}"), network)
            except OrthoganError:  # such as heads that do not divide it
                counts[width] = None
        return counts[width]

    if count(start) == target:
        return start
    _bracket(count, start, target, key)
    valid = {width: number for width, number in counts.items() if number is not None}
    best = min(valid, key=lambda width: abs(valid[width] - target))
    if abs(valid[best] - target) > TOLERANCE * target:
        raise ConfigError(
            f"{key} cannot bring the {network} within {TOLERANCE:.0%} of {target:,} parameters; "
            f"the nearest is {key}={best} with {valid[best]:,}. Match another width."
        )
    return best


def _bracket(count: Callable[[int], int | None], start: int, target: int, key: str) -> None:
    """Counts at widths until neighbours lie on both sides of the target.

    Counts grow with the width, so doubling and then bisecting builds few networks; a width that
    is not valid is replaced by the next one that is.
    """
    high = max(1, start)
    while (found := _at_or_above(count, high)) is None or found[1] < target:
        high = (high if found is None else found[0]) * 2
        if high > WIDEST:
            raise ConfigError(f"More {key} does not bring more parameters; match another width.")
    high, low = found[0], 0
    while high - low > 1:
        middle = (low + high) // 2
        found = _at_or_above(count, middle, below=high)
        if found is None:  # nothing valid in the upper half
            high = middle
        elif found[1] < target:
            low = found[0]
        else:
            high = found[0] if found[0] < high else middle


def _at_or_above(
    count: Callable[[int], int | None], width: int, below: int | None = None
) -> tuple[int, int] | None:
    end = width + NEIGHBOURS if below is None else min(below, width + NEIGHBOURS)
    counted = ((candidate, count(candidate)) for candidate in range(width, end))
    return next(((at, number) for at, number in counted if number is not None), None)
