"""A trainer moved on, written down and compared."""

from __future__ import annotations

from typing import Any

import torch

from orthogan.gan.trainer import Trainer
from orthogan.models.bundle.tensors import digest, pack


def advance(trainer: Trainer, steps: int) -> Trainer:
    for _ in range(steps):
        trainer.step(trainer.images_seen / 640)
    return trainer


def bits(trainer: Trainer) -> str:
    return digest(pack(trainer.tensors()))


def saved(trainer: Trainer) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    return {name: tensor.clone() for name, tensor in trainer.tensors().items()}, trainer.state()


def weights(trainer: Trainer, player: str) -> torch.Tensor:
    parameters = getattr(trainer, player).parameters()
    return torch.nn.utils.parameters_to_vector(parameters).detach().clone()
