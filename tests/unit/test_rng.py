"""Counter-based randomness: draws depend on (seed, stream, counter, rank) and nothing else."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from orthogan import rng
from orthogan.errors import ConfigError

KNOWN = [5338373255444127318, 3807446338912731799]
KNOWN_LATENT = [-1.5883010625839233, -1.8644132614135742, -1.2957199811935425]


def bits(seed: int, name: str = "demo", counter: int = 0, rank: int = 0) -> list[int]:
    return rng.stream(seed, name, counter, rank).integers(2**63, size=8).tolist()


def test_a_draw_does_not_depend_on_history() -> None:
    first = bits(7, counter=3)
    source = rng.stream(7, "demo")
    source.standard_normal(1000)
    torch.manual_seed(5)
    np.random.default_rng(5).random(10)
    assert bits(7, counter=3) == first


def test_known_draws_never_change() -> None:
    # Saved runs and the images of seeds depend on these bits.
    assert bits(7)[:2] == KNOWN
    expected = torch.tensor(KNOWN_LATENT)
    torch.testing.assert_close(rng.latents([7], 3)[0], expected, rtol=0, atol=1e-6)


def test_seed_stream_counter_and_rank_all_matter() -> None:
    variants = [
        bits(7),
        bits(8),
        bits(7, "other"),
        bits(7, counter=1),
        bits(7, rank=1),
        bits(rng.MAX_SEED),
    ]
    assert len({tuple(draws) for draws in variants}) == len(variants)


def test_neighbouring_counters_do_not_overlap() -> None:
    # A stream that took a long draw must not run into the next counter's stream.
    long = rng.stream(7, "demo", 0).integers(2**63, size=5000).tolist()
    assert not set(long) & set(bits(7, counter=1))


def test_normal_draws_are_standard_normal() -> None:
    draws = rng.normal((20_000,), rng.stream(3, "demo"))
    assert draws.dtype == torch.float32
    assert abs(float(draws.mean())) < 0.03
    assert abs(float(draws.var()) - 1) < 0.05
    assert abs(float(draws.pow(4).mean()) - 3) < 0.3


def test_latents_are_the_same_in_any_batch() -> None:
    together = rng.latents([3, 7, 0, 7, 2**62], 5)
    for row, seed in zip(together, [3, 7, 0, 7, 2**62], strict=True):
        assert torch.equal(row, rng.latents([seed], 5)[0])
    assert not torch.equal(together[0], together[1])
    assert rng.latents([], 5).shape == (0, 5)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_seeds_outside_the_range_are_refused(seed: int) -> None:
    with pytest.raises(ConfigError, match=f"A seed lies between 0 and .*got {seed}"):
        rng.check_seed(seed)
    with pytest.raises(ConfigError, match="seed"):
        rng.stream(seed, "demo")
    with pytest.raises(ConfigError, match="seed"):
        rng.latents([0, seed], 4)
    assert rng.check_seed(2**63 - 1) == 2**63 - 1


def test_permutations_are_whole_and_differ_by_epoch_seed_and_name() -> None:
    orders = [
        rng.permutation(50, 0, "order", 0),
        rng.permutation(50, 0, "order", 1),
        rng.permutation(50, 1, "order", 0),
        rng.permutation(50, 0, "other", 0),
    ]
    assert all(sorted(order.tolist()) == list(range(50)) for order in orders)
    assert len({tuple(order.tolist()) for order in orders}) == 4
    assert orders[0].dtype == torch.int64
    assert torch.equal(orders[0], rng.permutation(50, 0, "order", 0))


def initialized(seed: int, name: str = "demo", attempt: int = 0) -> torch.Tensor:
    with rng.initialization(seed, name, attempt):
        return torch.nn.Linear(4, 4).weight.detach()


def test_initialization_depends_on_its_arguments_alone() -> None:
    torch.manual_seed(1)
    first = initialized(0)
    torch.manual_seed(2)
    assert torch.equal(first, initialized(0))
    others = [initialized(1), initialized(0, "other"), initialized(0, attempt=1)]
    assert not any(torch.equal(first, other) for other in others)


def test_initialization_leaves_the_global_generators_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    python, numpy_state = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    initialized(0)
    with pytest.raises(ZeroDivisionError), rng.initialization(0, "demo"):
        _ = torch.rand(3).tolist()[0] / 0
    assert torch.equal(torch.get_rng_state(), before)
    assert random.getstate() == python
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
