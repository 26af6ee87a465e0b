"""The generator of the cross-attention study: its class comes through the keys, and only so."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from orthogan.errors import ConfigError
from orthogan.networks import GENERATORS, Generator
from orthogan.rng import latents

SETTINGS = {"size": 16, "hidden": 8, "width": 8, "channels": 8, "class_width": 6, "class_tokens": 3}


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    """The plugin, for these tests alone: others list the generators that the package has."""
    before = [dict(GENERATORS._parts), dict(GENERATORS._about)]
    importlib.import_module("cross_attention_gan")
    yield
    GENERATORS._parts, GENERATORS._about = before
    del sys.modules["cross_attention_gan"]


def generator(**settings: object) -> Generator:
    torch.manual_seed(0)
    made: Any = GENERATORS["cross-attention"](**(SETTINGS | {"classes": 4} | settings))
    built: Generator = made.build()
    return built


@pytest.mark.parametrize("keys", ["learned", "values", "queries", "identity"])
def test_the_class_decides_the_image(keys: str) -> None:
    network = generator(cross_keys=keys)
    noise = latents(range(2), 64)
    images = [network(noise, torch.full((2,), label)) for label in range(4)]
    assert images[0].shape == (2, 1, 16, 16)
    assert len({float(image.detach().sum()) for image in images}) == 4
    drawn = network(noise)
    assert torch.equal(drawn, network(noise, network.classes_of(noise)))


def test_nothing_of_the_class_comes_another_way() -> None:
    network = generator()
    assert network.class_latents is None
    with torch.no_grad():
        network.cross.output.weight.zero_()
    noise = latents(range(2), 64)
    first, other = (network(noise, torch.full((2,), label)) for label in (0, 3))
    assert torch.equal(first, other)


def test_without_classes_there_is_one_and_keys_that_cannot_be_are_refused() -> None:
    assert generator(classes=0)(latents(range(2), 64)).shape == (2, 1, 16, 16)
    with pytest.raises(ConfigError, match="too few tokens to whiten"):
        generator(cross_keys="whitened")
    with pytest.raises(ConfigError, match="Dual keys"):
        generator(cross_keys="dual", score="cosine")
