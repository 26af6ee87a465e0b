"""The trainer's step against one written as in the papers, nothing fused or merged."""

from __future__ import annotations

import pytest
import torch
from plain_step import PlainStep, in_float64, parity

from orthogan.data import load
from orthogan.gan import api
from orthogan.gan.trainer import Trainer

pytestmark = pytest.mark.usefixtures("one_thread")
SHORT = "average.half_life_share=0.5"


@pytest.fixture
def make(tiny_file, tiny_settings):
    def trainer(*settings: str, model: str = "attention-gan") -> Trainer:
        asked = tiny_settings(model, "precision=float32", SHORT, *settings)
        config = api.resolve(tiny_file, model=model, images=640, settings=asked)
        return Trainer(config, load(tiny_file), torch.device("cpu"))

    return trainer


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("attention-gan", ()),
        ("attention-gan", ("condition=classes",)),
        ("attention-gan", ("generator_optimizer.beta1=0.5", "final_batch_size=32")),
        ("attention-gan", ("generator_optimizer.root_after=64",)),
        ("transformer-gan", ("discriminator_optimizer.kind=adam",)),
    ],
)
def test_a_step_is_the_plain_step(make, tiny_file, model, settings) -> None:
    trainer = in_float64(make(*settings, model=model))
    assert parity(trainer, load(tiny_file), steps=20) < 1e-5


def test_parity_sees_another_method(make, tiny_file) -> None:
    trainer = in_float64(make())
    plain = PlainStep(trainer, load(tiny_file))
    plain.config = plain.config.evolve("penalty.gamma_start=29")
    for step in range(4):
        trainer.step(step / 20)
        plain.step(step / 20)
    ours, theirs = (next(player.discriminator.parameters()) for player in (trainer, plain))
    assert float((ours - theirs).detach().abs().max()) > 1e-5


def test_only_the_default_method_is_written_plainly(make, tiny_file) -> None:
    with pytest.raises(ValueError, match="default method"):
        PlainStep(make("penalty.kind=none"), load(tiny_file))
