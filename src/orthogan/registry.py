"""Parts that can be exchanged by name; registering one enrols it in commands, help and tests.

A registry knows its home: the module, or the package of modules, that its parts stand in. The home
is imported when the registry is first asked, so a new file in it is found without being listed
anywhere, and nothing is imported before it is needed. After the home, the files named in
`ORTHOGAN_PLUGINS` run: they register parts that are not of this package.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Concatenate, Generic, ParamSpec, TypeVar

from orthogan.errors import ConfigError, UnknownNameError

T = TypeVar("T")
Given = TypeVar("Given")
Traits = ParamSpec("Traits")

PLUGINS = "ORTHOGAN_PLUGINS"  # files, divided as the paths in PATH


class Names(Generic[T]):
    """What every registry does: it looks parts up.

    Args:
        kind: What the parts are called in messages.
        homes: The modules that register parts; of a package, all modules in it.
    """

    def __init__(self, kind: str, *homes: str) -> None:
        self.kind = kind
        self._homes = homes
        self._parts: dict[str, T] = {}
        self._about: dict[str, str] = {}
        self._is_complete = False

    def __getitem__(self, name: str) -> T:
        if name not in self:
            raise UnknownNameError(self.kind, name, self._parts)
        return self._parts[name]

    def __contains__(self, name: object) -> bool:
        # What is there needs no search: built-in parts are looked up while modules that a plugin
        # imports are still on their way in.
        if name not in self._parts:
            self._complete()
        return name in self._parts

    def __iter__(self) -> Iterator[str]:
        self._complete()
        return iter(sorted(self._parts))

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

    >>> from collections import namedtuple
    >>> fruit = TraitRegistry("fruit", namedtuple("Fruit", ["taste", "is_ripe"]))
    >>> _ = fruit.register("fig", is_ripe=True)("sweet")
    >>> fruit["fig"].is_ripe
    True
    """

    def __init__(
        self, kind: str, entry: Callable[Concatenate[Given, Traits], T], *homes: str
    ) -> None:
        super().__init__(kind, *homes)
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
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise ConfigError(f"{named}: {type(error).__name__}: {error}") from error
