"""From seeds to pixels: the image of a seed never depends on its neighbours."""

from __future__ import annotations

from threading import Barrier
from typing import Any

import numpy as np
import pytest
import torch

from orthogan import rng
from orthogan.data import to_pixels
from orthogan.errors import ConfigError
from orthogan.inference_batches import INFERENCE_BATCH_SIZE, inference_batches
from orthogan.networks import GENERATORS, Generator
from orthogan.networks.sampling import sample_pixels


def generator(kind: str = "attention", classes: int = 0) -> Generator:
    with rng.initialization(0, "sampling"):
        network = GENERATORS[kind](size=16, classes=classes).build()
    with torch.no_grad():
        for i, parameter in enumerate(network.parameters()):
            parameter.add_(0.1 * rng.normal(tuple(parameter.shape), rng.stream(0, "wake", i)))
    return network


@pytest.mark.parametrize("kind", list(GENERATORS))
@pytest.mark.parametrize("classes", [0, 10])
def test_an_image_is_the_same_in_any_batch(kind: str, classes: int) -> None:
    network = generator(kind, classes)
    alone = sample_pixels(network, [7])[0]
    batches = [
        [7, 8],
        [8, 7],
        [7, 7, 7],
        [*range(100, 163), 7],
        [*range(100, 164), 7],
        [*range(30)],
        [*range(200, 200 + 2 * INFERENCE_BATCH_SIZE), 7],
        [*range(INFERENCE_BATCH_SIZE)],
    ]
    for seeds in batches:
        made = sample_pixels(network, seeds)
        for position in (i for i, seed in enumerate(seeds) if seed == 7):
            assert torch.equal(made[position], alone), (len(seeds), position)


