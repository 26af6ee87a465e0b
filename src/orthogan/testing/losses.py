"""What every registered loss promises."""

from __future__ import annotations

import torch

from orthogan.gan import LOSSES
from orthogan.rng import stream
from orthogan.testing.contract import Contract


def logits(counter: int, scale: float = 0.5) -> torch.Tensor:
    draws = stream(0, "logits", counter).uniform(-scale, scale, 6)
    return torch.from_numpy(draws).requires_grad_()


class LossContract(Contract):
    """Losses are finite means with derivatives, each pulling its own way."""

    registry = LOSSES

    def test_both_losses_are_finite_scalars(self, name: str) -> None:
        for scale in (0.0, 0.5, 1e4):
            for loss in LOSSES[name]:
                value = loss(logits(0, scale).float(), logits(1, scale).float())
                assert value.shape == ()
                assert value.dtype == torch.float32
                assert bool(torch.isfinite(value))

    def test_the_discriminator_raises_real_logits_and_lowers_fake_ones(self, name: str) -> None:
        real, fake = logits(0), logits(1)
        up, down = torch.autograd.grad(LOSSES[name].discriminator(real, fake), (real, fake))
        assert bool((up < 0).all())
        # Least squares pulls fake logits to 0, the others down without end.
        target = 0.0 if name == "least-squares" else -torch.inf
        assert bool((down[fake > target] > 0).all())

    def test_the_generator_raises_fake_logits_and_cannot_touch_real_ones(self, name: str) -> None:
        real, fake = logits(0), logits(1)
        (up,) = torch.autograd.grad(LOSSES[name].generator(real, fake), fake)
        assert bool((up < 0).all())

    def test_a_discriminator_that_is_right_loses_less(self, name: str) -> None:
        right, wrong = torch.ones(4), torch.zeros(4)
        loss = LOSSES[name].discriminator
        assert loss(right, wrong) < loss(wrong, wrong) < loss(wrong, right)
        assert LOSSES[name].generator(right, right) < LOSSES[name].generator(right, wrong)

    def test_the_mean_runs_over_the_batch(self, name: str) -> None:
        real, fake = logits(0), logits(1)
        for loss in LOSSES[name]:
            torch.testing.assert_close(loss(real.repeat(3), fake.repeat(3)), loss(real, fake))

    def test_derivatives(self, name: str) -> None:
        for loss in LOSSES[name]:
            assert torch.autograd.gradcheck(loss, (logits(0), logits(1)))
