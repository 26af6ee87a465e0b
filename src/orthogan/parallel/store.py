"""What processes share besides messages: names with values, kept by one of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Protocol, runtime_checkable

from torch import distributed as dist


@runtime_checkable
class Store(Protocol):
    """A store of PyTorch, of which its own types say nothing."""

    def set(self, name: str, value: str, /) -> None:
        """Keeps a value."""

    def get(self, name: str, /) -> bytes:
        """The value; waits until there is one."""

    def check(self, names: list[str], /) -> bool:
        """Whether there are values of all these names."""

    def wait(self, names: list[str], timeout: timedelta, /) -> None:
        """Waits until there are."""

    def set_timeout(self, timeout: timedelta, /) -> None:
        """How long an answer may take."""


def tcp_store(address: str, port: int, timeout_s: float, *, is_host: bool) -> Store:
    """A connection to the store at an address, which this process hosts or not.

    Raises:
        RuntimeError: nobody answers, or the port is taken.
    """
    make: Any = dist.TCPStore  # type: ignore[attr-defined]
    store: Store = make(
        address,
        port,
        is_master=is_host,
        timeout=timedelta(seconds=timeout_s),
        wait_for_workers=False,
    )
    return store


def prefixed(name: str, store: Store) -> Store:
    """The part of a store whose names begin so."""
    make: Any = dist.PrefixStore  # type: ignore[attr-defined]
    part: Store = make(name, store)
    return part


def written(store: Store, name: str) -> str:
    """The value of a name; empty where there is none yet."""
    return store.get(name).decode() if store.check([name]) else ""
