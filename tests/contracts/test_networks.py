"""Every registered generator and discriminator keeps its contract, and the habits of this house."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from orthogan.networks import DISCRIMINATORS, GENERATORS
from orthogan.testing.network_inputs import images, latents
from orthogan.testing.networks import (
    DiscriminatorContract,
    GeneratorContract,
    discriminator,
    generator,
)

EVERY_GENERATOR = pytest.mark.parametrize("kind", list(GENERATORS))
EVERY_DISCRIMINATOR = pytest.mark.parametrize("kind", list(DISCRIMINATORS))


class TestGenerators(GeneratorContract):
    """All that are registered."""


class TestDiscriminators(DiscriminatorContract):
    """All that are registered."""


def test_drawn_classes_have_their_shares_and_leave_the_direction_alone() -> None:
    network = generator("attention", size=16, classes=4)
    network.class_shares.copy_(torch.tensor([0.5, 0.0, 0.2, 0.3]))
    many = torch.randn(20_000, 64, generator=torch.Generator().manual_seed(0))
    drawn = network.classes_of(many)
    shares = torch.bincount(drawn, minlength=4) / len(drawn)
    assert (shares - network.class_shares).abs().max() < 4 * 0.5 / len(drawn) ** 0.5
    assert shares[1] == 0
    # What the network sees of a latent says nothing about the class.
    direction = many / many.norm(dim=1, keepdim=True)
    means = torch.stack([direction[drawn == label].mean(0) for label in (0, 2, 3)])
    assert means.abs().max() < 5 / 64**0.5 / (drawn == 2).sum() ** 0.5


class ActivationLog(TorchDispatchMode):
    """Notes every elementwise non-linearity that runs."""

    WATCHED = ("relu", "leaky_relu", "gelu", "silu", "elu", "tanh", "sigmoid", "softplus", "mish")

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, float]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = func.overloadpacket.__name__.strip("_")
        if name in self.WATCHED or name.startswith("hard"):
            slope = float(args[1]) if name == "leaky_relu" and len(args) > 1 else 0.0
            self.seen.append((name, slope))
        return func(*args, **(kwargs or {}))


@EVERY_GENERATOR
def test_generators_use_relu_in_every_hidden_layer(kind: str) -> None:
    network, noise = generator(kind, size=16), latents()
    with ActivationLog() as log:
        network(noise)
    assert set(log.seen) == {("relu", 0.0)}
    # Of a network of blocks: two dense layers, one a block at least, and one in the image head.
    blocks = getattr(network.config, "blocks", None)
    assert len(log.seen) >= (1 if blocks is None else 3 + blocks)


@EVERY_DISCRIMINATOR
def test_discriminators_use_leaky_relu_in_every_hidden_layer(kind: str) -> None:
    network, shown = discriminator(kind, size=16), images()
    with ActivationLog() as log:
        network(shown)
    assert set(log.seen) == {("leaky_relu", 0.2)}
    assert len(log.seen) >= 3 + getattr(network.config, "blocks", 0)
