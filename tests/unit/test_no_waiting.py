"""A step gives a device its work and never waits for an answer; shown without a device.

Fake tensors have shapes and no values: asking one for a number raises, as it would wait on a GPU.
"""

from __future__ import annotations

from itertools import cycle

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from orthogan.data import ImageSet
from orthogan.gan.api import resolve
from orthogan.gan.augmentations import AUGMENTATIONS
from orthogan.gan.finite import DeferredUpdate
from orthogan.gan.losses import LOSSES
from orthogan.gan.penalties import PENALTIES
from orthogan.gan.trainer import Trainer
from orthogan.gan.watch.saturation import STEPS_BETWEEN_MEASUREMENTS

SMALL = ("batch_size=8", "generator.blocks=1", "discriminator.blocks=1")
CASES = {
    "as recommended": (),
    "no condition": ("condition=none",),
    "transformer": ("generator.kind=transformer", "discriminator.kind=transformer"),
    "muon": ("generator_optimizer.kind=muon", "discriminator_optimizer.kind=muon"),
    **{
        f"{loss}, {penalty}, {change}": (
            "precision=float32",
            "decorrelation=0.1",
            f"loss={loss}",
            f"penalty.kind={penalty}",
            f"augmentation.policy={change}",
        )
        for loss, penalty, change in zip(LOSSES, cycle(PENALTIES), cycle(AUGMENTATIONS))
    },
}


def trainer_of(*settings: str) -> Trainer:
    """A trainer as it is on a GPU: what it finds not finite, it tells later."""
    source = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (64, 1, 16, 16), dtype=torch.uint8, generator=source)
    images = ImageSet(pixels, torch.arange(64) % 4, ("a", "b", "c", "d"))
    trainer = Trainer(resolve(images, settings=settings), images, torch.device("cpu"))
    trainer.backend.update = DeferredUpdate()
    trainer.watch.steps = STEPS_BETWEEN_MEASUREMENTS - 2  # fake steps are slow: the last two
    return trainer


def steps_without_waiting(trainer: Trainer) -> int:
    """Steps taken until one asks for a number."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        for step in range(3):
            try:
                trainer.step(0.1)
            except DataDependentOutputException:
                return step
    return 3


@pytest.mark.parametrize("case", CASES)
def test_only_the_step_that_looks_waits_for_the_device(case: str) -> None:
    trainer = trainer_of(*SMALL, *CASES[case])
    assert steps_without_waiting(trainer) == 1


def test_a_step_that_asks_whether_it_is_finite_waits() -> None:
    """The check itself: as the update is made where nothing has to be waited for."""
    trainer = trainer_of(*SMALL)
    trainer.backend = type(trainer.backend)()
    assert steps_without_waiting(trainer) == 0
