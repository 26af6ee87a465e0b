"""What every registered generator and discriminator promises."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from network_inputs import BATCH, images, latents, woken
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from orthogan.errors import ConfigError, ShapeError
from orthogan.gan import squared_gradient_norm
from orthogan.networks import (
    DISCRIMINATORS,
    GENERATORS,
    Discriminator,
    Generator,
)
from orthogan.rng import initialization, stream

SIZES, COLOURS = (16, 28, 32, 64), (1, 3)
EVERY_GENERATOR = pytest.mark.parametrize("kind", list(GENERATORS))
EVERY_DISCRIMINATOR = pytest.mark.parametrize("kind", list(DISCRIMINATORS))


def generator(kind: str, **settings: Any) -> Generator:
    with initialization(0, "contract"):
        return GENERATORS[kind](**settings).build()


def discriminator(kind: str, **settings: Any) -> Discriminator:
    with initialization(0, "contract"):
        return DISCRIMINATORS[kind](**settings).build()


LABELS = torch.tensor([0, 9, 3])


@EVERY_GENERATOR
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("colours", COLOURS)
def test_generators_make_images_of_the_asked_shape(kind: str, size: int, colours: int) -> None:
    network = generator(kind, size=size, colours=colours)
    made = network(latents())
    assert made.shape == (BATCH, colours, size, size)
    assert made.dtype == torch.float32
    # A fresh generator stays near the pixel range and shows each latent another image.
    assert 0.001 < float(made.detach().abs().max()) < 10
    assert not torch.allclose(made[0], made[1])


@EVERY_DISCRIMINATOR
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("colours", COLOURS)
def test_discriminators_give_one_logit_an_image(kind: str, size: int, colours: int) -> None:
    network = discriminator(kind, size=size, colours=colours)
    logits = network(images(size, colours))
    assert logits.shape == (BATCH,)
    assert float(logits.detach().abs().max()) < 10
    assert logits[0] != logits[1]


@EVERY_GENERATOR
def test_generators_of_a_batch_treat_each_latent_alone(kind: str) -> None:
    network = generator(kind, size=16)
    woken(network)
    alone = network(latents()[:1])
    torch.testing.assert_close(network(latents())[:1], alone, rtol=1e-4, atol=1e-4)


@EVERY_DISCRIMINATOR
def test_discriminators_judge_each_image_alone(kind: str) -> None:
    network = discriminator(kind, size=16)
    torch.testing.assert_close(network(images())[:1], network(images()[:1]), rtol=1e-4, atol=1e-4)


@EVERY_DISCRIMINATOR
def test_probability_is_the_sigmoid_of_the_logit(kind: str) -> None:
    network = discriminator(kind, size=16)
    probability = network.probability(images())
    torch.testing.assert_close(probability, torch.sigmoid(network(images())))
    assert bool(((probability > 0) & (probability < 1)).all())
    with_classes = discriminator(kind, size=16, classes=10)
    torch.testing.assert_close(
        with_classes.probability(images(), LABELS), with_classes(images(), LABELS).sigmoid()
    )


@EVERY_GENERATOR
def test_classes_decide_what_a_generator_makes(kind: str) -> None:
    network = generator(kind, size=16, classes=10)
    woken(network)
    same = latents()[:1].expand(BATCH, -1)
    made = network(same, LABELS)
    assert not torch.allclose(made[0], made[1])
    torch.testing.assert_close(network(same, LABELS.flip(0)), made.flip(0))


@EVERY_DISCRIMINATOR
def test_classes_decide_what_a_discriminator_says(kind: str) -> None:
    network = discriminator(kind, size=16, classes=10)
    same = images()[:1].expand(BATCH, -1, -1, -1)
    assert len({round(logit, 6) for logit in network(same, LABELS).tolist()}) == 1  # not yet learnt
    woken(network)
    assert len({round(logit, 6) for logit in network(same, LABELS).tolist()}) == BATCH


@EVERY_GENERATOR
def test_a_generator_draws_the_classes_it_is_not_told(kind: str) -> None:
    with pytest.raises(ConfigError, match="unconditional and takes no labels"):
        generator(kind, size=16)(latents(), LABELS)
    network = generator(kind, size=16, classes=10)
    drawn = network.classes_of(latents())
    assert torch.equal(network(latents()), network(latents(), drawn))
    assert not torch.equal(network(latents()), network(latents(), 9 - drawn))


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


@EVERY_DISCRIMINATOR
def test_a_discriminator_averages_the_odds_over_classes_it_is_not_told(kind: str) -> None:
    with pytest.raises(ConfigError, match="unconditional and takes no labels"):
        discriminator(kind, size=16)(images(), LABELS)
    network = discriminator(kind, size=16, classes=3)
    with torch.no_grad():
        network.class_features.weight.copy_(torch.randn(network.class_features.weight.shape))
        network.class_shares.copy_(torch.tensor([0.5, 0.0, 0.5]))
    odds = [network(images(), torch.full((len(images()),), label)).exp() for label in (0, 2)]
    torch.testing.assert_close(network(images()).exp(), (odds[0] + odds[1]) / 2)


@EVERY_GENERATOR
def test_generators_refuse_latents_of_another_length(kind: str) -> None:
    with pytest.raises(ShapeError, match="Expected latents of length 64, got 63"):
        generator(kind, size=16)(latents(63))


@EVERY_DISCRIMINATOR
@pytest.mark.parametrize("wrong", [images(28), images(16, 3), images(16)[..., :12]])
def test_discriminators_refuse_images_of_another_shape(kind: str, wrong: Tensor) -> None:
    with pytest.raises(ShapeError, match=r"Expected images \(1, 16, 16\), got \("):
        discriminator(kind, size=16)(wrong)


@EVERY_GENERATOR
@pytest.mark.parametrize("scale", [0.1, 1e3])
def test_generators_ignore_the_length_of_the_noise(kind: str, scale: float) -> None:
    network = generator(kind, size=16)
    made = network(latents())
    torch.testing.assert_close(network(scale * latents()), made, rtol=1e-3, atol=1e-4)


@EVERY_GENERATOR
def test_every_parameter_of_a_generator_gets_a_gradient(kind: str) -> None:
    network = generator(kind, size=16, classes=10)
    woken(network)
    target = images()
    (network(latents(), LABELS) - target).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert bool(torch.isfinite(parameter.grad).all()), name
        assert float(parameter.grad.abs().max()) > 0, name


@EVERY_DISCRIMINATOR
def test_every_parameter_of_a_discriminator_gets_a_gradient(kind: str) -> None:
    network = discriminator(kind, size=16, classes=10)
    woken(network)
    network(images(), LABELS).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().max()) > 0, name


@EVERY_DISCRIMINATOR
def test_the_exact_penalty_reaches_every_weight_of_a_discriminator(kind: str) -> None:
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


@EVERY_GENERATOR
def test_generators_run_in_bfloat16(kind: str) -> None:
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


@EVERY_DISCRIMINATOR
def test_discriminators_run_in_bfloat16_with_the_exact_penalty(kind: str) -> None:
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


@EVERY_GENERATOR
def test_generators_can_be_saved_and_restored(kind: str) -> None:
    first, second = generator(kind, size=16, classes=10), generator(kind, size=16, classes=10)
    woken(first)
    assert not torch.equal(first(latents(), LABELS), second(latents(), LABELS))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(latents(), LABELS), second(latents(), LABELS))


@EVERY_DISCRIMINATOR
def test_discriminators_can_be_saved_and_restored(kind: str) -> None:
    first, second = discriminator(kind, size=16), discriminator(kind, size=16)
    woken(first)
    assert not torch.equal(first(images()), second(images()))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(images()), second(images()))
