"""Every registered network with attention can be looked into, whatever its score and keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from orthogan import rng
from orthogan.analysis.attention_sheet import sheet_of
from orthogan.analysis.attention_weights import has_attention, patches_of, record_attention
from orthogan.analysis.look import look
from orthogan.analysis.look_result import Look
from orthogan.analysis.looked_network import Request, look_into
from orthogan.analysis.trained import Trained
from orthogan.attention import Attention, score_names
from orthogan.attention.scores import attend, score_traits
from orthogan.errors import DataError
from orthogan.networks import CLASSIFIERS, DISCRIMINATORS, GENERATORS, Generator
from orthogan.networks.calibration import calibrate, needs_calibration
from orthogan.rng import normal, stream
from orthogan.testing.network_inputs import woken

ROLES = {"generator": GENERATORS, "discriminator": DISCRIMINATORS, "classifier": CLASSIFIERS}
NETWORKS = [(role, name) for role, registry in ROLES.items() for name in registry]
ATTENDING = [(role, name) for role, name in NETWORKS if "heads" in ROLES[role][name].model_fields]
EVERY = pytest.mark.parametrize(("role", "name"), ATTENDING)
PIXELS = torch.from_numpy(stream(0, "pixels").integers(0, 256, (5, 1, 16, 16))).to(torch.uint8)


def build(role: str, name: str, **settings: Any) -> nn.Module:
    kind = ROLES[role][name]
    small = {"size": 16, "width": 8, "heads": 2, "channels": 2} | settings
    known = {key: value for key, value in small.items() if key in kind.model_fields}
    with rng.initialization(0, role):
        network: nn.Module = kind(**known).build()
    woken(network)
    if needs_calibration(network):
        calibrate(network, inputs(network, 64))
    return network.eval()


def inputs(network: nn.Module, count: int = 3) -> Tensor:
    if isinstance(network, Generator):
        return normal((count, network.config.latent_size), stream(0, "latents"))
    return normal((count, 1, 16, 16), stream(0, "images")).tanh()


@EVERY
@pytest.mark.parametrize("score", score_names())
def test_the_maps_are_those_that_are_applied(role: str, name: str, score: str) -> None:
    network = build(role, name, score=score)
    layers = [part for part in network.modules() if isinstance(part, Attention)]
    applied: list[Tensor] = []
    values: list[Tensor] = []

    def keep(layer: Attention, given: tuple[Tensor, ...], made: Tensor) -> None:
        values.append(layer._project(given[0], given[0], None)[2])
        applied.append(made)

    handles = [layer.register_forward_hook(keep) for layer in layers]
    with torch.no_grad():
        records = record_attention(network, lambda: network(inputs(network)), 3, patches_of)
    for handle in handles:
        handle.remove()
    assert [record.name for record in records] == [f"block {n + 1}" for n in range(len(layers))]
    for layer, record, value, made in zip(layers, records, values, applied, strict=True):
        mixed = attend(record.shown, value.float())
        again = layer.output(mixed.transpose(1, 2).flatten(2))
        torch.testing.assert_close(again, made, rtol=1e-3, atol=1e-5)
        assert record.tally.num_images == 3
        if score_traits(score).sums_to_one:
            torch.testing.assert_close(record.shown.sum(-1), torch.ones(record.shown.shape[:-1]))


@EVERY
@pytest.mark.parametrize("keys", ["learned", "values", "whitened", "dual"])
def test_every_network_is_looked_into_beside_its_beginning(role: str, name: str, keys: str) -> None:
    network = build(role, name, keys=keys, score="softmax")
    request = Request(
        seeds=range(5), on="real", images=PIXELS if role != "generator" else None, query=(1, 0),
        num_shown=2,
    )  # fmt: skip
    found = look_into(
        Trained(network=network, role=role, data={}, where=Path("run"), seed=0), request
    )
    assert found is not None
    assert found.num_images == 5
    assert len(found.layers) == len(found.untrained) == network.config.blocks
    side = found.layers[0].patches.grid[0]
    for layer, before in zip(found.layers, found.untrained, strict=True):
        assert layer.patches == before.patches
        assert layer.patches.grid == (side, side)
        assert len(layer.heads) == 2
        assert layer.shown.shape == (2, *layer.mean.shape)
        for head in layer.heads:
            assert 0 <= head.entropy_fraction <= 1
            assert head.position_fraction is None or 0 <= head.position_fraction <= 1
    assert sheet_of([Look(source="run", networks=(found,))]).height > 0
    moved = [far for layer in found.moved() for far in layer]
    assert all(0 < far <= 1 for far in moved)  # the weights were woken
    assert found.to_dict()["layers"][0]["heads"][0]["untrained"]["attended"] > 0
    modes = [part.training for part in network.modules()]
    assert not any(modes)
    assert not any(part._forward_pre_hooks for part in network.modules())


@pytest.mark.parametrize(("role", "name"), sorted(set(NETWORKS) - set(ATTENDING)))
def test_the_others_say_that_they_have_none(role: str, name: str) -> None:
    network = build(role, name)
    assert not has_attention(network)
    with pytest.raises(DataError, match=f"The {name} {role} has no attention to look at"):
        look(network, images=None if role == "generator" else PIXELS)
