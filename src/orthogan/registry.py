"""Names for interchangeable parts; registering a part enrols it in the contract tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from orthogan.errors import UnknownNameError

T = TypeVar("T")


class Registry(Generic[T]):
    """Named parts of one kind.

    >>> fruit: Registry[int] = Registry("fruit")
    >>> _ = fruit.register("fig")(3)
    >>> fruit["fig"]
    3
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._parts: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator that files a part under `name`.

        Raises:
            ValueError: the name is taken.
        """

        def enrol(part: T) -> T:
            if name in self._parts:
                raise ValueError(f"The {self.kind} '{name}' is registered twice.")
            self._parts[name] = part
            return part

        return enrol

    def __getitem__(self, name: str) -> T:
        if name not in self._parts:
            raise UnknownNameError(self.kind, name, self._parts)
        return self._parts[name]

    def __contains__(self, name: object) -> bool:
        return name in self._parts

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._parts))
