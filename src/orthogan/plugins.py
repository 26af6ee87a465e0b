"""Parts that other installed packages bring, found by their entry points.

A package says in its `pyproject.toml` which module registers a part of which name:

    [project.entry-points."orthogan.losses"]
    smoothed = "orthogan_stripes.losses"

What is installed is read from the packages' own lists, so nothing of a package is imported before
one of its parts is asked for. How a registry uses them: `orthogan.registry`.

Source: the entry points specification of the Python Packaging User Guide.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from orthogan.errors import shortened

PREFIX = "orthogan."
# Each group, and the kinds of parts whose names it holds.
GROUPS = {
    "networks": "generators, discriminators, classifiers",
    "recipes": "recipes",
    "losses": "losses",
    "penalties": "penalties",
    "augmentations": "augmentations",
    "scores": "attention scores",
    "keys": "kinds of keys",
    "positions": "positional encodings",
    "metrics": "metrics",
    "extractors": "extractors",
    "sources": "data sets, data formats, hubs",
    "exporters": "exporters",
    "tasks": "tasks",
}


class PluginWarning(UserWarning):
    """A part of another package is left out, since the package fails to import."""


@dataclass(frozen=True)
class Plugin:
    """A part that an installed package brings.

    Attributes:
        group: One of `GROUPS`.
        point: The name that the part is registered as, and the module that registers it when it
            is imported.
        distribution: The package and its version.
    """

    group: str
    point: EntryPoint
    distribution: str

    @property
    def name(self) -> str:
        """What the part is registered as."""
        return self.point.name

    @property
    def package(self) -> str:
        """The name of the package alone, as pip knows it."""
        return self.distribution.partition(" ")[0]


def installed(group: str | None = None) -> tuple[Plugin, ...]:
    """The parts that installed packages bring, of one group or of all; nothing is imported."""
    return tuple(each for each in _installed() if group in (None, each.group))


@cache
def failure(plugin: Plugin) -> str:
    """Imports the module that registers a part; why that fails, or an empty string.

    A package that ends the process when it is imported fails like any other.
    """
    try:
        plugin.point.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a stranger's code raises
        told = " ".join(str(error).split())
        return f"{type(error).__name__}: {shortened(told)}" if told else type(error).__name__
    return ""


def forget() -> None:
    """Look anew what is installed, and try again what failed."""
    _installed.cache_clear()
    failure.cache_clear()


@cache
def _installed() -> tuple[Plugin, ...]:
    found = entry_points()
    return tuple(
        Plugin(group, point, _distribution(point))
        for group in GROUPS
        for point in sorted(found.select(group=PREFIX + group), key=_order)
    )


def _order(point: EntryPoint) -> tuple[str, str]:
    return point.name, _distribution(point)


def _distribution(point: EntryPoint) -> str:
    known = point.dist
    return f"{known.name} {known.version}" if known is not None else "an unnamed package"