def test_every_place_in_a_pass_gives_the_same_bits() -> None:
    made = sample_pixels(generator(), [7] * (INFERENCE_BATCH_SIZE + 3))
    assert torch.equal(made, made[:1].expand_as(made))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_number_of_threads_gives_the_same_bits(threads: int) -> None:
    network, before = generator(), torch.get_num_threads()
    wanted = sample_pixels(network, range(3 * INFERENCE_BATCH_SIZE + 1))
    torch.set_num_threads(threads)
    try:
        assert torch.equal(sample_pixels(network, range(3 * INFERENCE_BATCH_SIZE + 1)), wanted)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_who_watches_sees_one_pass_after_another() -> None:
    network, meeting, seen = generator(), Barrier(2), []

    def watch(_part: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        seen.append((given[0][0].clone(), torch.get_num_threads()))

    network.register_forward_pre_hook(watch)
    sample_pixels(network, range(4 * INFERENCE_BATCH_SIZE), in_order=True)
    firsts = rng.latents(range(0, 4 * INFERENCE_BATCH_SIZE, INFERENCE_BATCH_SIZE), 64)
    assert torch.equal(torch.stack([first for first, _ in seen]), firsts)
    assert {threads for _, threads in seen} == {1}

    def meet(_part: torch.nn.Module, _given: object) -> None:
        meeting.wait(timeout=60)  # two of them at once, or the barrier breaks

    network.register_forward_pre_hook(meet)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        sample_pixels(network, range(2 * INFERENCE_BATCH_SIZE))
    finally:
        torch.set_num_threads(before)


def test_what_goes_wrong_in_a_pass_is_told_and_the_threads_are_as_before() -> None:
    network, before = generator(), torch.get_num_threads()

    def fail(_part: torch.nn.Module, _given: object) -> None:
        raise KeyboardInterrupt

    network.register_forward_pre_hook(fail)
    with pytest.raises(KeyboardInterrupt):
        sample_pixels(network, range(2 * INFERENCE_BATCH_SIZE))
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("kind", list(GENERATORS))
@pytest.mark.parametrize("num_seeds", [1, 3, INFERENCE_BATCH_SIZE - 1, INFERENCE_BATCH_SIZE + 5])
def test_a_short_last_pass_is_computed_like_a_full_one(kind: str, num_seeds: int) -> None:
    network, drawn = generator(kind, classes=3), []

    def note(_part: torch.nn.Module, given: tuple[Any, ...], images: torch.Tensor) -> None:
        drawn.append((given[0].shape[0], images))

    network.register_forward_hook(note)
    sample_pixels(network, range(num_seeds), in_order=True)
    floats = torch.cat([images for _, images in drawn])[:num_seeds]
    assert {size for size, _ in drawn} == {INFERENCE_BATCH_SIZE}
    drawn.clear()
    sample_pixels(network, range(2 * INFERENCE_BATCH_SIZE), in_order=True)
    # Not pixels: rounding to 256 steps hides what another order of summing changes.
    assert torch.equal(floats, torch.cat([images for _, images in drawn])[:num_seeds])


@pytest.mark.parametrize("classes", [None, [2, 0]])
def test_every_pass_is_padded_by_its_last_row(classes: list[int] | None) -> None:
    found = list(inference_batches(range(INFERENCE_BATCH_SIZE + 2), 5, 3, classes))
    assert [latents.shape for latents, _ in found] == [(INFERENCE_BATCH_SIZE, 5)] * 2
    last, labels = found[-1]
    assert (last[1:] == last[1]).all()
    assert not (last[0] == last[1]).all()
    if classes is None:
        assert labels is None
    else:
        assert labels is not None
        assert labels.tolist() == [2] + [0] * (INFERENCE_BATCH_SIZE - 1)


def test_pixels_are_what_the_generator_makes() -> None:
    network = generator()
    made = sample_pixels(network, range(5))
    expected = to_pixels(network(rng.latents(range(5), 64)).detach())
    assert made.dtype == torch.uint8
    assert made.shape == (5, 1, 16, 16)
    assert int((made.int() - expected.int()).abs().max()) <= 1
    assert not torch.equal(made[0], made[1])
    assert not network.training


@pytest.mark.parametrize(
    "num_seeds", [0, 1, INFERENCE_BATCH_SIZE - 1, INFERENCE_BATCH_SIZE, INFERENCE_BATCH_SIZE + 1]
)
def test_one_image_a_seed(num_seeds: int) -> None:
    assert sample_pixels(generator(), range(num_seeds)).shape == (num_seeds, 1, 16, 16)
    assert sample_pixels(generator(classes=3), range(num_seeds)).shape[0] == num_seeds


def test_classes_are_shown_in_turn() -> None:
    network = generator(classes=10)
    made = sample_pixels(network, [5, 5, 5, 5], classes=[3, 8])
    assert torch.equal(made[0], made[2])
    assert torch.equal(made[1], made[3])
    assert not torch.equal(made[0], made[1])
    assert torch.equal(sample_pixels(network, [5], classes=[8])[0], made[1])


def test_without_classes_a_seed_picks_its_own() -> None:
    network = generator(classes=10)
    drawn = network.classes_of(rng.latents(range(40), 64)).tolist()
    assert len(set(drawn)) > 5
    assert torch.equal(sample_pixels(network, range(40)), sample_pixels(network, range(40), drawn))


@pytest.mark.parametrize("seeds", [[-1], [0, 2**63]])
def test_impossible_seeds_are_refused(seeds: list[int]) -> None:
    for classes in (0, 10):
        with pytest.raises(ConfigError, match="A seed lies between"):
            sample_pixels(generator(classes=classes), seeds)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([10], r"Classes lie in 0\.\.9, got \[10\]"),
        ([3, -1], r"got \[-1\]"),
        ([], "got none"),
    ],
)
def test_impossible_classes_are_refused(classes: list[int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        sample_pixels(generator(classes=10), [0], classes)


def test_classes_of_an_unconditional_generator_are_refused() -> None:
    for classes in ([0], []):
        with pytest.raises(ConfigError, match="trained without classes"):
            sample_pixels(generator(), [0], classes)


@pytest.mark.parametrize("num_images", [1, INFERENCE_BATCH_SIZE, INFERENCE_BATCH_SIZE + 6])
def test_every_pass_has_one_size_and_classes_go_on_through_all(num_images: int) -> None:
    """Kernels sum in an order that depends on the shape; the last pass is no exception."""
    given = list(inference_batches(range(num_images), 8, 3, [2, 0, 1]))
    assert {(latents.shape, labels.shape) for latents, labels in given} == {
        ((INFERENCE_BATCH_SIZE, 8), (INFERENCE_BATCH_SIZE,))
    }
    latents = np.concatenate([each for each, _ in given])[:num_images]
    labels = np.concatenate([each for _, each in given])[:num_images]
    assert labels.tolist() == [(2, 0, 1)[index % 3] for index in range(num_images)]
    assert np.array_equal(latents, rng.latents(range(num_images), 8).numpy())
