"""What every registered generator and discriminator promises."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from orthogan.errors import ConfigError, ShapeError
from orthogan.gan import squared_gradient_norm
from orthogan.networks import (
    DISCRIMINATORS,
    GENERATORS,
    Discriminator,
    Generator,
)
from orthogan.rng import initialization, stream
from orthogan.testing.contract import Contract
from orthogan.testing.network_inputs import BATCH, images, latents, woken

SIZES, COLOURS = (16, 28, 32, 64), (1, 3)


def generator(kind: str, **settings: Any) -> Generator:
    with initialization(0, "contract"):
        return GENERATORS[kind](**settings).build()


def discriminator(kind: str, **settings: Any) -> Discriminator:
    with initialization(0, "contract"):
        return DISCRIMINATORS[kind](**settings).build()


LABELS = torch.tensor([0, 9, 3])


class GeneratorContract(Contract):
    """Images of any size from latents, classes, gradients, bfloat16."""

    registry = GENERATORS
    argument = "kind"

    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("colours", COLOURS)
    def test_generators_make_images_of_the_asked_shape(
        self, kind: str, size: int, colours: int
    ) -> None:
        network = generator(kind, size=size, colours=colours)
        made = network(latents())
        assert made.shape == (BATCH, colours, size, size)
        assert made.dtype == torch.float32
        # A fresh generator stays near the pixel range and shows each latent another image.
        assert 0.001 < float(made.detach().abs().max()) < 10
        assert not torch.allclose(made[0], made[1])

    def test_generators_of_a_batch_treat_each_latent_alone(self, kind: str) -> None:
        network = generator(kind, size=16)
        woken(network)
        alone = network(latents()[:1])
        torch.testing.assert_close(network(latents())[:1], alone, rtol=1e-4, atol=1e-4)

    def test_classes_decide_what_a_generator_makes(self, kind: str) -> None:
        network = generator(kind, size=16, classes=10)
        woken(network)
        same = latents()[:1].expand(BATCH, -1)
        made = network(same, LABELS)
        assert not torch.allclose(made[0], made[1])
        torch.testing.assert_close(network(same, LABELS.flip(0)), made.flip(0))

    def test_a_generator_draws_the_classes_it_is_not_told(self, kind: str) -> None:
        with pytest.raises(ConfigError, match="unconditional and takes no labels"):
            generator(kind, size=16)(latents(), LABELS)
        network = generator(kind, size=16, classes=10)
        drawn = network.classes_of(latents())
        assert torch.equal(network(latents()), network(latents(), drawn))
        assert not torch.equal(network(latents()), network(latents(), 9 - drawn))

    def test_generators_refuse_latents_of_another_length(self, kind: str) -> None:
        with pytest.raises(ShapeError, match="Expected latents of length 64, got 63"):
            generator(kind, size=16)(latents(63))

    @pytest.mark.parametrize("scale", [0.1, 1e3])
    def test_generators_ignore_the_length_of_the_noise(self, kind: str, scale: float) -> None:
        network = generator(kind, size=16)
        made = network(latents())
        torch.testing.assert_close(network(scale * latents()), made, rtol=1e-3, atol=1e-4)

    def test_every_parameter_of_a_generator_gets_a_gradient(self, kind: str) -> None:
        network = generator(kind, size=16, classes=10)
        woken(network)
        target = images()
        (network(latents(), LABELS) - target).square().mean().backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert bool(torch.isfinite(parameter.grad).all()), name
            assert float(parameter.grad.abs().max()) > 0, name

    def test_generators_run_in_bfloat16(self, kind: str) -> None:
        network = generator(kind, size=16)
        woken(network)
        exact = network(latents())
        with torch.autocast("cpu", torch.bfloat16):
            rounded = network(latents()).float()
            rounded.square().mean().backward()
        torch.testing.assert_close(rounded, exact, rtol=0.1, atol=0.1 * float(exact.detach().std()))
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert bool(torch.isfinite(parameter.grad).all()), name

    def test_generators_can_be_saved_and_restored(self, kind: str) -> None:
        first, second = generator(kind, size=16, classes=10), generator(kind, size=16, classes=10)
        woken(first)
        assert not torch.equal(first(latents(), LABELS), second(latents(), LABELS))
        second.load_state_dict(first.state_dict())
        assert torch.equal(first(latents(), LABELS), second(latents(), LABELS))


class DiscriminatorContract(Contract):
    """One logit an image, classes, the penalty's second derivative, bfloat16."""

    registry = DISCRIMINATORS
    argument = "kind"

    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("colours", COLOURS)
    def test_discriminators_give_one_logit_an_image(
        self, kind: str, size: int, colours: int
    ) -> None:
        network = discriminator(kind, size=size, colours=colours)
        logits = network(images(size, colours))
        assert logits.shape == (BATCH,)
        assert float(logits.detach().abs().max()) < 10
        assert logits[0] != logits[1]

    def test_discriminators_judge_each_image_alone(self, kind: str) -> None:
        network = discriminator(kind, size=16)
        torch.testing.assert_close(
            network(images())[:1], network(images()[:1]), rtol=1e-4, atol=1e-4
        )

    def test_probability_is_the_sigmoid_of_the_logit(self, kind: str) -> None:
        network = discriminator(kind, size=16)
        probability = network.probability(images())
        torch.testing.assert_close(probability, torch.sigmoid(network(images())))
        assert bool(((probability > 0) & (probability < 1)).all())
        with_classes = discriminator(kind, size=16, classes=10)
        torch.testing.assert_close(
            with_classes.probability(images(), LABELS), with_classes(images(), LABELS).sigmoid()
        )

    def test_classes_decide_what_a_discriminator_says(self, kind: str) -> None:
        network = discriminator(kind, size=16, classes=10)
        same = images()[:1].expand(BATCH, -1, -1, -1)
        assert (
            len({round(logit, 6) for logit in network(same, LABELS).tolist()}) == 1
        )  # not yet learnt
        woken(network)
        assert len({round(logit, 6) for logit in network(same, LABELS).tolist()}) == BATCH

    def test_a_discriminator_averages_the_odds_over_classes_it_is_not_told(self, kind: str) -> None:
        with pytest.raises(ConfigError, match="unconditional and takes no labels"):
            discriminator(kind, size=16)(images(), LABELS)
        network = discriminator(kind, size=16, classes=3)
        assert network.class_features is not None
        with torch.no_grad():
            network.class_features.weight.copy_(torch.randn(network.class_features.weight.shape))
            network.class_shares.copy_(torch.tensor([0.5, 0.0, 0.5]))
        odds = [network(images(), torch.full((len(images()),), label)).exp() for label in (0, 2)]
        torch.testing.assert_close(network(images()).exp(), (odds[0] + odds[1]) / 2)

    @pytest.mark.parametrize("wrong", [images(28), images(16, 3), images(16)[..., :12]])
    def test_discriminators_refuse_images_of_another_shape(self, kind: str, wrong: Tensor) -> None:
        with pytest.raises(ShapeError, match=r"Expected images \(1, 16, 16\), got \("):
            discriminator(kind, size=16)(wrong)

    def test_every_parameter_of_a_discriminator_gets_a_gradient(self, kind: str) -> None:
        network = discriminator(kind, size=16, classes=10)
        woken(network)
        network(images(), LABELS).square().mean().backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert float(parameter.grad.abs().max()) > 0, name

    def test_the_exact_penalty_reaches_every_weight_of_a_discriminator(self, kind: str) -> None:
        network = discriminator(kind, size=16, classes=10)
        woken(network)
        _, penalty = squared_gradient_norm(
            lambda batch: network(batch, LABELS), images(), stream(0, "unused")
        )
        penalty.mean().backward()
        # An offset moves no slope in a piecewise linear network, so only weights must be reached.
        for name, parameter in network.named_parameters():
            if parameter.dim() > 1 and name != "positions.codes":
                assert parameter.grad is not None, name
                assert bool(torch.isfinite(parameter.grad).all()), name
                assert float(parameter.grad.abs().max()) > 0, name

    def test_discriminators_run_in_bfloat16_with_the_exact_penalty(self, kind: str) -> None:
        network = discriminator(kind, size=16)
        _, exact = squared_gradient_norm(network, images(), stream(0, "unused"))
        with torch.autocast("cpu", torch.bfloat16):
            logits, rounded = squared_gradient_norm(network, images(), stream(0, "unused"))
            (logits.float().mean() + rounded.mean()).backward()
        assert rounded.dtype == torch.float32
        torch.testing.assert_close(rounded, exact, rtol=0.1, atol=0.0)
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert bool(torch.isfinite(parameter.grad).all()), name

    def test_discriminators_can_be_saved_and_restored(self, kind: str) -> None:
        first, second = discriminator(kind, size=16), discriminator(kind, size=16)
        woken(first)
        assert not torch.equal(first(images()), second(images()))
        second.load_state_dict(first.state_dict())
        assert torch.equal(first(images()), second(images()))
