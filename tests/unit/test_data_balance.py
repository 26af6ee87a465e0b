"""Classes that are seen equally often: exact, repeatable, and resumed bit for bit."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

import orthogan as og
from orthogan.classification.config import ClassificationConfig
from orthogan.classification.examples import load_split
from orthogan.classification.trainer import ClassifierTrainer
from orthogan.data import ImageSet, Order
from orthogan.data.balance import CLASSES, Balanced
from orthogan.data.ordering import Arrangement, ordered
from orthogan.errors import ConfigError
from orthogan.gan.conditions import class_shares
from orthogan.gan.config import TrainingConfig
from orthogan.gan.trainer import Trainer

LABELS = torch.from_numpy(np.random.default_rng(0).permutation([0] * 50 + [2] * 7 + [5] * 3))


def test_every_round_shows_every_class_once() -> None:
    shown = LABELS[Balanced(LABELS, seed=1).batch(0, 300)].view(100, 3)
    assert (shown.sort(dim=1).values == torch.tensor([0, 2, 5])).all()
    assert len(shown.unique(dim=0)) == 6  # in every order


def test_within_a_class_each_image_comes_before_any_comes_again() -> None:
    shown = Balanced(LABELS, seed=1).batch(0, 3 * 700)
    for kind, count in ((0, 50), (2, 7), (5, 3)):
        own = shown[LABELS[shown] == kind]
        for start in range(0, len(own) - count, count):
            assert len(own[start : start + count].unique()) == count
        times = Counter(own.tolist()).values()
        assert max(times) - min(times) <= 1


def test_a_batch_depends_on_the_seed_and_its_place_alone() -> None:
    whole = Balanced(LABELS, seed=4).batch(0, 500)
    used = Balanced(LABELS, seed=4)
    for start, size in ((431, 20), (7, 9), (59, 130), (0, 1)):
        assert torch.equal(used.batch(start, size), whole[start : start + size])
    assert not torch.equal(Balanced(LABELS, seed=5).batch(0, 500), whole)
    assert not torch.equal(whole[:60], whole[60:120])


def images(name: str = "pets") -> ImageSet:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 1, 16, 16), dtype=np.uint8)
    return ImageSet(torch.from_numpy(pixels), LABELS, tuple("abcdef"), name)


def test_an_image_set_has_both_orders() -> None:
    whole = images()
    assert torch.equal(whole.order(3).batch(0, 90), Order(60, 3).batch(0, 90))
    assert torch.equal(
        ordered(whole, Arrangement(CLASSES), 3).batch(0, 90), Balanced(LABELS, 3).batch(0, 90)
    )
    with pytest.raises(ConfigError, match=r"needs images with classes, and pets has none"):
        ordered(ImageSet(whole.images, name="pets"), Arrangement(CLASSES), 0)
    with pytest.raises(ConfigError, match="stacked-mnist draws each image afresh"):
        ordered(og.load_data("stacked-mnist"), Arrangement(CLASSES), 0)


SMALL = ("generator.width=16", "generator.blocks=1", "discriminator.width=16", "batch_size=16",
         "discriminator.blocks=1")  # fmt: skip


def config(*settings: str) -> TrainingConfig:
    return og.resolve(images(), images=64, settings=(*SMALL, *settings))


def test_a_trainer_sees_and_generates_classes_equally_often() -> None:
    balanced = config("condition=classes", "data.balance=classes")
    trainer = Trainer(balanced, images(), torch.device("cpu"))
    assert torch.equal(trainer.order.batch(0, 90), Balanced(LABELS, 0).batch(0, 90))
    shares = class_shares(balanced, images(), None)
    assert shares is not None
    assert torch.allclose(shares, torch.tensor([1 / 3, 0, 1 / 3, 0, 0, 1 / 3]))
    as_it_is = class_shares(config("condition=classes"), images(), None)
    assert as_it_is is not None
    assert torch.allclose(as_it_is, torch.tensor([50, 0, 7, 0, 0, 3]) / 60)


def test_clusters_have_the_shares_that_are_seen() -> None:
    clusters = (LABELS == 0).long()
    balanced = config("condition=clusters", "data.balance=classes").evolve(condition="clusters")
    shaped = balanced.evolve("generator.classes=2", "discriminator.classes=2")
    shares = class_shares(shaped, images(), clusters)
    assert shares is not None
    assert torch.allclose(shares, torch.tensor([2 / 3, 1 / 3]))


def test_it_is_refused_before_a_run() -> None:
    bare = og.load_data(images().images.numpy())
    with pytest.raises(ConfigError, match=r"data\.balance=classes needs images with classes"):
        og.resolve(bare, images=64, settings=("data.balance=classes",))
    with pytest.raises(ConfigError, match="draws each image afresh"):
        og.resolve("stacked-mnist", images=64, settings=("data.balance=classes",))


def test_a_stopped_run_goes_on_bit_for_bit(tmp_path: Path, capsys) -> None:
    def train(folder: str, count: int) -> og.Run:
        settings = (*SMALL, "data.balance=classes", "condition=classes")
        path = tmp_path / folder
        return og.train(images(), images=count, run=path, settings=settings)

    trained = train("whole", 96).sample(range(4))
    assert "Classes are balanced: an image of 'f' (3) is seen 16.7 times as often as one of" in (
        capsys.readouterr().err
    )
    whole = Trainer(config("data.balance=classes"), images(), torch.device("cpu"))
    halves = Trainer(config("data.balance=classes"), images(), torch.device("cpu"))
    for _ in range(4):
        whole.step(0.5)
    for _ in range(2):
        halves.step(0.5)
    resumed = Trainer(config("data.balance=classes"), images(), torch.device("cpu"))
    resumed.restore(halves.tensors(), halves.state())
    for _ in range(2):
        resumed.step(0.5)
    for name, tensor in whole.tensors().items():
        assert torch.equal(tensor, resumed.tensors()[name]), name
    assert trained.shape == (4, 1, 16, 16)


def test_a_classifier_can_be_balanced_too() -> None:
    source = og.load_data(images())
    form = ClassificationConfig().evolve("data.balance=classes")
    settings = form.evolve(data=form.to_dict()["data"] | {"source": source.name})
    split = load_split(settings.data, seed=0)
    trainer = ClassifierTrainer(
        settings.evolve(network=settings.network.evolve(size=16, classes=3).to_dict()),
        split.train,
        torch.device("cpu"),
    )
    shown = split.train.targets[trainer.order.batch(0, 90)].flatten()
    assert shown.bincount().tolist() == [30, 30, 30]
