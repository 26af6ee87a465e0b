"""The settings of every registered generator and discriminator keep their contract."""

from __future__ import annotations

import pytest

from orthogan.errors import ConfigError, UnknownNameError
from orthogan.networks import (
    DISCRIMINATORS,
    GENERATORS,
    DiscriminatorConfig,
    GeneratorConfig,
    network_config,
)
from orthogan.testing.network_settings import (
    DiscriminatorSettingsContract,
    GeneratorSettingsContract,
)


class TestGeneratorSettings(GeneratorSettingsContract):
    """All that are registered."""


class TestDiscriminatorSettings(DiscriminatorSettingsContract):
    """All that are registered."""


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
