"""What one step of both networks measured."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """What one step measured; tensors, so that nothing waits for the device."""

    discriminator_loss: Tensor
    generator_loss: Tensor
    penalty: Tensor
    real_logit: Tensor
    fake_logit: Tensor
    discriminator_gradient: Tensor  # norm over all its weights, before the update
    generator_gradient: Tensor
    augmentation: float | None = None  # probability of each change; None: there are none
    overfitting: float | None = None  # 0 to 1; None: not measured

    def numbers(self) -> dict[str, float]:
        """The measurements as plain numbers."""
        return {name: float(value) for name, value in vars(self).items() if value is not None}
