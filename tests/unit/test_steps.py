"""One step of each player: it helps, it refuses what is not finite, its options have effect."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam

from orthogan.errors import DivergedError
from orthogan.gan.backend import EAGER, Backend
from orthogan.gan.compiled import CompiledBackend
from orthogan.gan.losses import LOSSES, Loss
from orthogan.gan.objectives import Batch, DiscriminatorStep, Objective
from orthogan.gan.penalties import PENALTIES
from orthogan.gan.step import discriminator_step, generator_step
from orthogan.networks import (
    AttentionDiscriminatorConfig,
    AttentionGeneratorConfig,
    Discriminator,
    Generator,
)
from orthogan.rng import initialization, normal, stream


def pair() -> tuple[Generator, Discriminator]:
    with initialization(0, "steps"):
        return (
            AttentionGeneratorConfig(size=16).build(),
            AttentionDiscriminatorConfig(size=16).build(),
        )


def pictures(name: str) -> Tensor:
    return normal((8, 1, 16, 16), stream(0, name)).tanh()


def latents() -> Tensor:
    return normal((8, 64), stream(0, "latents"))


def step(
    judge: Discriminator,
    rate: float = 1e-3,
    *,
    loss: str | Loss = "relativistic",
    penalty: str = "exact",
    gamma: float = 1.0,
    real: Tensor | None = None,
    fake: Tensor | None = None,
    labels: Tensor | None = None,
    share: float = 1.0,
) -> DiscriminatorStep:
    return discriminator_step(
        judge,
        SGD(judge.parameters(), rate),
        Batch(
            pictures("real") if real is None else real,
            pictures("fake") if fake is None else fake,
            labels,
        ),
        objective(loss, penalty, gamma, share),
    )


def objective(
    loss: str | Loss = "relativistic",
    penalty: str = "exact",
    gamma: float = 1.0,
    fraction: float = 1.0,
    noise: np.random.Generator | None = None,
) -> Objective:
    chosen = LOSSES[loss] if isinstance(loss, str) else loss
    noise = stream(0, "noise") if noise is None else noise
    return Objective(chosen, PENALTIES[penalty], gamma, fraction, noise)


def judged(fake: Tensor, real_logits: Tensor) -> Batch:
    return Batch(pictures("real"), fake, real_logits=real_logits)


def copies(network: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


def is_unchanged(network: nn.Module, before: list[Tensor]) -> bool:
    return all(map(torch.equal, network.parameters(), before))


@pytest.mark.parametrize("loss", list(LOSSES))
@pytest.mark.parametrize("penalty", list(PENALTIES))
def test_a_discriminator_step_lowers_what_it_minimises(loss: str, penalty: str) -> None:
    _, judge = pair()
    before = step(judge, loss=loss, penalty=penalty, gamma=0.1)
    after = step(judge, 0.0, loss=loss, penalty=penalty, gamma=0.1)
    assert after.loss + 0.1 * after.penalty < before.loss + 0.1 * before.penalty


def test_reported_values_belong_to_the_state_before_the_update() -> None:
    _, judge = pair()
    with torch.no_grad():
        real, fake = judge(pictures("real")), judge(pictures("fake"))
    told = step(judge, 0.1)
    torch.testing.assert_close(told.real, real)
    torch.testing.assert_close(told.fake, fake)
    torch.testing.assert_close(told.loss, LOSSES["relativistic"].discriminator(real, fake))
    assert not any(value.requires_grad for value in told)


def test_merged_forward_equals_separate_forwards() -> None:
    _, judge = pair()
    real, fake = pictures("real"), pictures("fake")
    step(judge, 0.0, gamma=3.0)
    merged = [parameter.grad for parameter in judge.parameters()]

    def penalty(images: Tensor) -> tuple[Tensor, Tensor]:
        return PENALTIES["exact"](judge, images, stream(0, "noise"))

    (real_logits, r1), (fake_logits, r2) = penalty(real), penalty(fake)
    # Mescheder et al. 2018: gamma / 2 times the mean over each distribution.
    total = LOSSES["relativistic"].discriminator(real_logits, fake_logits)
    total = total + 3.0 / 2 * (r1.mean() + r2.mean())
    separate = torch.autograd.grad(total, list(judge.parameters()))
    torch.testing.assert_close(merged, list(separate), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("share", "count"), [(0.5, 4), (0.3, 3), (0.01, 1), (1.0, 8)])
def test_a_share_penalises_the_first_pairs_and_judges_all(share: float, count: int) -> None:
    with initialization(0, "share"):
        judge = AttentionDiscriminatorConfig(size=16, classes=3).build()
        nn.init.normal_(judge.class_features.weight)
    labels = torch.tensor([0, 1, 2, 0, 2, 1, 1, 0])
    real, fake = pictures("real"), pictures("fake")
    told = step(judge, 0.0, gamma=3.0, labels=labels, share=share)
    ours = [parameter.grad for parameter in judge.parameters()]

    def mean_penalty(images: Tensor) -> Tensor:
        first = images[:count].clone().requires_grad_()
        logits = judge(first, labels[:count]).sum()
        (slope,) = torch.autograd.grad(logits, first, create_graph=True)
        return slope.square().sum(dim=(1, 2, 3)).mean()

    loss = LOSSES["relativistic"].discriminator(judge(real, labels), judge(fake, labels))
    penalty = (mean_penalty(real) + mean_penalty(fake)) / 2
    expected = torch.autograd.grad(loss + 3.0 * penalty, list(judge.parameters()))
    torch.testing.assert_close(ours, list(expected), rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(told.loss, loss.detach())
    torch.testing.assert_close(told.penalty, penalty.detach())
    torch.testing.assert_close(told.real, judge(real, labels).detach())


def test_gamma_has_effect_and_flattens_the_discriminator() -> None:
    penalties = []
    for gamma in (0.0, 30.0):
        _, judge = pair()
        optimizer = Adam(judge.parameters(), 1e-3)
        for _ in range(5):
            batch = Batch(pictures("real"), pictures("fake"))
            told = discriminator_step(judge, optimizer, batch, objective(gamma=gamma))
        penalties.append(told.penalty.item())
    assert penalties[1] < 0.5 * penalties[0]


@pytest.mark.parametrize("penalty", list(PENALTIES))
def test_gradients_are_taken_for_what_the_optimizer_moves_alone(penalty: str) -> None:
    judge = pair()[1]
    optimizer = SGD(judge.logit.parameters(), 0.1)
    before = copies(judge)
    batch = Batch(pictures("real"), pictures("fake"))
    discriminator_step(judge, optimizer, batch, objective(penalty=penalty))
    assert not is_unchanged(judge, before)
    with_gradient = {name for name, weight in judge.named_parameters() if weight.grad is not None}
    assert with_gradient == {"logit.weight", "logit.bias"}


@pytest.mark.parametrize("penalty", list(PENALTIES))
def test_no_gradient_reaches_the_generator_in_the_discriminator_step(penalty: str) -> None:
    generator, judge = pair()
    step(judge, fake=generator(latents()), penalty=penalty)
    assert all(parameter.grad is None for parameter in generator.parameters())


def test_the_discriminator_step_knows_fakes_without_the_generator_behind_them() -> None:
    given: list[Batch] = []

    class Watching(Backend):
        def at_discriminator(
            self,
            discriminator: nn.Module,
            weights: list[Tensor],
            batch: Batch,
            objective: Objective,
        ) -> DiscriminatorStep:
            given.append(batch)
            return super().at_discriminator(discriminator, weights, batch, objective)

    generator, judge = pair()
    batch = Batch(pictures("real"), generator(latents()))
    discriminator_step(judge, SGD(judge.parameters(), 0.1), batch, objective(), Watching())
    assert [batch.fake.requires_grad for batch in given] == [False]


@pytest.mark.parametrize("loss", list(LOSSES))
def test_a_generator_step_raises_fake_logits(loss: str) -> None:
    generator, judge = pair()
    judge.requires_grad_(False)
    optimizer = SGD(generator.parameters(), 0.1)
    fake = generator(latents())
    before = judge(fake).mean().detach()
    real_logits = judge(pictures("real"))
    batch = Batch(pictures("real"), fake, real_logits=real_logits)
    value = generator_step(judge, optimizer, batch, LOSSES[loss])
    assert judge(generator(latents())).mean() > before
    assert not value.requires_grad
    torch.testing.assert_close(value, LOSSES[loss].generator(real_logits, judge(fake)).detach())
    assert all(parameter.grad is None for parameter in judge.parameters())


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
@pytest.mark.parametrize("penalty", list(PENALTIES))
def test_non_finite_images_stop_the_discriminator_unchanged(poison: float, penalty: str) -> None:
    _, judge = pair()
    before = copies(judge)
    fake = pictures("fake")
    fake[3, 0, 5, 5] = poison
    with pytest.raises(DivergedError, match="The discriminator's loss is"):
        step(judge, fake=fake, penalty=penalty)
    assert is_unchanged(judge, before)


def _infinite_slope(real: Tensor, fake: Tensor) -> Tensor:
    # The value is finite, its gradient is not.
    return (real - real.detach()).abs().sqrt().sum() + 0 * fake.sum()


def test_finite_loss_with_non_finite_gradient_stops_too() -> None:
    generator, judge = pair()
    before, loss = copies(judge), Loss(_infinite_slope, _infinite_slope)
    with pytest.raises(DivergedError, match=r"discriminator's loss is 0 and its gradient norm nan"):
        step(judge, loss=loss)
    assert is_unchanged(judge, before)

    before = copies(generator)
    sloped = Loss(_infinite_slope, lambda real, fake: _infinite_slope(fake, real))
    optimizer = Adam(generator.parameters(), 1e-3)
    real_logits = torch.zeros(8)
    with pytest.raises(DivergedError, match="The generator's loss is 0 and its gradient norm nan"):
        generator_step(judge, optimizer, judged(generator(latents()), real_logits), sloped)
    assert is_unchanged(generator, before)
    assert not optimizer.state


def test_non_finite_generator_loss_leaves_weights_and_moments() -> None:
    generator, judge = pair()
    optimizer = Adam(generator.parameters(), 1e-3)
    batch = judged(generator(latents()), torch.zeros(8))
    generator_step(judge, optimizer, batch, LOSSES["relativistic"])
    before = copies(generator)
    moments = [state["exp_avg"].clone() for state in optimizer.state.values()]
    real_logits = torch.full((8,), float("nan"))
    batch = judged(generator(latents()), real_logits)
    with pytest.raises(DivergedError, match="The generator's loss is nan"):
        generator_step(judge, optimizer, batch, LOSSES["relativistic"])
    assert is_unchanged(generator, before)
    assert all(map(torch.equal, (state["exp_avg"] for state in optimizer.state.values()), moments))


def test_noise_decides_the_finite_difference_step() -> None:
    def gradients(noise: np.random.Generator) -> list[Tensor]:
        _, judge = pair()
        discriminator_step(
            judge,
            SGD(judge.parameters(), 0.0),
            Batch(pictures("real"), pictures("fake")),
            objective(penalty="finite-difference", noise=noise),
        )
        return [p.grad for p in judge.parameters() if p.grad is not None]

    first = gradients(stream(0, "noise"))
    assert all(map(torch.equal, first, gradients(stream(0, "noise"))))
    assert not all(map(torch.equal, first, gradients(stream(0, "noise", 1))))


@pytest.mark.parametrize("labels", [None, torch.tensor([0, 1, 2, 0, 2, 1, 1, 0])])
@pytest.mark.parametrize("penalty", ["exact", "none"])
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_functions_to_be_compiled_find_the_same_gradients(
    labels: Tensor | None, penalty: str, share: float
) -> None:
    classes = 0 if labels is None else 3
    with initialization(0, "gradients"):
        generator = AttentionGeneratorConfig(size=16, classes=classes).build().double()
        judge = AttentionDiscriminatorConfig(size=16, classes=classes).build().double()
    moved = list(judge.parameters())[:-1]  # the rest is no one's to move
    aim = objective(penalty=penalty, gamma=0.7, fraction=share)

    def found(backend: Backend) -> list[Tensor | None]:
        judge.zero_grad()
        generator.zero_grad()
        fake = backend.generate(generator, latents().double(), labels)
        batch = Batch(pictures("real").double(), fake.detach(), labels)
        told = backend.at_discriminator(judge, moved, batch, aim)
        slopes = [weight.grad for weight in judge.parameters()]
        judge.requires_grad_(False)
        batch = Batch(batch.real, fake, labels, told.real.detach())
        value = backend.at_generator(judge, batch, aim.loss)
        # Fused optimizers read gradients in the order of the weights.
        assert all(slope is None or slope.is_contiguous() for slope in slopes)
        judge.requires_grad_(True)
        found = [*told, value, *slopes, *(weight.grad for weight in generator.parameters())]
        return [None if each is None else each.detach().clone() for each in found]

    ours, eager = found(CompiledBackend(lambda work: work)), found(EAGER)
    assert [each is None for each in ours] == [each is None for each in eager]
    for one, other in zip(ours, eager, strict=True):
        if one is not None:
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
