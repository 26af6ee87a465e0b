"""The registry of named parts."""

from __future__ import annotations

import pytest

from orthogan.errors import UnknownNameError
from orthogan.registry import Registry


def test_parts_are_found_by_name_and_listed_in_order() -> None:
    fruit: Registry[int] = Registry("fruit")
    assert fruit.register("fig")(3) == 3
    fruit.register("apple")(5)
    assert (fruit["fig"], fruit["apple"]) == (3, 5)
    assert list(fruit) == ["apple", "fig"]
    assert "fig" in fruit
    assert "plum" not in fruit
    assert 3 not in fruit


def test_register_works_as_a_decorator() -> None:
    verbs: Registry[type] = Registry("verb")

    @verbs.register("run")
    class Run:
        pass

    assert verbs["run"] is Run


def test_unknown_name_gets_the_nearest_and_the_list() -> None:
    fruit: Registry[int] = Registry("fruit")
    fruit.register("fig")(3)
    fruit.register("apple")(5)
    message = r"Unknown fruit 'aple'\. Did you mean 'apple'\? Known: apple, fig\."
    with pytest.raises(UnknownNameError, match=message):
        fruit["aple"]


def test_a_name_is_registered_once() -> None:
    fruit: Registry[int] = Registry("fruit")
    fruit.register("fig")(3)
    with pytest.raises(ValueError, match="The fruit 'fig' is registered twice"):
        fruit.register("fig")(4)
    assert fruit["fig"] == 3
