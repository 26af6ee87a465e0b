"""What is fuzzed: a name, a reader, valid inputs, and how their form is damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import TypeAlias

# What a target gives: calls of public readers, each judged for itself.
Calls: TypeAlias = Iterator[Callable[[], object]]
Read: TypeAlias = Callable[[bytes, Path], Calls]
# Damages bytes of one form; the third argument is another valid input to take parts from.
Form: TypeAlias = Callable[[Random, bytes, bytes], bytes]


@dataclass(frozen=True)
class Target:
    """One reader under test.

    Attributes:
        name: What the command calls it.
        read: Takes bytes and an empty folder to put them into; gives the calls.
        make_seeds: Valid inputs, made by code.
        form: How the structure of an input is damaged.
        carried: The bytes are a folder in a zip that the reader never sees, so nothing but the
            form may touch them.
    """

    name: str
    read: Read
    make_seeds: Callable[[], list[bytes]]
    form: Form
    carried: bool = False

    @cached_property
    def seeds(self) -> list[bytes]:
        """The valid inputs, made once."""
        return self.make_seeds()


TARGETS: dict[str, Target] = {}


def target(
    name: str, seeds: Callable[[], list[bytes]], form: Form, *, carried: bool = False
) -> Callable[[Read], Read]:
    """Enrols a reader in the command and in the tests."""

    def enrol(read: Read) -> Read:
        assert name not in TARGETS, f"{name} is enrolled twice"
        TARGETS[name] = Target(name, read, seeds, form, carried)
        return read

    return enrol
