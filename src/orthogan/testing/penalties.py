"""What every registered penalty promises."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orthogan.gan.penalties import PENALTIES
from orthogan.rng import initialization, normal, stream
from orthogan.testing.contract import Contract


class Discriminator(nn.Module):
    """Small, smooth, and as steep as its scale says."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        with initialization(0, "penalty"):
            self.first, self.last = nn.Linear(16, 8), nn.Linear(8, 1)
        self.scale = scale

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.last(self.first(images.flatten(1)).tanh())[:, 0]
        return self.scale * logits


def images() -> Tensor:
    return normal((6, 1, 4, 4), stream(0, "penalty-images"))


def penalized(name: str, discriminate: nn.Module) -> tuple[Tensor, Tensor]:
    return PENALTIES[name](discriminate, images(), stream(0, "penalty-noise"))


class PenaltyContract(Contract):
    """A penalty comes with the logits, grows with the slope, and reaches the weights."""

    registry = PENALTIES

    def test_logits_are_those_of_the_discriminator(self, name: str) -> None:
        network = Discriminator()
        logits, penalty = penalized(name, network)
        torch.testing.assert_close(logits, network(images()))
        assert penalty.shape == (6,)
        assert bool((penalty.isfinite() & (penalty >= 0)).all())

    def test_a_steeper_discriminator_is_not_penalized_less(self, name: str) -> None:
        _, flat = penalized(name, Discriminator())
        _, steep = penalized(name, Discriminator(scale=3.0))
        assert bool((steep >= flat).all())
        assert name == "none" or bool((steep > flat).any())

    def test_it_and_the_logits_can_be_differentiated_by_the_weights(self, name: str) -> None:
        network = Discriminator()
        logits, penalty = penalized(name, network)
        weight = network.first.weight
        for value, is_constant in ((logits, False), (penalty, name == "none")):
            (gradient,) = (
                torch.autograd.grad(value.sum(), weight, retain_graph=True, materialize_grads=True)
                if value.requires_grad
                else (torch.zeros_like(weight),)
            )
            assert bool(gradient.isfinite().all())
            assert bool((gradient == 0).all()) is is_constant

    def test_the_same_draws_give_the_same_penalty(self, name: str) -> None:
        network = Discriminator()
        assert torch.equal(penalized(name, network)[1], penalized(name, network)[1])
