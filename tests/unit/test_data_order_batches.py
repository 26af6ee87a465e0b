from __future__ import annotations

import pytest
import torch

from orthogan import rng
from orthogan.data import Order, batch_indices
from orthogan.data.order import Triples
from orthogan.errors import ConfigError


def test_seeds_and_epochs_differ() -> None:
    first = Order(1000, seed=0)
    assert not torch.equal(first.batch(0, 1000), first.batch(1000, 1000))
    assert not torch.equal(first.batch(0, 1000), Order(1000, seed=1).batch(0, 1000))


def test_the_first_epoch_is_the_named_permutation() -> None:
    batch = Order(50, seed=3).batch(0, 50)
    assert batch.dtype == torch.int64
    assert torch.equal(batch, rng.permutation(50, 3, "order", 0))


def test_a_permutation_is_computed_once_per_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    epochs: list[int] = []
    original = rng.permutation

    def counted(num_items: int, seed: int, name: str, epoch: int) -> torch.Tensor:
        epochs.append(epoch)
        return original(num_items, seed, name, epoch)

    monkeypatch.setattr(rng, "permutation", counted)
    order = Order(100, seed=0)
    for step in range(30):
        order.batch(10 * step, 10)
    assert epochs == [0, 1, 2]


@pytest.mark.parametrize(("images_seen", "batch_size"), [(-1, 4), (0, 0), (0, -3)])
def test_impossible_batches_are_refused(images_seen: int, batch_size: int) -> None:
    with pytest.raises(ConfigError, match="images_seen >= 0 and batch_size >= 1"):
        Order(10, seed=0).batch(images_seen, batch_size)


def test_triples_depend_on_the_seed_and_on_their_place_alone() -> None:
    whole = Triples(10, seed=1).batch(0, 25)
    assert whole.shape == (25, 3)
    assert torch.equal(Triples(10, seed=1).batch(7, 9), whole[7:16])  # across two blocks
    assert not torch.equal(whole[:10], whole[10:20])
    assert not torch.equal(Triples(10, seed=2).batch(0, 25), whole)


def test_an_order_needs_images_and_a_seed() -> None:
    with pytest.raises(ConfigError, match="at least 1 image, got 0"):
        Order(0, seed=0)
    with pytest.raises(ConfigError, match="seed"):
        Order(1, seed=-1)


@pytest.mark.parametrize(
    ("rank", "world_size", "message"),
    [(2, 2, "got 2 of 2"), (-1, 2, "got -1 of 2"), (0, 0, "got 0 of 0"), (0, 3, "multiple")],
)
def test_impossible_shares_are_refused(rank: int, world_size: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        batch_indices(10, 0, 0, 8, rank, world_size)
