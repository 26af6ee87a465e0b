"""Which images share a batch: every rule shows each image once an epoch, and keeps its promise."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import orthogan as og
from orthogan.classification.config import ClassificationConfig, LabelledDataConfig
from orthogan.classification.examples import load_split
from orthogan.classification.trainer import in_memory_order
from orthogan.data import ImageSet, Order
from orthogan.data.arranging import (
    POOL,
    RIDGE,
    Correlated,
    Decorrelated,
    Stratified,
    mean_likeness,
    spread_out,
    unit,
)
from orthogan.data.ordering import Arrangement, arrangement_note, check_arrangement, ordered
from orthogan.errors import ConfigError
from orthogan.gan.augmenting import split
from orthogan.gan.config import TrainingConfig
from orthogan.gan.task import GanTask
from orthogan.gan.trainer import Trainer

COUNT, SIZE = 203, 8  # no multiple of a pool, so that some are left over
CODES = torch.randn(COUNT, 5, generator=torch.Generator().manual_seed(0))
KINDS = torch.tensor([0, 0, 0, 1, 1, 2])[torch.arange(COUNT) % 6]
SHARES = torch.tensor([1 / 2, 1 / 3, 1 / 6])

RULES = {
    "balanced": lambda seed: Stratified(KINDS, seed),
    "decorrelated": lambda seed: Decorrelated(CODES, seed, SIZE),
    "correlated": lambda seed: Correlated(CODES, seed, SIZE),
}


@pytest.mark.parametrize("rule", RULES)
def test_each_image_comes_once_an_epoch(rule: str) -> None:
    order = RULES[rule](3)
    for epoch in range(2):
        shown = order.batch(epoch * COUNT, COUNT)
        assert torch.equal(shown.sort().values, torch.arange(COUNT))


@pytest.mark.parametrize("rule", RULES)
def test_a_batch_is_a_function_of_the_seed_and_its_place(rule: str) -> None:
    walked, jumped = RULES[rule](3), RULES[rule](3)
    pieces = [walked.batch(start, 7) for start in range(0, 420, 7)]
    assert torch.equal(jumped.batch(350, 7), pieces[50])
    assert not torch.equal(RULES[rule](4).batch(0, COUNT), torch.cat(pieces)[:COUNT])
    assert not torch.equal(jumped.batch(0, COUNT), jumped.batch(COUNT, COUNT))


@pytest.mark.parametrize("size", [9, 30])
def test_balanced_batches_hold_each_kind_in_its_proportion(size: int) -> None:
    order = Stratified(KINDS, 0)
    for number in range(COUNT // size):
        counts = KINDS[order.batch(number * size, size)].bincount(minlength=3)
        assert float((counts - size * SHARES).abs().max()) <= 2
    plain = [KINDS[Order(COUNT, 0).batch(n * size, size)].bincount(minlength=3) for n in range(6)]
    assert max(float((counts - size * SHARES).abs().max()) for counts in plain) > 2


def test_decorrelated_members_are_less_alike_and_correlated_ones_more() -> None:
    plain = mean_likeness(CODES, Order(COUNT, 0), SIZE, 20)
    apart = mean_likeness(CODES, RULES["decorrelated"](0), SIZE, 20)
    alike = mean_likeness(CODES, RULES["correlated"](0), SIZE, 20)
    assert apart < 0.9 * plain < plain < 0.8 * alike


def test_the_likeness_is_that_of_its_definition() -> None:
    vectors = unit(CODES)
    members = vectors[Order(COUNT, 0).batch(0, 4)]
    pairs = [float(members[i] @ members[j]) ** 2 for i in range(4) for j in range(4) if i != j]
    assert mean_likeness(CODES, Order(COUNT, 0), 4, 1) == pytest.approx(np.mean(pairs) ** 0.5)


def test_the_greedy_choice_is_that_of_determinants() -> None:
    """Step by step beside the definition: the image that makes log det (C C' + ridge I) largest."""
    codes = unit(CODES[: 2 * 4])[None]
    places = spread_out(codes, 2)[0].tolist()
    batches = places[:4], places[4:]
    free = set(range(8))
    for step in range(8):
        members, chosen = batches[step % 2][: step // 2], batches[step % 2][step // 2]

        def gain(place: int, members: list[int] = members) -> float:
            rows = codes[0, [*members, place]].double()
            return float(torch.logdet(rows @ rows.T + RIDGE * torch.eye(len(rows))))

        assert gain(chosen) == pytest.approx(max(map(gain, free)), abs=1e-5)
        free.remove(chosen)


def test_a_pool_is_filled_by_all_its_batches() -> None:
    order = Decorrelated(CODES, 0, SIZE)
    pool = Order(COUNT, 0).batch(0, POOL * SIZE)
    assert set(order.batch(0, POOL * SIZE).tolist()) == set(pool.tolist())


def some_images(labels: bool = True) -> ImageSet:
    source = np.random.default_rng(0)
    pixels = torch.from_numpy(source.integers(0, 256, (120, 1, 16, 16), dtype=np.uint8))
    kinds = torch.arange(120) % 4
    names = tuple("abcd")
    return ImageSet(pixels, kinds, names) if labels else ImageSet(pixels)


@pytest.mark.parametrize("labels", [True, False])
def test_images_are_ordered_by_every_rule(labels: bool) -> None:
    for rule in ("iid", "balanced", "decorrelated", "correlated"):
        order = ordered(some_images(labels), Arrangement(batches=rule, batch_size=8), 0)
        assert torch.equal(order.batch(0, 120).sort().values, torch.arange(120))
    members = torch.arange(0, 120, 2)
    for rule in ("iid", "balanced", "decorrelated", "correlated"):
        wanted = Arrangement(batches=rule, batch_size=8)
        order = ordered(some_images(labels), wanted, 0, members)
        assert torch.equal(order.batch(0, 60).sort().values, torch.arange(60))


def test_what_cannot_be_arranged_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"data\.balance=classes"):
        check_arrangement(some_images(), Arrangement("classes", "balanced"))
    with pytest.raises(ConfigError, match="draws each image afresh"):
        check_arrangement(og.load_data("stacked-mnist"), Arrangement(batches="decorrelated"))


def test_training_takes_the_order_it_is_asked_for() -> None:
    images = some_images()
    config = TrainingConfig.model_validate(
        {
            "data": {"batches": "decorrelated"},
            "batch_size": 8,
            "generator": {"kind": "attention", "size": 16},
            "discriminator": {"kind": "attention", "size": 16},
        }
    )
    wanted = Arrangement(batches="decorrelated", batch_size=8)
    trainer = Trainer(config, images, torch.device("cpu"))
    same = ordered(images, wanted, config.seed)
    assert torch.equal(trainer.order.batch(0, 40), same.batch(0, 40))
    train, held_out = split(images, 20, 0, wanted)
    assert not set(train.batch(0, 100).tolist()) & set(held_out.batch(0, 20).tolist())
    learning = ClassificationConfig.model_validate(
        {"data": {"batches": "balanced"}, "batch_size": 8}
    )
    stratified = ordered(images, Arrangement(batches="balanced", batch_size=8), learning.seed)
    assert torch.equal(in_memory_order(learning, images).batch(0, 9), stratified.batch(0, 9))


def test_a_run_says_how_alike_a_batch_is() -> None:
    images, wanted = some_images(), Arrangement(batches="correlated", batch_size=8)
    said = arrangement_note(images, wanted, 0)
    found = re.search(r"Batches are correlated.* of 8 .*cosine of (.*) \(any images: (.*)\)", said)
    assert found is not None
    assert float(found[1]) > float(found[2])
    config = TrainingConfig.model_validate({"data": {"batches": "correlated"}, "batch_size": 8})
    assert said in list(GanTask().notes(config, images))


def test_classifiers_leave_copies_out_and_arrange_batches(tmp_path: Path) -> None:
    images = some_images()
    twice = torch.cat([images.images, images.images[:40]])[:, 0]
    kinds = torch.cat([images.labels, images.labels[:40]])
    np.savez(tmp_path / "twice.npz", images=twice.numpy(), labels=kinds.numpy())
    kept, dropped = (
        load_split(LabelledDataConfig(source=str(tmp_path / "twice.npz"), copies=copies), 0)
        for copies in ("keep", "drop")
    )
    hashes = [hash(image.numpy().tobytes()) for image in dropped.train.images.images]
    assert len(set(hashes)) == len(hashes) < len(kept.train)
