"""A contract: the tests that every part of a kind must pass, whoever wrote the part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from orthogan.registry import Names


class Contract:
    """The tests of the parts of one kind; a class of pytest that inherits it runs them.

    `class TestMine(LossContract): names = ("smoothed",)` tests the loss of that name.

    Attributes:
        registry: Where the parts are.
        names: Which of them are tested; None for every one that is registered.
        argument: What the tests call the name of a part.
    """

    registry: ClassVar[Names[Any]]
    names: ClassVar[Sequence[str] | None] = None
    argument: ClassVar[str] = "name"

    @classmethod
    def enrolled(cls) -> list[str]:
        """The parts that are tested."""
        return list(cls.registry if cls.names is None else cls.names)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Gives each test one part after the other."""
        if self.argument in metafunc.fixturenames:
            metafunc.parametrize(self.argument, self.enrolled())
