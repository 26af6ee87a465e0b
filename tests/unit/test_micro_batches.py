"""A step that does not fit into memory is computed in parts, with the same numbers to rounding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from disturbances import NEVER, record
from trainers import advance, bits, saved

from orthogan.errors import OutOfMemoryError
from orthogan.gan import backend, micro_batches
from orthogan.gan.losses import Loss
from orthogan.gan.trainer import Trainer
from orthogan.training.checkpoint import load_checkpoint
from orthogan.training.memory import is_out_of_memory


def allow(monkeypatch: pytest.MonkeyPatch, most: int, name: str) -> None:
    """From here on this takes memory for so many pairs only."""
    for module in (backend, micro_batches):
        whole = getattr(module, name)

        def bounded(discriminate: Any, batch: Any, *more: Any, whole: Any = whole) -> Any:
            if len(batch.fake) > most:
                raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
            return whole(discriminate, batch, *more)

        monkeypatch.setattr(module, name, bounded)


@pytest.mark.parametrize("name", ["discriminator_objective", "generator_objective"])
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_parts_keep_the_trajectory(
    make_trainer, monkeypatch: pytest.MonkeyPatch, name: str, share: float
) -> None:
    settings = (f"penalty.share={share}", "precision=float32", "augmentation.policy=translation")
    # So that the generator's gradient comes by way of the same discriminator: the first steps go
    # by the signs of gradients, also of what is rounding.
    settings = (*settings, "discriminator_optimizer.learning_rate=1e-12")
    settings = (*settings, "augmentation.probability=0.5")
    whole = make_trainer(*settings)
    whole.step(0.0)
    allow(monkeypatch, 5, name)
    parts = make_trainer(*settings)
    found = parts.step(0.0)
    assert (whole.backend.parts, parts.backend.parts) == (1, 4)
    for player in ("discriminator", "generator"):
        one, other = gradients(whole, player), gradients(parts, player)
        assert float((one - other).norm() / one.norm()) < 1e-5, player
    monkeypatch.undo()
    expected = make_trainer(*settings).step(0.0)
    for measured, value in expected.numbers().items():
        assert found.numbers()[measured] == pytest.approx(value, rel=1e-3, abs=1e-6), measured


def gradients(trainer: Trainer, player: str) -> torch.Tensor:
    of = getattr(trainer, player).parameters()
    return torch.cat([weight.grad.flatten() for weight in of if weight.grad is not None])


def test_parts_are_kept_and_restored(make_trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        allow(patch, 8, "discriminator_objective")
        trainer = advance(make_trainer(), 2)
    tensors, state = saved(trainer)
    rest = make_trainer()
    rest.restore(tensors, state)
    assert rest.backend.parts == 2
    assert bits(advance(rest, 2)) == bits(advance(trainer, 2))
    rest.restore(tensors, state | {"parts": 10**9})
    assert rest.backend.parts == 16


def test_a_run_says_so_and_ends_where_nothing_fits(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    with monkeypatch.context() as patch:
        allow(patch, 8, "discriminator_objective")
        train_tiny(tmp_path / "run", NEVER, images=64, show_progress=True)
    told = "from here on each step is computed in 2 parts, with the same numbers to rounding."
    assert told in capsys.readouterr().err
    allow(monkeypatch, 0, "discriminator_objective")
    with pytest.raises(OutOfMemoryError, match=r"also with a step in 8 parts.*at 0 images") as end:
        train_tiny(tmp_path / "other", NEVER, images=64)
    assert end.value.exit_code == 5
    assert record(tmp_path / "other")["status"] == "out of memory"
    assert load_checkpoint(tmp_path / "other") is not None


def test_a_loss_that_is_no_mean_has_no_parts(make_trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer: Trainer = make_trainer()
    trainer.loss = Loss(lambda real, fake: (real - fake).square().sum(), trainer.loss.generator)
    allow(monkeypatch, 8, "discriminator_objective")
    with pytest.raises(OutOfMemoryError, match="no mean over pairs"):
        trainer.step(0.0)


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (OSError("No space left on device"), False),
    ],
)
def test_what_is_out_of_memory(error: BaseException, is_one: bool) -> None:
    assert is_out_of_memory(error) is is_one
