"""The order of training: a function of (seed, images_seen) whatever the batches."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orthogan.data import Order, batch_indices

counts = st.integers(1, 40)
sizes = st.integers(1, 100)
seeds = st.integers(0, 2**63 - 1)


@settings(deadline=None, max_examples=30)
@given(counts, seeds, sizes, st.integers(1, 3))
def test_every_epoch_shows_every_image_once(
    num_images: int, seed: int, batch_size: int, num_epochs: int
) -> None:
    order = Order(num_images, seed)
    shown: list[int] = []
    while len(shown) < num_epochs * num_images:
        shown += order.batch(len(shown), batch_size).tolist()
    for epoch in range(num_epochs):
        indices = shown[epoch * num_images : (epoch + 1) * num_images]
        assert sorted(indices) == list(range(num_images))


@settings(deadline=None, max_examples=30)
@given(counts, seeds, st.integers(0, 500), sizes, st.lists(st.integers(0, 500), max_size=5))
def test_a_batch_does_not_depend_on_history(
    num_images: int, seed: int, images_seen: int, batch_size: int, history: list[int]
) -> None:
    used = Order(num_images, seed)
    for other in history:
        used.batch(other, 7)
    fresh = Order(num_images, seed).batch(images_seen, batch_size)
    assert torch.equal(used.batch(images_seen, batch_size), fresh)


@settings(deadline=None, max_examples=30)
@given(counts, seeds, st.integers(0, 500), sizes, sizes)
def test_two_batches_in_a_row_are_one_larger_batch(
    num_images: int, seed: int, images_seen: int, first: int, second: int
) -> None:
    order = Order(num_images, seed)
    pieces = [order.batch(images_seen, first), order.batch(images_seen + first, second)]
    assert torch.equal(torch.cat(pieces), order.batch(images_seen, first + second))


@settings(deadline=None, max_examples=30)
@given(counts, seeds, st.integers(0, 500), st.integers(1, 20), st.integers(1, 5))
def test_the_shares_of_all_ranks_are_the_batch(
    num_images: int, seed: int, images_seen: int, share: int, world_size: int
) -> None:
    batch_size = share * world_size
    shares = [
        batch_indices(num_images, seed, images_seen, batch_size, rank, world_size)
        for rank in range(world_size)
    ]
    assert torch.equal(torch.cat(shares), Order(num_images, seed).batch(images_seen, batch_size))
