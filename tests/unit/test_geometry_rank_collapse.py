import json

import pytest
import torch

from orthogan.errors import ConfigError, DataError, ShapeError
from orthogan.geometry.collapse.depth import (
    DepthCurve,
    depth_curve,
    random_attention,
    residual_curve,
    small_value_share,
    token_residual,
)
from orthogan.rng import stream


def cloud(*shape, seed=0):
    return torch.from_numpy(stream(seed, "cloud").standard_normal(shape))


def random_layers(depth, width=32, **options):
    return [random_attention(width, layer=layer, **options) for layer in range(depth)]


@pytest.mark.parametrize("seed", range(5))
def test_pure_attention_collapses_doubly_exponentially_by_layer_4(seed):
    curve = depth_curve(cloud(16, 32, seed=seed), random_layers(4, seed=seed))
    assert curve.residuals[4] < 1e-6
    assert curve.collapsed_at in (3, 4)
    assert min(curve.orders[-2:]) > 2  # each layer squares the residual or better
    assert curve.reading().verdict == "collapsed"


@pytest.mark.parametrize("seed", range(5))
def test_skips_hold_the_tokens_apart(seed):
    start, layers = cloud(16, 32, seed=seed), random_layers(4, seed=seed)
    curve = depth_curve(start, layers, skip=True)
    assert curve.residuals[4] > 0.5
    assert curve.collapsed_at is None
    assert curve.reading().verdict == "healthy"
    assert curve.skip
    assert curve.residuals[1:] != depth_curve(start, layers).residuals[1:]


def test_the_options_of_random_attention_do_something_and_repeat():
    states = cloud(4, 8)
    plain = random_attention(8)(states)
    torch.testing.assert_close(random_attention(8)(states), plain, rtol=0, atol=0)
    changes = ({"seed": 1}, {"layer": 1}, {"heads": 2}, {"key_size": 3})
    for options in changes:
        assert not torch.allclose(random_attention(8, **options)(states), plain), options
    assert random_attention(3, heads=5)(cloud(4, 3)).shape == (4, 3)


@pytest.mark.parametrize("options", [{"width": 0}, {"heads": 0}, {"key_size": 0}])
def test_sizes_that_are_not_positive_are_refused(options):
    with pytest.raises(ConfigError, match="needs positive sizes"):
        random_attention(**({"width": 4} | options))


def test_residuals_of_known_states():
    assert token_residual(torch.full((3, 4), 0.1)) == 0
    assert token_residual(torch.zeros(3, 4)) == 0
    assert token_residual(cloud(1, 4)) == 0
    assert token_residual(torch.tensor([[1.0], [-1.0]])) == 1
    assert residual_curve([torch.zeros(2, 2), torch.tensor([[1.0], [-1.0]])]) == (0, 1)
    assert token_residual(1e-200 * cloud(3, 4)) == pytest.approx(token_residual(cloud(3, 4)))


def test_the_mean_token_is_the_nearest():
    states = cloud(5, 3)
    best = token_residual(states) * float(states.norm())
    for seed in range(20):
        other = states.mean(0) + 0.1 * cloud(3, seed=seed)
        assert float((states - other).norm()) > best


def test_layers_that_break_the_rules_are_refused_by_number():
    start = cloud(4, 8)
    layers = [lambda states: states, lambda states: states[:, :2]]
    with pytest.raises(ShapeError, match=r"Layer 2 must return .* \(4, 8\), got \(4, 2\)"):
        depth_curve(start, layers)
    with pytest.raises(DataError, match="'output of layer 1' holds NaN"):
        depth_curve(start, [lambda states: states * float("nan")])


def test_a_curve_prints_and_is_json():
    curve = DepthCurve((0.9, 0.1, 1e-7), skip=False)
    assert str(curve) == "without skips: 0.9 0.1 1e-07"
    assert json.loads(json.dumps(curve.to_dict()))["collapsed_at"] == 2
    assert curve.orders[1] == pytest.approx(7)
    assert str(DepthCurve((0.9,), skip=True)).startswith("with skips")


def test_spectral_collapse_counts_small_singular_values():
    weight = torch.diag(torch.tensor([1.0, 0.5, 0.011, 0.009, 0.0]))
    assert small_value_share(weight) == pytest.approx(0.4)
    assert small_value_share(weight[:, :, None, None]) == pytest.approx(0.4)
    assert small_value_share(7 * weight) == pytest.approx(0.4)
    assert small_value_share(torch.eye(4)) == 0
    with pytest.raises(ShapeError, match="two axes or more"):
        small_value_share(torch.ones(3))
    with pytest.raises(DataError, match="zero everywhere"):
        small_value_share(torch.zeros(3, 3))
