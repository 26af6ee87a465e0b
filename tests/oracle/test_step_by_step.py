"""The page that teaches the method computes what the package computes, to rounding."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from plain_step import in_float64

from orthogan import rng
from orthogan.data import load, to_floats
from orthogan.gan import api, schedule
from orthogan.gan.trainer import Trainer

PAGE = Path(__file__).parents[2] / "examples" / "step_by_step.py"
STEPS = 6


@pytest.fixture(scope="module")
def page():
    spec = importlib.util.spec_from_file_location("step_by_step", PAGE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def trainer(one_thread):
    settings = ("precision=float32", "condition=classes")
    config = api.resolve("mnist", images=64 * STEPS, settings=settings)
    return in_float64(Trainer(config, load("mnist"), torch.device("cpu")))


def _copied(ours, page_network):
    """The network of the page with our weights, under its own names."""
    renamed = {}
    for name, weight in ours.state_dict().items():
        if name == "class_shares":
            continue
        name = name.replace("class_latents", "classes").replace("class_features", "classes")
        name = name.replace("blocks.0", "block").replace("positions.codes", "positions")
        name = name.replace("attention_norm", "norms.0").replace("dense_norm", "norms.1")
        name = name.replace("dense.expand", "dense.0").replace("dense.contract", "dense.2")
        for old, new in (
            ("norm.", "image.0."),
            ("head.coarse", "image.3"),
            ("head.fine", "image.5"),
        ):
            name = new + name.removeprefix(old) if name.startswith(old) else name
        for old, new in (("fine", "0"), ("middle", "2"), ("coarse", "4")):
            name = name.replace(f"stem.{old}", f"patches.{new}")
        renamed[name] = weight
    page_network.double().load_state_dict(renamed)
    return page_network


def _followed(trainer, page, steps):
    """Losses of both for a few steps from the same weights, and the page's networks."""
    generator = _copied(trainer.generator, page.Generator())
    discriminator = _copied(trainer.discriminator, page.Discriminator())
    optimizers = page.Muon(generator), page.Muon(discriminator)
    pairs = []
    for step in range(steps):
        progress, seen = step / steps, trainer.images_seen
        for optimizer in optimizers:
            config = trainer.config.generator_optimizer
            group = optimizer.param_groups[0]
            group["lr"] = schedule.learning_rate(config, progress, seen)
            group["betas"] = (config.beta1, schedule.beta2(config, progress))
        pixels, labels = trainer.images.take(trainer.order.batch(seen, page.BATCH))
        noise = rng.stream(trainer.config.seed, "noise", seen)
        latents = rng.normal((page.BATCH, page.LATENT), noise).double()
        fake = generator(latents, labels)
        theirs, logits = page.discriminator_step(
            discriminator, optimizers[1], to_floats(pixels).double(), fake, labels
        )
        theirs_g = page.generator_step(discriminator, optimizers[0], logits, fake, labels)
        pairs.append((theirs, theirs_g, trainer.step(progress)))
    return pairs, generator, discriminator


def test_the_page_takes_the_steps_of_the_package(trainer, page) -> None:
    pairs, generator, discriminator = _followed(trainer, page, STEPS)
    for theirs_d, theirs_g, record in pairs:
        torch.testing.assert_close(theirs_d, record.discriminator_loss, rtol=1e-6, atol=1e-7)
        torch.testing.assert_close(theirs_g, record.generator_loss, rtol=1e-6, atol=1e-7)
    for followed, network in (
        (generator, trainer.generator),
        (discriminator, trainer.discriminator),
    ):
        expected = _copied(network, type(followed)())
        for weight, wanted in zip(followed.parameters(), expected.parameters(), strict=True):
            torch.testing.assert_close(weight, wanted, rtol=1e-6, atol=1e-7)


def test_another_penalty_is_noticed(trainer, page, monkeypatch) -> None:
    monkeypatch.setattr(page, "GAMMA", 4.9)
    (*_, (theirs, _, record)), *_ = _followed(trainer, page, 3)
    assert abs(theirs - record.discriminator_loss) > 1e-5
