"""The mimetic start: products near the identity and near minus it, to the rank there is."""

from __future__ import annotations

import pytest
import torch

from orthogan.attention import Attention, initialize_mimetic
from orthogan.errors import ConfigError
from orthogan.rng import initialization

WIDTH = 128


def made(**options: object) -> Attention:
    with initialization(0, "mimetic"):
        layer = Attention(WIDTH, **options)  # type: ignore[arg-type]
        initialize_mimetic(layer)
    return layer.requires_grad_(False)


def assert_noisy_identity(product: torch.Tensor, noise: float, diagonal: float) -> None:
    rest = product - diagonal * torch.eye(WIDTH)
    assert float(rest.std()) * WIDTH**0.5 == pytest.approx(noise, rel=0.03)
    assert float(rest.diagonal().mean()) == pytest.approx(0, abs=0.02)


def test_one_head_has_the_products_of_the_paper() -> None:
    layer = made(heads=1)
    keys, values = layer.key_value.weight.split(WIDTH)
    assert_noisy_identity(layer.query.weight.T @ keys, 0.7, 0.7)
    assert_noisy_identity(layer.output.weight @ values, 0.4, -0.4)


def test_each_head_has_the_largest_part_of_a_product_of_its_own() -> None:
    layer = made(heads=4, key_size=64)
    parts = (
        layer.query.weight.unflatten(0, (4, 16)),
        layer.key_value.weight[:64].unflatten(0, (4, 16)),
    )
    products = torch.einsum("hkd,hke->hde", *parts)
    for product in products:
        values = torch.linalg.svdvals(product)
        assert int((values > 1e-4).sum()) == 16
        # 0.7 of the identity and noise of norm 1.4: the largest values come near 1.9.
        assert float(values[15]) > 1.2
    assert not torch.allclose(products[0], products[1], atol=0.01)


def test_factors_are_balanced() -> None:
    layer = made(heads=2)
    torch.testing.assert_close(
        layer.query.weight.square().sum(1), layer.key_value.weight[:WIDTH].square().sum(1)
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"keys": "queries"}, "these keys have no matrix of their own"),
        ({"heads": 1, "key_size": 256}, "at most 128"),
        ({"heads": 1, "value_size": 256}, "at most 128"),
    ],
)
def test_layers_without_such_products_are_refused(options: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        made(**options)
