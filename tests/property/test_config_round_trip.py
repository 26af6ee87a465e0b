"""Configurations survive every way of writing them down."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orthogan.config import Config, flatten, read_config_file
from orthogan.gan.config import TrainingConfig


class Leaf(Config):
    number: float = 0.0
    text: str = ""
    maybe: int | None = None


class Tree(Config):
    leaf: Leaf = Leaf()
    flag: bool = False
    items: tuple[int, ...] = ()


leaves = st.builds(
    Leaf,
    number=st.floats(allow_nan=False, allow_infinity=False),
    text=st.text(st.characters(exclude_categories=["Cs"])),
    maybe=st.none() | st.integers(),
)
trees = st.builds(Tree, leaf=leaves, flag=st.booleans(), items=st.lists(st.integers()).map(tuple))


@given(trees)
def test_dictionary_and_json_round_trip(tree: Tree) -> None:
    assert Tree(**tree.to_dict()) == tree
    assert Tree(**json.loads(json.dumps(tree.to_dict()))) == tree


@given(trees, trees)
def test_merging_everything_replaces_everything(tree: Tree, other: Tree) -> None:
    assert other.merge(tree.to_dict()) == tree


@given(trees, leaves)
def test_merging_a_part_leaves_the_rest(tree: Tree, leaf: Leaf) -> None:
    merged = tree.merge({"leaf": leaf.to_dict()})
    assert merged == Tree(leaf=leaf, flag=tree.flag, items=tree.items)


@settings(max_examples=30)
@given(trees)
def test_files_round_trip(tree: Tree) -> None:
    with TemporaryDirectory() as folder:
        for name, text in (
            ("a.json", json.dumps(tree.to_dict())),
            ("a.yaml", yaml.safe_dump(tree.to_dict())),
        ):
            path = Path(folder) / name
            path.write_text(text, encoding="utf-8")
            assert Tree().merge(read_config_file(path)) == tree


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.booleans())
def test_assignments_read_what_python_prints(number: float, integer: int, flag: bool) -> None:
    tree = Tree().evolve(
        f"leaf.number={number!r}", f"leaf.maybe={integer}", f"flag={str(flag).lower()}"
    )
    assert tree == Tree(leaf=Leaf(number=number, maybe=integer), flag=flag)


@given(st.floats() | st.integers() | st.booleans() | st.none() | st.dates())
def test_text_is_taken_as_it_is_written(value: object) -> None:
    assert Tree().evolve(f"leaf.text={value}").leaf.text == str(value)
    assert Tree().evolve(f"leaf.text='{value}'").leaf.text == str(value)


@given(trees)
def test_settings_name_every_leaf_once(tree: Tree) -> None:
    names = [name for name, _ in flatten(tree.to_dict())]
    assert names == ["leaf.number", "leaf.text", "leaf.maybe", "flag", "items"]


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**63 - 1),
    rate=st.floats(1e-12, 1e3),
    gamma=st.floats(0, 1e9),
    images=st.integers(1, 10**12),
)
def test_training_configurations_round_trip(
    seed: int, rate: float, gamma: float, images: int
) -> None:
    config = TrainingConfig().evolve(
        f"seed={seed}",
        f"generator_optimizer.learning_rate={rate!r}",
        f"penalty.gamma_end={gamma!r}",
        f"budget={{images: {images}}}",
    )
    assert (config.seed, config.generator_optimizer.learning_rate) == (seed, rate)
    assert (config.penalty.gamma_end, config.budget.images) == (gamma, images)
    assert TrainingConfig(**json.loads(json.dumps(config.to_dict()))) == config
