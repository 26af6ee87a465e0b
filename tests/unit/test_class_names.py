"""Classes by name: names win, numbers that are no names are indices, all names can be reached."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import orthogan
from orthogan import rng
from orthogan.class_names import (
    class_indices,
    class_list,
    class_order,
    named_classes,
    quoted_class,
)
from orthogan.errors import ConfigError, UnknownNameError
from orthogan.models import bundle
from orthogan.models.generator import load
from orthogan.networks import GENERATORS

AS_TEXT = ("0", "1", "10", "11", *map(str, range(2, 10)))  # folders 0 to 11 sorted as text
PETS = ("cats", "dogs", "emus", "0-3", "salt, pepper", ' a "b"', "caf\u00e9")


@pytest.mark.parametrize(
    ("asked", "names", "wanted"),
    [
        ([2], AS_TEXT, [4]),
        (["2"], AS_TEXT, [4]),
        (["0-11"], AS_TEXT, [0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 2, 3]),
        ([10, "11"], AS_TEXT, [2, 3]),
        ([0, 2], PETS, [0, 2]),
        (["dogs", 0, "emus"], PETS, [1, 0, 2]),
        (["0-3"], PETS, [3]),
        (["1-3"], PETS, [1, 2, 3]),
        ([" dogs "], PETS, [1]),
        (["cafe\u0301"], PETS, [6]),
        (["7"], ("3", "7"), [1]),
        ([0], ("3", "7"), [0]),
        (["cats", 2], ("cats", "2", "dogs"), [0, 1]),
        ([2, 0], (), [2, 0]),
        (range(3), (), [0, 1, 2]),
        (["0-2"], (), [0, 1, 2]),
        ("dogs,cats", PETS, [1, 0]),
        (["02"], ("a", "b", "c"), [2]),
        (["\udcff"], ("\udcff", "b"), [0]),
        (["twice"], ("a", "twice", "twice"), [1]),
    ],
)
def test_which_class_is_meant(asked, names: tuple[str, ...], wanted: list[int]) -> None:
    assert class_indices(asked, names, len(names) or 3) == wanted


@pytest.mark.parametrize("name", [*PETS, "a,b", "", " ", '"', "7", "-x", "\u0928\u092e", "a\nb"])
def test_every_name_can_be_written(name: str) -> None:
    names = [*(each for each in PETS if each != name), name]
    for text in (quoted_class(name), f"{quoted_class('cats')},{quoted_class(name)}"):
        assert class_indices(class_list(text), names, len(names))[-1] == names.index(name)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (["dgos"], "Unknown class 'dgos'. Did you mean 'dogs'? Known: "),
        (["Dogs"], "Did you mean 'dogs'"),
        ([3], "Classes lie in 0..2, got [3]. Known: cats, dogs, emus."),
        (["1-9"], "Classes lie in 0..2, got [3]."),
        (["0-999999999999999999"], "Classes lie in 0..2, got [3]."),
        ([-1], "Classes lie in 0..2, got [-1]."),
        (["2-1"], "A range of classes goes upward, got '2-1'."),
        ([], "Classes lie in 0..2, got none."),
        ([""], "Unknown class ''."),
        (["9" * 30], "Unknown class '999"),
    ],
)
def test_what_is_no_class(asked, sentence: str) -> None:
    with pytest.raises((ConfigError, UnknownNameError)) as caught:
        class_indices(asked, ("cats", "dogs", "emus"), 3)
    assert sentence in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("asked", [[0, 1], ["0-2"], [1, 0]])
def test_names_and_indices_are_not_mixed_in_silence(asked) -> None:
    with pytest.raises(ConfigError, match="'1' is the name of a class and '0' is not"):
        class_indices(asked, ("1", "2", "3"), 3)


def test_without_names_only_indices() -> None:
    with pytest.raises(ConfigError, match=r"have no names, their indices lie in 0\.\.1"):
        class_indices(["x"], (), 2)
    with pytest.raises(ConfigError, match="without classes"):
        class_indices(["x"], (), 0)


@pytest.mark.parametrize("text", ["", '"a', '"a"b', "a\nb"])
def test_what_is_no_list(text: str) -> None:
    with pytest.raises(ConfigError, match="Expected classes such as"):
        class_list(text)


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ({"class_names": ["a", "b"]}, ("a", "b")),
        ({"class_names": ["a", "b"], "condition": "classes"}, ("a", "b")),
        ({"class_names": ["a", "b"], "condition": "clusters"}, ()),  # as many by chance
        ({"class_names": ["a", "b", "c"]}, ()),
        ({"class_names": [1, 2]}, ()),
        ({"class_names": "ab"}, ()),
        ({}, ()),
    ],
)
def test_which_names_a_bundle_has(data: dict[str, object], names: tuple[str, ...]) -> None:
    assert named_classes(data, 2) == names


def test_the_order_shows_indices_where_names_do_not() -> None:
    assert class_order(["a", "b,c"]) == '0 a, 1 "b,c"'
    assert class_order([str(n) for n in range(1000)], most=3) == "0, 1, 2, ... (1000)"
    assert class_order([]) == ""


def make(folder: Path, **data: object) -> Path:
    config = GENERATORS["attention"](size=16, classes=len(AS_TEXT), hidden=8, width=8, channels=8)
    with rng.initialization(0, "names"):
        network = config.build()
    return bundle.save_bundle(
        folder,
        network_config=config.to_dict(),
        tensors=network.state_dict(),
        data={"source": "none", "size": 16, "colours": 1, "class_names": list(AS_TEXT)} | data,
        card={"title": "small"},
    )


@pytest.mark.parametrize("data", [{}, {"condition": "classes"}])
def test_a_bundle_is_asked_by_name(tmp_path: Path, data: dict[str, str]) -> None:
    model = load(make(tmp_path / "model", **data))
    assert model.class_names == AS_TEXT
    by_index = load(make(tmp_path / "bare", class_names=[])).sample([5], [4])
    for asked in (["2"], [2], "2"):
        assert torch.equal(model.sample([5], asked), by_index)
        assert torch.equal(orthogan.sample(model.path, seeds=[5], classes=asked), by_index)
    assert not torch.equal(by_index, model.sample([5], ["10"]))
    with pytest.raises(UnknownNameError, match="Did you mean '11'"):
        model.sample([5], ["11x"])


def test_the_card_shows_the_order_and_how_to_ask(tmp_path: Path) -> None:
    text = (make(tmp_path / "model") / "README.md").read_text()
    assert "- class order: 0 0, 1 1, 2 10, 3 11, 4 2, 5 3" in text
    assert "`orthogan sample BUNDLE --classes NAME,NAME`" in text
    clusters = (make(tmp_path / "other", condition="clusters") / "README.md").read_text()
    assert "class order" not in clusters


def test_a_card_of_any_names_is_a_file_of_one_line_each(tmp_path: Path) -> None:
    odd = ["a\nb", "\u200b", "\x1b[31m", "c\u202e", *AS_TEXT[4:]]
    folder = make(tmp_path / "model", class_names=odd)
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert '- class order: 0 "a\\nb", 1 \\u200b, 2 \\x1b[31m, 3 c\\u202e, 4 2' in text
    assert load(folder).class_names == tuple(odd)


def test_a_run_knows_its_names_and_runs_lists_them(
    train_tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from orthogan.cli import main

    pixels = np.random.default_rng(0).integers(0, 255, (60, 16, 16), dtype=np.uint8)
    labels = np.array(["cats", "dogs", "a, b"])[np.arange(60) % 3]
    np.savez(tmp_path / "pets.npz", images=pixels, labels=labels)
    run = train_tiny(
        tmp_path / "runs" / "pets", "condition=classes", source=tmp_path / "pets.npz", images=64
    )
    assert torch.equal(run.sample([5], ["dogs"]), run.sample([5], [2]))
    assert main(["runs", str(tmp_path / "runs")]) == 0
    assert '0 "a, b", 1 cats, 2 dogs' in capsys.readouterr().out
    assert main(["runs", str(tmp_path / "runs"), "--json"]) == 0
    assert '"classes": [\n      "a, b",\n      "cats",' in capsys.readouterr().out
    out = str(tmp_path / "x.npz")
    for text, code in (('"a, b",dogs', 0), ("a", 2), ("dgos", 2), ("1", 0)):
        assert main(["sample", str(run.path), "--classes", text, "--out", out]) == code
    assert "Did you mean 'dogs'? Known: a, b, cats, dogs." in capsys.readouterr().err
