"""What the settings of every registered generator and discriminator promise."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from network_inputs import BATCH, images, latents, other_value, woken
from torch import Tensor, nn

from orthogan.errors import ConfigError, UnknownNameError
from orthogan.networks import (
    DISCRIMINATORS,
    GENERATORS,
    DiscriminatorConfig,
    GeneratorConfig,
    NetworkConfig,
    network_config,
)


def options(registry: Any) -> list[tuple[str, str]]:
    # 'initialization' decides the first weights alone: see test_attending_networks.py.
    return [
        (kind, name)
        for kind in registry
        for name in registry[kind].model_fields
        if name not in ("kind", "initialization")
    ]


def shapes(network: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in network.state_dict().items()}


def differs(one: nn.Module, other: nn.Module, *inputs: Tensor) -> bool:
    """Whether two networks have other weights or, with equal weights, other outputs."""
    if shapes(one) != shapes(other):
        return True
    woken(one)
    other.load_state_dict(one.state_dict())
    answers = [network(*inputs) for network in (one, other)]
    return answers[0].shape != answers[1].shape or not torch.allclose(*answers, atol=1e-5)


@pytest.mark.parametrize(("kind", "name"), options(GENERATORS))
def test_every_setting_of_a_generator_has_effect(kind: str, name: str) -> None:
    base = GENERATORS[kind](size=16)
    changed = base.evolve(**{name: other_value(base, name)})
    assert not differs(base.build(), base.build(), latents())
    if name == "latent_size":
        assert changed.build()(latents(128)).shape == (BATCH, 1, 16, 16)
    assert differs(base.build(), changed.build(), latents())


@pytest.mark.parametrize(("kind", "name"), options(DISCRIMINATORS))
def test_every_setting_of_a_discriminator_has_effect(kind: str, name: str) -> None:
    base = DISCRIMINATORS[kind](size=16)
    changed = base.evolve(**{name: other_value(base, name)})
    assert not differs(base.build(), base.build(), images())
    if name == "size":
        assert changed.build()(images(32)).shape == (BATCH,)
    else:
        assert differs(base.build(), changed.build(), images())


@pytest.mark.parametrize("kind", sorted({*GENERATORS, *DISCRIMINATORS}))
@pytest.mark.parametrize(
    "settings",
    [
        {"size": 12},
        {"size": 132},
        {"size": 30},
        {"colours": 2},
        {"colours": 0},
        {"classes": -1},
        {"hiden": 3},
        {"channels": 0},
        {"kind": "other"},
    ],
)
def test_impossible_settings_are_refused(kind: str, settings: dict[str, Any]) -> None:
    for registry in (each for each in (GENERATORS, DISCRIMINATORS) if kind in each):
        config: type[NetworkConfig] = registry[kind]
        with pytest.raises(ConfigError, match=next(iter(settings))):
            config(**settings)


@pytest.mark.parametrize(
    ("registry", "kind"),
    [(GENERATORS, k) for k in GENERATORS] + [(DISCRIMINATORS, k) for k in DISCRIMINATORS],
)
def test_names_inside_a_network_are_checked(registry: Any, kind: str) -> None:
    config = registry[kind]()
    for name in {"score", "positions"} & set(type(config).model_fields):
        with pytest.raises(UnknownNameError, match="Known: "):
            config.evolve(**{name: "nothing"}).build()
    if "heads" in type(config).model_fields:
        with pytest.raises(ConfigError, match="must be a multiple of heads = 7"):
            config.evolve(heads=7).build()


def test_configurations_are_found_by_kind() -> None:
    for kind in GENERATORS:
        config = network_config(GENERATORS, {"kind": kind, "size": 16})
        assert isinstance(config, GeneratorConfig)
        assert (config.kind, config.size) == (kind, 16)
        assert network_config(GENERATORS, config) is config
        assert network_config(GENERATORS, config.to_dict()) == config
    for kind in DISCRIMINATORS:
        assert isinstance(network_config(DISCRIMINATORS, {"kind": kind}), DiscriminatorConfig)


@pytest.mark.parametrize("value", [{}, {"size": 16}, 5, None, "conv"])
def test_a_network_without_kind_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="A generator needs a 'kind', one of: attention"):
        network_config(GENERATORS, value)


@pytest.mark.parametrize("kind", ["atention", 5, ["attention"]])
def test_a_network_of_unknown_kind_is_refused(kind: object) -> None:
    with pytest.raises(UnknownNameError, match="Unknown generator"):
        network_config(GENERATORS, {"kind": kind})
