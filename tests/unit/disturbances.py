"""What can happen to a training run, for the tests of sessions; and what is left of it after."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from orthogan.gan.trainer import Trainer

EACH_STEP = "checkpoint_every_s=1e-6"
NEVER = "checkpoint_every_s=1000"
STEPS = 20  # 320 images in batches of 16


class Killed(BaseException):
    """The process is gone: nothing of ours may catch this."""


def at_step(
    monkeypatch: pytest.MonkeyPatch, number: int, action: Callable[[Trainer], object]
) -> None:
    """Does something once, right after the step that shows the `number`-th batch."""
    step, fired = Trainer.step, []

    def stepped(trainer: Trainer, progress: float) -> Any:
        record = step(trainer, progress)
        if trainer.images_seen == 16 * number and not fired:
            fired.append(True)
            action(trainer)
        return record

    monkeypatch.setattr(Trainer, "step", stepped)


def die(_trainer: Trainer) -> None:
    raise Killed


def plant_nan(trainer: Trainer) -> None:
    with torch.no_grad():
        next(trainer.generator.parameters()).view(-1)[0] = float("nan")


def record(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "run.json").read_text())
    return found


def final_bits(run: Path) -> tuple[bytes, bytes]:
    last = run / "checkpoints" / (run / "checkpoints" / "latest").read_text()
    weights = run / "bundle" / "generator.safetensors"
    return weights.read_bytes(), (last / "tensors.safetensors").read_bytes()
