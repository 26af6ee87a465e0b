"""What the settings of every registered generator and discriminator promise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from orthogan.errors import ConfigError, UnknownNameError
from orthogan.networks import DISCRIMINATORS, GENERATORS, NetworkConfig
from orthogan.registry import Names
from orthogan.testing.contract import Contract
from orthogan.testing.network_inputs import BATCH, images, latents, other_value, woken

IMPOSSIBLE: Sequence[dict[str, Any]] = (
    {"size": 12},
    {"size": 132},
    {"size": 30},
    {"colours": 2},
    {"colours": 0},
    {"classes": -1},
    {"hiden": 3},
    {"channels": 0},
    {"kind": "other"},
)


def shapes(network: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in network.state_dict().items()}


def differs(one: nn.Module, other: nn.Module, *inputs: Tensor) -> bool:
    """Whether two networks have other weights or, with equal weights, other outputs."""
    if shapes(one) != shapes(other):
        return True
    woken(one)
    other.load_state_dict(one.state_dict())
    first, second = one(*inputs), other(*inputs)
    return first.shape != second.shape or not torch.allclose(first, second, atol=1e-5)


class SettingsContract(Contract):
    """Impossible settings are refused, and the names inside a network are checked."""

    registry: ClassVar[Names[Any]] = GENERATORS
    argument = "kind"

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Gives each test one network after the other, and where it asks, each setting."""
        if "setting" not in metafunc.fixturenames:
            super().pytest_generate_tests(metafunc)
            return
        # 'initialization' decides the first weights alone, which these tests replace.
        pairs = [
            (kind, name)
            for kind in self.enrolled()
            for name in self.registry[kind].model_fields
            if name not in ("kind", "initialization")
        ]
        metafunc.parametrize(("kind", "setting"), pairs)

    @pytest.mark.parametrize("settings", IMPOSSIBLE)
    def test_impossible_settings_are_refused(self, kind: str, settings: dict[str, Any]) -> None:
        config: type[NetworkConfig] = self.registry[kind]
        with pytest.raises(ConfigError, match=next(iter(settings))):
            config(**settings)

    def test_names_inside_a_network_are_checked(self, kind: str) -> None:
        config = self.registry[kind]()
        for name in {"score", "positions"} & set(type(config).model_fields):
            with pytest.raises(UnknownNameError, match="Known: "):
                config.evolve(**{name: "nothing"}).build()
        if "heads" in type(config).model_fields:
            with pytest.raises(ConfigError, match="must be a multiple of heads = 7"):
                config.evolve(heads=7).build()


class GeneratorSettingsContract(SettingsContract):
    """Every setting of a generator has an effect."""

    def test_every_setting_of_a_generator_has_effect(self, kind: str, setting: str) -> None:
        base = self.registry[kind](size=16)
        changed = base.evolve(**{setting: other_value(base, setting)})
        assert not differs(base.build(), base.build(), latents())
        if setting == "latent_size":
            assert changed.build()(latents(128)).shape == (BATCH, 1, 16, 16)
        assert differs(base.build(), changed.build(), latents())


class DiscriminatorSettingsContract(SettingsContract):
    """Every setting of a discriminator has an effect."""

    registry: ClassVar[Names[Any]] = DISCRIMINATORS

    def test_every_setting_of_a_discriminator_has_effect(self, kind: str, setting: str) -> None:
        base = self.registry[kind](size=16)
        changed = base.evolve(**{setting: other_value(base, setting)})
        assert not differs(base.build(), base.build(), images())
        if setting == "size":
            assert changed.build()(images(32)).shape == (BATCH,)
        else:
            assert differs(base.build(), changed.build(), images())
