"""Parts that can be exchanged by name; registering one enrols it in commands, help and tests.

A registry knows its home: the module, or the package of modules, that its parts stand in. The home
is imported when the registry is first asked, so a new file in it is found without being listed
anywhere, and nothing is imported before it is needed. After the home, the files named in
`ORTHOGAN_PLUGINS` run: they register parts that are not of this package.

Parts of other installed packages are found by their entry points (`orthogan.plugins`), whose names
are those of the parts. A package is imported when a part of it is asked for by a name that nothing
here has, or when all parts are listed. One that fails to import is named and left out of a list; to
ask for its part is an error.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import pkgutil
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from orthogan.errors import ConfigError, UnknownNameError
from orthogan.plugins import Plugin, PluginWarning, failure, installed

T = TypeVar("T")
Given = TypeVar("Given")
Traits = ParamSpec("Traits")

OURS = "orthogan"
PLUGINS = "ORTHOGAN_PLUGINS"  # files, divided as the paths in PATH


class Names(Generic[T]):
    """What every registry does: it looks parts up.

    Args:
        kind: What the parts are called in messages.
        homes: The modules that register parts; of a package, all modules in it.
        group: The entry points of other packages that bring such parts, one of
            `orthogan.plugins.GROUPS`; None where there are none.
    """

    def __init__(self, kind: str, *homes: str, group: str | None = None) -> None:
        self.kind = kind
        self._homes = homes
        self._group = group
        self._parts: dict[str, T] = {}
        self._about: dict[str, str] = {}
        self._origins: dict[str, str] = {}
        self._is_complete = False

    def __getitem__(self, name: str) -> T:
        if name not in self:
            known = list(self)
            for plugin in self._brought(name):
                raise ConfigError(
                    f"{plugin.distribution} brings the {self.kind} '{name}' ({plugin.point.value}),"
                    f" but registers no {self.kind} of that name."
                )
            raise UnknownNameError(self.kind, name, known)
        return self._parts[name]

    def __contains__(self, name: object) -> bool:
        """Whether there is a part of this name.

        Raises:
            ConfigError: a package that brings it fails to import.
        """
        # What is there needs no search: built-in parts are looked up while modules that a plugin
        # imports are still on their way in.
        if name not in self._parts:
            self._complete()
        if name not in self._parts:
            for plugin in self._brought(name):
                if why := _loaded(plugin):
                    raise ConfigError(f"{_told(plugin, why)} Mend it, or: {_removal(plugin)}.")
        return name in self._parts

    def __iter__(self) -> Iterator[str]:
        self._complete()
        for plugin in installed(self._group) if self._group else ():
            if plugin.name not in self._parts and (why := _loaded(plugin)):
                warnings.warn(f"{_told(plugin, why)} It is left out.", PluginWarning, stacklevel=2)
        return iter(sorted(self._parts))

    def own(self) -> list[str]:
        """The names that are no other package's."""
        self._complete()
        others = {each.distribution for each in installed(self._group)} if self._group else set()
        return sorted(name for name in self._parts if self._origins[name] not in others)

    def origin(self, name: str) -> str:
        """Where a part comes from: `orthogan`, a package with its version, or a file.

        Raises:
            UnknownNameError: no such part.
        """
        _ = self[name]
        found = self._origins[name]
        brought = (each.distribution for each in self._brought(name) if found != OURS)
        return next(brought, found)

    def describe(self, name: str) -> str:
        """The first line of the part's docstring.

        Raises:
            UnknownNameError: no such part.
        """
        _ = self[name]
        return self._about[name]

    def _add(self, name: str, part: T, given: object) -> None:
        if name in self._parts:
            raise ConfigError(f"The {self.kind} '{name}' is registered twice.")
        self._parts[name] = part
        self._about[name] = (inspect.getdoc(given) or "").partition("\n")[0]
        home = getattr(given, "__module__", "")
        is_ours = home.partition(".")[0] == OURS
        self._origins[name] = OURS if is_ours else (_sources or [home])[-1]
        if _sources:
            _added.append((self, name, home))

    def _brought(self, name: object) -> Iterator[Plugin]:
        return (each for each in installed(self._group) if self._group and each.name == name)

    def _discard(self, name: str) -> None:
        for kept in (self._parts, self._about, self._origins):
            kept.pop(name, None)

    def _complete(self) -> None:
        if self._is_complete:
            return
        self._is_complete = True  # before the imports: they may ask this registry
        for home in self._homes:
            package = importlib.import_module(home)
            for module in pkgutil.iter_modules(getattr(package, "__path__", ())):
                importlib.import_module(f"{home}.{module.name}")
        run_plugins()


