"""Parts that other installed packages bring."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType

import pytest
from plugin_packages import Packages

from orthogan.cli.checks import check_plugins
from orthogan.data import load
from orthogan.data.catalogue import FORMATS
from orthogan.errors import ConfigError, UnknownNameError
from orthogan.plugins import PluginWarning, installed
from orthogan.registry import Registry

Fruit = Registry[Callable[[], None]]


@pytest.fixture
def fruit(monkeypatch: pytest.MonkeyPatch) -> Fruit:
    """A registry with one part of its own, which packages find in a module `fruit_stand`."""
    registry: Fruit = Registry("fruit", group="losses")

    def fig() -> None:
        """A fig."""

    fig.__module__ = "orthogan.fruit"
    registry.register("fig")(fig)
    stand = ModuleType("fruit_stand")
    stand.FRUIT = registry  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fruit_stand", stand)
    return registry


def selling(name: str, *more: str) -> str:
    """The text of a module that registers a fruit, and what it does after that."""
    head = ["from fruit_stand import FRUIT", f"@FRUIT.register('{name}')", "def part():"]
    return "\n".join([*head, f"    'One {name}.'", *more])


def offer(packages: Packages, name: str, *more: str, module: str | None = None) -> None:
    """Installs the package `grower-NAME`, which brings a fruit."""
    home = module or f"grows_{name}"
    points = {"losses": {name: home}}
    packages.install(f"grower-{name}", points, {home: selling(name, *more)})


def test_a_package_is_imported_when_its_part_is_asked_for(packages, fruit) -> None:
    offer(packages, "plum")
    offer(packages, "pear")
    assert [each.name for each in installed("losses")] == ["pear", "plum"]
    assert fruit["fig"].__doc__ == "A fig."
    assert fruit.own() == ["fig"]
    assert not {"grows_plum", "grows_pear"} & set(sys.modules)
    assert "plum" in fruit
    assert fruit["plum"].__doc__ == "One plum."
    assert "grows_pear" not in sys.modules
    assert list(fruit) == ["fig", "pear", "plum"]
    assert "grows_pear" in sys.modules


def test_a_part_says_which_package_it_is_of(packages, fruit) -> None:
    offer(packages, "quince")
    assert fruit.origin("quince") == "grower-quince 1.0"
    assert fruit.origin("fig") == "orthogan"
    fruit.register("loose")(test_a_part_says_which_package_it_is_of)
    assert fruit.origin("loose") == __name__
    with pytest.raises(UnknownNameError, match="Did you mean 'quince'"):
        fruit.origin("quinces")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit", "SystemExit"),
        ("FRUIT.register('fig')(part)", "ConfigError: The fruit 'fig' is registered twice."),
    ],
)
def test_a_package_that_fails_is_named_and_left_out(packages, fruit, line: str, why: str) -> None:
    offer(packages, "medlar", line)
    offer(packages, "apple")
    told = rf"grower-medlar 1\.0, which brings 'medlar' \(grows_medlar\), fails to import: {why}"
    with pytest.warns(PluginWarning, match=told):
        assert list(fruit) == ["apple", "fig"]  # not what it registered before it failed
    for ask in (fruit.__getitem__, fruit.__contains__, fruit.describe):
        with pytest.raises(ConfigError, match=f"{told}.*pip uninstall grower-medlar") as caught:
            ask("medlar")
        assert caught.value.exit_code == 2
    assert "fig" in fruit


def test_a_part_that_is_not_registered_is_an_error(packages, fruit) -> None:
    packages.install("grower-air", {"losses": {"air": "grows_air"}}, {"grows_air": "x = 1"})
    with pytest.raises(ConfigError, match=r"grower-air 1.0 brings the fruit 'air'.*registers no"):
        fruit["air"]


def test_what_a_broken_package_imported_whole_stays(packages, fruit) -> None:
    offer(packages, "cherry")
    offer(packages, "sloe", "import grows_cherry", "1 / 0")
    with pytest.warns(PluginWarning, match="ZeroDivisionError"):
        assert list(fruit) == ["cherry", "fig"]
    assert fruit["cherry"].__doc__ == "One cherry."


def test_packages_of_other_groups_are_not_looked_at(packages, fruit) -> None:
    packages.install("grower-metric", {"metrics": {"m": "nowhere"}, "unknown": {"n": "nowhere"}})
    assert [each.distribution for each in installed()] == ["grower-metric 1.0"]
    assert list(fruit) == ["fig"]


def test_the_doctor_lists_packages_and_what_ails_them(packages) -> None:
    packages.install("grower-lime", {"losses": {"lime": "grows_lime"}}, {"grows_lime": ""})
    packages.install("grower-sick", {"tasks": {"rot": "no_such_rot"}})
    sound, sick = check_plugins()
    assert (sound.status, sound.found) == ("ok", "grower-lime 1.0: lime (losses)")
    assert sick.status == "warning"
    assert sick.found == "grower-sick 1.0: rot (ModuleNotFoundError: No module named 'no_such_rot')"
    assert "pip uninstall grower-sick" in sick.advice


READS_FOO = """
    import numpy as np
    import torch
    from orthogan.data import ImageSet
    from orthogan.data.catalogue import FORMATS

    @FORMATS.register("foo", suffixes=(".foo", "s.npz"))
    def read(path, options):
        return ImageSet(torch.arange(4096).byte().reshape(16, 1, 16, 16), name="of a package")
"""


def test_a_package_reads_files_that_nothing_here_reads(
    packages, scratch_registry, tiny_file, tmp_path
) -> None:
    scratch_registry(FORMATS)
    packages.install("grower-foo", {"sources": {"foo": "reads_foo"}}, {"reads_foo": READS_FOO})
    assert load(tiny_file).name != "of a package"
    assert "reads_foo" not in sys.modules
    (tmp_path / "images.foo").write_bytes(b"foo")
    assert load(tmp_path / "images.foo").name == "of a package"
    assert load(tiny_file).name != "of a package"
