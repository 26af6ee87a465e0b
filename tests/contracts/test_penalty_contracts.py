"""What every registered penalty promises."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from orthogan.gan.penalties import PENALTIES
from orthogan.rng import initialization, normal, stream

EVERY_PENALTY = pytest.mark.parametrize("name", list(PENALTIES))


class Discriminator(nn.Module):
    """Small, smooth, and as steep as its scale says."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        with initialization(0, "penalty"):
            self.layers = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 1))
        self.scale = scale

    def forward(self, images: Tensor) -> Tensor:
        return self.scale * self.layers(images)[:, 0]


def images() -> Tensor:
    return normal((6, 1, 4, 4), stream(0, "penalty-images"))


def penalized(name: str, discriminate: nn.Module) -> tuple[Tensor, Tensor]:
    return PENALTIES[name](discriminate, images(), stream(0, "penalty-noise"))


@EVERY_PENALTY
def test_logits_are_those_of_the_discriminator(name: str) -> None:
    network = Discriminator()
    logits, penalty = penalized(name, network)
    torch.testing.assert_close(logits, network(images()))
    assert penalty.shape == (6,)
    assert bool((penalty.isfinite() & (penalty >= 0)).all())


@EVERY_PENALTY
def test_a_steeper_discriminator_is_not_penalized_less(name: str) -> None:
    _, flat = penalized(name, Discriminator())
    _, steep = penalized(name, Discriminator(scale=3.0))
    assert bool((steep >= flat).all())
    assert name == "none" or bool((steep > flat).any())


@EVERY_PENALTY
def test_it_and_the_logits_can_be_differentiated_by_the_weights(name: str) -> None:
    network = Discriminator()
    logits, penalty = penalized(name, network)
    weight = network.layers[1].weight
    for value, is_constant in ((logits, False), (penalty, name == "none")):
        (gradient,) = (
            torch.autograd.grad(value.sum(), weight, retain_graph=True, materialize_grads=True)
            if value.requires_grad
            else (torch.zeros_like(weight),)
        )
        assert bool(gradient.isfinite().all())
        assert bool((gradient == 0).all()) is is_constant


@EVERY_PENALTY
def test_the_same_draws_give_the_same_penalty(name: str) -> None:
    network = Discriminator()
    assert torch.equal(penalized(name, network)[1], penalized(name, network)[1])
