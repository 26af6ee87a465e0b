"""The moving average of weights: its closed form, and that it stays apart from the network."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from orthogan.training.average import average_of, update_average


def filled(value: float) -> nn.Module:
    network = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(value)
    return network


def only_value(network: nn.Module) -> float:
    values = {value for p in network.parameters() for value in p.detach().flatten().tolist()}
    assert len(values) == 1
    return values.pop()


def test_closed_form_over_constant_weights() -> None:
    average, network = average_of(filled(1.0)), filled(3.0)
    for n in range(1, 6):
        update_average(average, network, 0.8)
        assert only_value(average) == pytest.approx(3.0 + (1.0 - 3.0) * 0.8**n, rel=1e-6)
    assert only_value(network) == 3.0


@pytest.mark.parametrize(("decay", "expected"), [(0.0, 3.0), (1.0, 1.0)])
def test_extreme_decays(decay: float, expected: float) -> None:
    average = average_of(filled(1.0))
    update_average(average, filled(3.0), decay)
    assert only_value(average) == expected


def test_the_average_is_a_separate_frozen_copy() -> None:
    network = filled(1.0).train()
    average = average_of(network)
    assert not average.training
    assert network.training
    assert not any(parameter.requires_grad for parameter in average.parameters())
    assert all(parameter.requires_grad for parameter in network.parameters())
    with torch.no_grad():
        network[0].weight.zero_()  # type: ignore[index]
    assert only_value(average) == 1.0
