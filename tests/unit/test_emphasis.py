"""Fine detail emphasised for the discriminator: the filter, the penalty, the rule."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from orthogan.data import ImageSet
from orthogan.gan.config import TrainingConfig
from orthogan.gan.emphasis_rule import GAIN, resolved_emphasis, said_of_emphasis, spectral_fall
from orthogan.gan.emphasised import Judge
from orthogan.gan.objectives import Batch
from orthogan.gan.penalties import squared_gradient_norm
from orthogan.gan.task import GanTask
from orthogan.gan.trainer import Trainer
from orthogan.networks import AttentionDiscriminatorConfig
from orthogan.networks.emphasis import emphasised

SIDE = 16


def waves(across: int, down: int = 0, side: int = SIDE) -> Tensor:
    places = torch.arange(side, dtype=torch.float64) * 2 * math.pi / side
    return torch.cos(across * places[None, :] + down * places[:, None])[None, None]


@pytest.mark.parametrize(("across", "down"), [(0, 0), (2, 0), (8, 0), (0, 8), (8, 8), (4, 2)])
def test_each_wave_is_amplified_by_what_the_blur_takes_of_it(across: int, down: int) -> None:
    wave = waves(across, down)
    taken = 1 - math.prod((1 + math.cos(2 * math.pi * k / SIDE)) / 2 for k in (across, down))
    inside = (slice(None), slice(None), slice(1, -1), slice(1, -1))  # edges go on, waves do not
    expected = (1 + 3.0 * taken) * wave
    torch.testing.assert_close(emphasised(wave, 3.0)[inside], expected[inside])


def test_plain_images_and_a_gain_of_zero_change_nothing() -> None:
    plain = torch.full((2, 3, SIDE, SIDE), 0.25)
    torch.testing.assert_close(emphasised(plain, 5.0), plain)
    images = torch.rand(2, 3, SIDE, SIDE)
    assert torch.equal(emphasised(images, 0.0), images)


@pytest.fixture
def judge() -> Judge:
    torch.manual_seed(0)
    config = AttentionDiscriminatorConfig(size=SIDE, emphasis=4.0, width=16, channels=8, hidden=8)
    return Judge(config.build())


def test_the_discriminator_emphasises_what_it_is_shown(judge: Judge) -> None:
    images = torch.rand(3, 1, SIDE, SIDE)
    assert torch.equal(judge.discriminator(images), judge(emphasised(images, 4.0)))
    assert not torch.allclose(judge.discriminator(images), judge(images))


def test_the_penalty_is_taken_in_emphasised_images(judge: Judge) -> None:
    # By the chain rule grad_x = A^T grad_u, where u = A x: the norm of grad_u is what is wanted.
    images = torch.rand(3, 1, SIDE, SIDE)
    pairs = judge.sees(Batch(images, images))
    _, penalty = squared_gradient_norm(judge, pairs.real, None)
    seen = emphasised(images, 4.0).requires_grad_()
    (gradient,) = torch.autograd.grad(judge.discriminator.judge(seen).sum(), seen)
    torch.testing.assert_close(penalty, gradient.square().sum((1, 2, 3)))
    _, in_pixels = squared_gradient_norm(judge.discriminator, images, None)
    assert bool((in_pixels > 1.5 * penalty).all())


def test_gradients_reach_the_fakes_through_it(judge: Judge) -> None:
    fake = torch.rand(2, 1, SIDE, SIDE, requires_grad=True)
    judge(judge.sees(Batch(fake.detach(), fake)).fake).sum().backward()
    seen = emphasised(fake.detach(), 4.0).requires_grad_()
    judge(seen).sum().backward()
    _, transposed = torch.autograd.functional.vjp(lambda x: emphasised(x, 4.0), fake, seen.grad)
    torch.testing.assert_close(fake.grad, transposed)


def image_set(falling: float, channels: int = 3) -> ImageSet:
    """Noise whose waves fall with their frequency to that power."""
    draws = torch.fft.fft2(torch.randn(64, channels, 32, 32, generator=torch.manual_seed(0)))
    along = torch.fft.fftfreq(32).abs() * 32
    highest = torch.maximum(along[:, None], along[None, :]).clamp_min(1)
    made = torch.fft.ifft2(draws / highest**falling).real
    pixels = (made / made.abs().max() * 127 + 128).round().to(torch.uint8)
    return ImageSet(pixels, name="waves")


def test_the_fall_is_that_of_the_waves() -> None:
    assert spectral_fall(image_set(0.0)) == pytest.approx(1, abs=0.1)
    # Coarse waves are 1 and 2, with 8 and 16 places each; fine ones 12 to 16.
    coarse = math.sqrt((8 + 16 / 4) / 24)
    counts = {k: 8 * k if k < 16 else 63 for k in range(12, 17)}
    fine = math.sqrt(sum(n / k**2 for k, n in counts.items()) / sum(counts.values()))
    assert spectral_fall(image_set(1.0)) == pytest.approx(coarse / fine, rel=0.1)
    assert spectral_fall(ImageSet(torch.full((20, 1, 16, 16), 9, dtype=torch.uint8))) == 0


def test_images_that_fall_are_emphasised_and_others_are_not() -> None:
    fit = GanTask().fit
    plain, falling = image_set(0.5), image_set(2.0)
    assert fit(TrainingConfig(), plain).discriminator.emphasis == 0
    config = fit(TrainingConfig(), falling)
    assert config.discriminator.emphasis == GAIN
    assert "sees the finest detail 5 times as strong" in said_of_emphasis(config, falling)
    assert "since their coarsest waves" in said_of_emphasis(config, falling)
    assert "sees all detail as it is, since" in said_of_emphasis(
        fit(TrainingConfig(), plain), plain
    )


def test_an_emphasis_that_is_asked_for_stays_and_is_not_said_to_follow_from_the_images() -> None:
    falling = image_set(2.0)
    for gain, seen in (
        (1.5, "the finest detail 2.5 times as strong"),
        (0.0, "all detail as it is"),
    ):
        chosen = TrainingConfig(discriminator=AttentionDiscriminatorConfig(emphasis=gain))
        settled = resolved_emphasis(chosen, falling)
        assert settled.discriminator.emphasis == gain
        said = f"Of these images the discriminator sees {seen} (discriminator.emphasis={gain:g})."
        assert said_of_emphasis(settled, falling) == said


def test_runs_from_before_go_on_without_it() -> None:
    recorded = TrainingConfig().to_dict()
    del recorded["discriminator"]["emphasis"]
    assert TrainingConfig.complete(recorded)["discriminator"]["emphasis"] == 0


def test_a_run_trains_what_it_would_by_hand() -> None:
    images = image_set(2.0)
    config = GanTask().fit(TrainingConfig(batch_size=4, condition="none"), images)
    trainer = Trainer(config, images, torch.device("cpu"))
    before = [weight.clone() for weight in trainer.discriminator.parameters()]
    record = trainer.step(0.0)
    again = Trainer(config, images, torch.device("cpu"))
    assert all(map(torch.equal, before, again.discriminator.parameters()))
    real = again.real_images(4)
    seen = emphasised(real, GAIN)
    logits = again.discriminator.judge(seen)
    torch.testing.assert_close(record.real_logit, logits.mean(), rtol=0.05, atol=0.01)
