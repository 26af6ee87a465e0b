"""Gradient penalties against closed forms and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from orthogan.errors import UnknownNameError
from orthogan.gan.penalties import PENALTIES, squared_gradient_norm
from orthogan.networks import DISCRIMINATORS
from orthogan.rng import initialization, normal, stream


def images(batch: int = 3, side: int = 4) -> Tensor:
    return normal((batch, 1, side, side), stream(0, "images")).double()


def source(counter: int = 0) -> np.random.Generator:
    return stream(0, "direction", counter)


WEIGHT = torch.linspace(-1, 1, 16, dtype=torch.float64).reshape(1, 4, 4)


def linear(x: Tensor) -> Tensor:
    return (x * WEIGHT).sum(dim=(1, 2, 3)) + 5


def quadratic(x: Tensor) -> Tensor:
    return 0.5 * (WEIGHT * x.square()).sum(dim=(1, 2, 3))


def test_exact_penalty_of_a_linear_judge_is_its_squared_weight() -> None:
    logits, penalty = squared_gradient_norm(linear, images(), source())
    torch.testing.assert_close(logits, linear(images()))
    torch.testing.assert_close(penalty, WEIGHT.square().sum().expand(3), rtol=1e-12, atol=0)


def test_exact_penalty_of_a_quadratic_judge() -> None:
    _, penalty = squared_gradient_norm(quadratic, images(), source())
    expected = (WEIGHT * images()).square().sum(dim=(1, 2, 3))
    torch.testing.assert_close(penalty, expected, rtol=1e-12, atol=0)


def test_the_penalty_is_the_same_inside_a_function_transform() -> None:
    """Where a gradient is taken by a transform, as compiled steps do, another code finds it."""

    def total(scale: Tensor) -> tuple[Tensor, Tensor]:
        _, penalty = squared_gradient_norm(lambda x: scale * quadratic(x), images(), source())
        return penalty.sum(), penalty

    slope, penalty = torch.func.grad(total, has_aux=True)(torch.tensor(3.0, dtype=torch.float64))
    expected = 9 * (WEIGHT * images()).square().sum(dim=(1, 2, 3))
    torch.testing.assert_close(penalty, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(slope, 2 / 3 * expected.sum(), rtol=1e-12, atol=0)


def test_finite_difference_is_unbiased_on_a_linear_judge() -> None:
    _, penalty = PENALTIES["finite-difference"](linear, images(20_000), source())
    truth = WEIGHT.square().sum().item()
    # (w . e)^2 is |w|^2 times chi-squared with one degree: standard deviation sqrt(2) |w|^2.
    assert penalty.mean().item() == pytest.approx(truth, rel=4 * (2 / 20_000) ** 0.5)
    assert penalty.var().item() == pytest.approx(2 * truth**2, rel=0.15)


def test_finite_difference_agrees_with_exact_on_a_curved_judge() -> None:
    batch = images(1).expand(20_000, -1, -1, -1)
    _, penalty = PENALTIES["finite-difference"](quadratic, batch, source())
    _, exact = squared_gradient_norm(quadratic, images(1), source())
    assert penalty.mean().item() == pytest.approx(exact.item(), rel=0.04)


def test_finite_difference_follows_its_random_source() -> None:
    def values(counter: int) -> Tensor:
        return PENALTIES["finite-difference"](linear, images(), source(counter))[1]

    assert torch.equal(values(0), values(0))
    assert not torch.equal(values(0), values(1))


def test_no_penalty_is_zero_and_costs_one_forward() -> None:
    calls = []

    def judge(x: Tensor) -> Tensor:
        calls.append(len(x))
        return linear(x)

    logits, penalty = PENALTIES["none"](judge, images(), source())
    torch.testing.assert_close(logits, linear(images()))
    assert torch.equal(penalty, torch.zeros(3, dtype=torch.float64))
    assert calls == [3]


@pytest.mark.parametrize("name", list(PENALTIES))
def test_every_penalty_returns_the_plain_logits_from_one_forward(name: str) -> None:
    calls = []

    def judge(x: Tensor) -> Tensor:
        calls.append(len(x))
        return quadratic(x)

    logits, penalty = PENALTIES[name](judge, images(), source())
    torch.testing.assert_close(logits, quadratic(images()))
    assert penalty.shape == (3,)
    assert bool((penalty >= 0).all())
    assert len(calls) == 1


def test_images_are_left_without_gradient() -> None:
    batch = images()
    squared_gradient_norm(linear, batch, source())
    assert not batch.requires_grad
    assert batch.grad is None


@pytest.mark.parametrize("kind", list(DISCRIMINATORS))
def test_parameter_gradients_of_the_exact_penalty_by_finite_differences(kind: str) -> None:
    with initialization(0, "penalty"):
        judge = DISCRIMINATORS[kind](size=16).build().double()
    batch = normal((2, 1, 16, 16), stream(0, "images")).double()
    parameters = [p for p in judge.parameters() if p.dim() > 1]
    directions = [
        normal(tuple(p.shape), stream(0, "step", i)).double() for i, p in enumerate(parameters)
    ]

    def penalty() -> Tensor:
        return squared_gradient_norm(judge, batch, source())[1].mean()

    gradients = torch.autograd.grad(penalty(), parameters, allow_unused=True)
    slope = sum(
        float((g * d).sum()) for g, d in zip(gradients, directions, strict=True) if g is not None
    )
    step = 1e-7
    values = []
    for sign in (1, -2):
        with torch.no_grad():
            for parameter, direction in zip(parameters, directions, strict=True):
                parameter.add_(sign * step * direction)
        values.append(float(penalty().detach()))
    assert slope == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-4)
    assert abs(slope) > 1e-6


def test_unknown_penalty_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'exact'"):
        PENALTIES["exactly"]
