"""Muon: matrices move orthogonally and as far as Adam's entries; everything else is Adam's."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim import Adam

from orthogan.gan.recipes import RECIPES
from orthogan.rng import normal, stream
from orthogan.training.muon import MIN_SIDE, Muon, matrices_of, orthogonalise


def draw(*shape: int, name: str = "matrix") -> Tensor:
    return normal(shape, stream(0, name))


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, 12, 3), nn.Flatten(), nn.LayerNorm(12 * 36), nn.Linear(12 * 36, 8),
        nn.Linear(8, 1),
    )  # fmt: skip


def stepped(net: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 1) -> nn.Module:
    for _ in range(steps):
        net(draw(4, 2, 8, 8)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return net


@given(
    rows=st.integers(1, 12),
    extra=st.integers(0, 20),
    exponent=st.floats(-8, 4),
    name=st.text("abcd", min_size=1, max_size=4),
)
@settings(max_examples=40, deadline=None)
def test_rounds_on_gram_matrices_equal_rounds_on_the_matrices(
    rows: int, extra: int, exponent: float, name: str
) -> None:
    matrices = [draw(rows, rows + extra, name=f"{name}{index}").double() for index in range(2)]
    found = orthogonalise([10.0**exponent * matrix for matrix in matrices])
    for matrix, near in zip(matrices, found, strict=True):
        expected = matrix / matrix.norm()
        for _ in range(5):
            gram = expected @ expected.T
            expected = 3.4445 * expected + (-4.7750 * gram + 2.0315 * gram @ gram) @ expected
        torch.testing.assert_close(near, expected, rtol=1e-7, atol=1e-9)


def test_singular_values_come_near_one_and_vectors_stay() -> None:
    left, values, right = torch.linalg.svd(draw(16, 40), full_matrices=False)
    spread = torch.logspace(0, -1.5, 16)
    (near,) = orthogonalise([left @ torch.diag(spread) @ right])
    found = left.T @ near @ right.T
    assert 0.65 < found.diagonal().min() < found.diagonal().max() < 1.25
    torch.testing.assert_close(found, torch.diag(found.diagonal()), rtol=0, atol=1e-4)
    assert len(values) == 16


def test_a_zero_gradient_moves_nothing() -> None:
    (near,) = orthogonalise([torch.zeros(8, 9)])
    assert torch.equal(near, torch.zeros(8, 9))


def test_more_rounds_reach_smaller_singular_values() -> None:
    matrix = torch.diag(torch.tensor([1.0, 1e-3]))
    few, many = (orthogonalise([matrix], rounds)[0][1, 1] for rounds in (2, 6))
    assert few < 0.1 < 0.5 < many


def test_entries_move_by_the_learning_rate_in_root_mean_square() -> None:
    net = network()
    before = [weight.detach().clone() for weight in matrices_of(net)]
    for index, weight in enumerate(matrices_of(net)):
        weight.grad = draw(*weight.shape, name=f"gradient-{index}")
    Muon(net, 1e-3, (0.0, 0.9)).step()
    for weight, start in zip(matrices_of(net), before, strict=True):
        moved = (weight - start).square().mean().sqrt().item()
        assert 0.7e-3 < moved < 1.25e-3


def test_the_precision_of_the_surrounding_step_does_not_reach_the_rounds() -> None:
    moved = []
    for enabled in (False, True):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net = network()
        for index, weight in enumerate(matrices_of(net)):
            weight.grad = draw(*weight.shape, name=f"gradient-{index}")
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            Muon(net, 1e-3, (0.0, 0.9)).step()
        moved.append(matrices_of(net))
    assert all(map(torch.equal, *moved))


def test_everything_else_moves_as_adam_moves_it() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ours, theirs = network(), network()
    theirs.load_state_dict(ours.state_dict())
    stepped(ours, Muon(ours, 1e-3, (0.5, 0.9)))
    stepped(theirs, Adam(theirs.parameters(), 1e-3, (0.5, 0.9), fused=True))
    orthogonal = {id(weight) for weight in matrices_of(ours)}
    same = [
        torch.equal(mine, other)
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True)
    ]
    expected = [id(parameter) not in orthogonal for parameter in ours.parameters()]
    assert same == expected
    assert same.count(False) == 2


def test_momentum_averages_the_gradients_of_matrices() -> None:
    moved = []
    for beta1 in (0.0, 0.9):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net = network()
        stepped(net, Muon(net, 1e-2, (beta1, 0.9)), steps=3)
        moved.append(matrices_of(net)[0].detach().clone())
    assert not torch.allclose(moved[0], moved[1])


def test_momentum_survives_a_checkpoint() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        whole = network()
    optimizer = Muon(whole, 1e-2, (0.9, 0.9))
    stepped(whole, optimizer, 2)
    rest = network()
    rest.load_state_dict(whole.state_dict())
    continued = Muon(rest, 1e-2, (0.9, 0.9))
    continued.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    stepped(whole, optimizer, 2)
    stepped(rest, continued, 2)
    assert all(map(torch.equal, whole.parameters(), rest.parameters()))


@pytest.mark.parametrize("recipe", list(RECIPES))
def test_thin_weights_norms_and_codes_are_left_to_adam(recipe: str) -> None:
    config = RECIPES[recipe]()
    for net in (config.generator.build(), config.discriminator.build()):
        shapes = [tuple(weight.flatten(1).shape) for weight in matrices_of(net)]
        assert shapes
        assert min(map(min, shapes)) >= MIN_SIDE
        left = {id(weight) for weight in matrices_of(net)}
        names = {name for name, each in net.named_parameters() if id(each) not in left}
        assert all(
            name.endswith(("bias", "codes", "class_token", "norm.weight", "logit.weight"))
            or "norm" in name
            for name in names
        ), names