class Registry(Names[T]):
    """Named parts of one kind.

    >>> fruit: Registry[int] = Registry("fruit")
    >>> _ = fruit.register("fig")(3)
    >>> fruit["fig"]
    3
    """

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator that files a part under `name`.

        Raises:
            ConfigError: the name is taken.
        """

        def enrol(part: T) -> T:
            self._add(name, part, part)
            return part

        return enrol


class TraitRegistry(Names[T], Generic[Given, Traits, T]):
    """Named parts with their traits: what is decorated becomes the first field of an entry.

    Args:
        kind: What the parts are called in messages.
        entry: Makes the entry of a part and its traits.
        homes: The modules that register parts; of a package, all modules in it.
        group: The entry points of other packages that bring such parts.

    >>> from collections import namedtuple
    >>> fruit = TraitRegistry("fruit", namedtuple("Fruit", ["taste", "is_ripe"]))
    >>> _ = fruit.register("fig", is_ripe=True)("sweet")
    >>> fruit["fig"].is_ripe
    True
    """

    def __init__(
        self,
        kind: str,
        entry: Callable[Concatenate[Given, Traits], T],
        *homes: str,
        group: str | None = None,
    ) -> None:
        super().__init__(kind, *homes, group=group)
        self._entry = entry

    def register(
        self, name: str, *args: Traits.args, **traits: Traits.kwargs
    ) -> Callable[[Given], Given]:
        """A decorator that files a part with these traits under `name`.

        Raises:
            ConfigError: the name is taken.
        """

        def enrol(part: Given) -> Given:
            self._add(name, self._entry(part, *args, **traits), part)
            return part

        return enrol


_sources: list[str] = []  # of what is being imported now, the innermost last
_added: list[tuple[Names[Any], str, str]] = []  # registry, name and module of the parts of it


def _loaded(plugin: Plugin) -> str:
    """Imports what registers a part; why that fails, or an empty string."""
    _sources.append(plugin.distribution)
    start = len(_added)
    try:
        why = failure(plugin)
    finally:
        _sources.pop()
    for registry, name, home in _added[start:]:
        # What a module registered before it failed would be there by halves.
        if why and home not in sys.modules:
            registry._discard(name)  # noqa: SLF001 - this module's own
    del _added[start:]
    return why


def _told(plugin: Plugin, why: str) -> str:
    return (
        f"{plugin.distribution}, which brings '{plugin.name}' ({plugin.point.value}), "
        f"fails to import: {why}."
    )


def _removal(plugin: Plugin) -> str:
    return f"pip uninstall {plugin.package}"


_pending = [name for name in os.environ.get(PLUGINS, "").split(os.pathsep) if name]


def run_plugins() -> None:
    """Runs the files named in `ORTHOGAN_PLUGINS`, each of them once.

    Raises:
        ConfigError: one is missing, or fails.
    """
    while _pending:
        # Taken off the list first: what a plugin imports asks registries, and comes here again.
        named = _pending.pop(0)
        path = Path(named)
        spec = importlib.util.spec_from_file_location(f"orthogan_plugin_{path.stem}", path)
        if spec is None or spec.loader is None or not path.is_file():
            raise ConfigError(f"{PLUGINS} names '{named}', which is no Python file.")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # where pydantic looks for the types of a class
        _sources.append(named)
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise ConfigError(f"{named}: {type(error).__name__}: {error}") from error
        finally:
            _sources.pop()
