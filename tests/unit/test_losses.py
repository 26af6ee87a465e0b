"""Adversarial losses: values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from orthogan.errors import UnknownNameError
from orthogan.gan import LOSSES

REAL, FAKE = (0.5, -1.0), (-0.25, 2.0)


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def mean(*values: float) -> float:
    return sum(values) / len(values)


# Both players' losses at real logits (0.5, -1) and fake logits (-0.25, 2).
BY_HAND = {
    "relativistic": (mean(softplus(-0.75), softplus(3.0)), mean(softplus(0.75), softplus(-3.0))),
    "non-saturating": (
        mean(softplus(-0.5), softplus(1.0)) + mean(softplus(-0.25), softplus(2.0)),
        mean(softplus(0.25), softplus(-2.0)),
    ),
    "hinge": (mean(0.5, 2.0) + mean(0.75, 3.0), -0.875),
    "wasserstein": (0.875 + 0.25, -0.875),
    "least-squares": (
        0.5 * mean(0.25, 4.0) + 0.5 * mean(0.0625, 4.0),
        0.5 * mean(1.5625, 1.0),
    ),
}


def test_every_loss_is_worked_out_here() -> None:
    assert sorted(BY_HAND) == list(LOSSES)


@pytest.mark.parametrize("name", sorted(BY_HAND))
def test_values_by_hand(name: str) -> None:
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    discriminator, generator = BY_HAND[name]
    assert LOSSES[name].discriminator(real, fake).item() == pytest.approx(discriminator, rel=1e-6)
    assert LOSSES[name].generator(real, fake).item() == pytest.approx(generator, rel=1e-6)


def test_cross_entropy_equals_the_textbook_form() -> None:
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    loss = torch.nn.BCEWithLogitsLoss()
    expected = loss(real, torch.ones(2)) + loss(fake, torch.zeros(2))
    torch.testing.assert_close(LOSSES["non-saturating"].discriminator(real, fake), expected)
    expected = loss(fake, torch.ones(2))
    torch.testing.assert_close(LOSSES["non-saturating"].generator(real, fake), expected)


def test_hinge_is_flat_beyond_its_margin() -> None:
    real, fake = torch.tensor([1.5, 3.0]), torch.tensor([-1.5, -3.0])
    assert LOSSES["hinge"].discriminator(real, fake).item() == 0


def test_only_the_relativistic_loss_depends_on_the_pairing() -> None:
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    for name in list(LOSSES):
        values = [LOSSES[name].discriminator(real, order).item() for order in (fake, fake.flip(0))]
        assert (abs(values[0] - values[1]) > 1e-3) is (name == "relativistic"), name


def test_unknown_loss_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'hinge'"):
        LOSSES["hing"]
