"""What every registered kind of keys promises, with every score and every kind of positions."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from orthogan.attention import (
    Attention,
    OrthogonalEncoding,
    PositionalEncoding,
    RelativePositions,
    Rotary,
    UntiedPositions,
    attend,
    causal_mask,
    grid_coordinates,
    key_names,
    score_names,
)
from orthogan.attention.keys import Sizes, make_keys
from orthogan.attention.scores import score_traits
from orthogan.errors import ConfigError
from orthogan.rng import initialization, stream

WIDTH, HEADS, TOKENS = 8, 2, 4
KEYS = pytest.mark.parametrize("keys", key_names())


def draw(*shape: int, counter: int = 0) -> torch.Tensor:
    return torch.from_numpy(stream(0, "keys", counter).standard_normal(shape))


def fitted(layer: Attention, width: int = WIDTH) -> Attention:
    if layer.keys.state_dict():
        layer.fit_keys(draw(3, 2 * width, width, counter=9) * (1 + torch.arange(width)))
    return layer


def made(keys: str, score: str = "softmax", width: int = WIDTH, **options: object) -> Attention:
    with initialization(0, "layer"):
        return fitted(Attention(width, HEADS, score, keys, **options).double(), width)  # type: ignore[arg-type]


def is_meaningful(score: str, keys: str) -> bool:
    return score_traits(score).reads_products or keys != "dual"


PAIRS = [pair for pair in itertools.product(score_names(), key_names()) if is_meaningful(*pair)]


def inside(name: str) -> RelativePositions | None:
    if name == "rotate":
        return Rotary(grid_coordinates(2, 2), WIDTH // HEADS)
    if name == "untied":
        return UntiedPositions(nn.Parameter(draw(TOKENS, 3, counter=5)), HEADS, 2)
    return None


def outside(name: str, tokens: int) -> tuple[nn.Module, int]:
    """A code for the tokens, and the width that they must have before it."""
    if name == "add":
        return PositionalEncoding("learned", 2, 2, WIDTH), WIDTH
    if name == "concatenate":
        return PositionalEncoding("sinusoidal", 2, 2, 4, "concatenate"), WIDTH - 4
    if name == "orthogonal":
        code = OrthogonalEncoding(PositionalEncoding("sinusoidal", 2, 2, WIDTH).codes.double())
        code.place(draw(40, WIDTH, counter=6))
        return code, WIDTH
    return nn.Identity(), WIDTH


POSITION_MODES = ["none", "add", "concatenate", "orthogonal", "rotate", "untied"]


@pytest.mark.parametrize("position_mode", POSITION_MODES)
@pytest.mark.parametrize(("score", "keys"), PAIRS)
def test_derivatives_of_first_and_second_order(score: str, keys: str, position_mode: str) -> None:
    with initialization(0, "positions"):
        code, width = outside(position_mode, TOKENS)
        layer = made(keys, score, positions=inside(position_mode))
    network = nn.Sequential(code, layer).double()
    tokens = draw(1, TOKENS, width).requires_grad_()
    assert torch.autograd.gradcheck(network, (tokens,), fast_mode=True)
    assert torch.autograd.gradgradcheck(network, (tokens,), fast_mode=True)


@pytest.mark.parametrize(("score", "keys"), PAIRS)
def test_forward_applies_the_weights(score: str, keys: str) -> None:
    layer = made(keys, score)
    tokens, context = draw(3, 5, WIDTH), draw(3, 7, WIDTH, counter=1)
    for other, mask in ((None, None), (context, None), (None, causal_mask(5))):
        source = tokens if other is None else other
        value = layer.key_value(source)[..., -WIDTH:].unflatten(-1, (HEADS, -1)).transpose(1, 2)
        weights = layer.weights(tokens, other, mask)
        assert weights.shape == (3, HEADS, 5, source.shape[1])
        mixed = attend(weights, value).transpose(1, 2).flatten(2)
        found = layer(tokens, other, mask)
        torch.testing.assert_close(layer.output(mixed), found, rtol=0, atol=1e-12)
        assert not torch.allclose(found, torch.zeros_like(found))


@KEYS
def test_cross_attention_reads_the_context(keys: str) -> None:
    layer, tokens, context = made(keys), draw(2, 5, WIDTH), draw(2, 7, WIDTH, counter=1)
    assert not torch.allclose(layer(tokens, context), layer(tokens))
    assert torch.equal(layer(tokens, tokens), layer(tokens))
    # Attention does not care about the order of what it reads.
    torch.testing.assert_close(layer(tokens, context.flip(1)), layer(tokens, context))


@KEYS
def test_masked_keys_might_as_well_not_be_there(keys: str) -> None:
    layer, tokens, context = made(keys), draw(2, 5, WIDTH), draw(2, 7, WIDTH, counter=1)
    mask = torch.ones(5, 7, dtype=torch.bool)
    mask[:, 4:] = False
    torch.testing.assert_close(
        layer(tokens, context, mask), layer(tokens, context[:, :4]), rtol=0, atol=1e-12
    )
    # A token that may read nothing; the others are not disturbed by it.
    mask[0] = False
    found = layer(tokens, context, mask)
    assert bool((found[:, 0] == 0).all())
    torch.testing.assert_close(found[:, 1:], layer(tokens, context[:, :4])[:, 1:])


@KEYS
def test_the_future_does_not_reach_the_past(keys: str) -> None:
    layer, tokens = made(keys), draw(1, 5, WIDTH)
    changed = tokens.clone()
    changed[:, 3:] += 1
    before, after = (layer(each, mask=causal_mask(5)) for each in (tokens, changed))
    torch.testing.assert_close(before[:, :3], after[:, :3], rtol=0, atol=1e-12)
    assert not torch.allclose(before[:, 3:], after[:, 3:])


@pytest.mark.parametrize(("score", "keys"), PAIRS)
def test_function_transforms_agree_with_autograd(score: str, keys: str) -> None:
    layer, tokens = made(keys, score), draw(2, 5, WIDTH).requires_grad_()

    def energy(sequence: torch.Tensor) -> torch.Tensor:
        return layer(sequence[None]).square().sum()

    (expected,) = torch.autograd.grad(layer(tokens).square().sum(), tokens)
    found = torch.func.vmap(torch.func.grad(energy))(tokens.detach())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@KEYS
def test_every_weight_is_reached(keys: str) -> None:
    layer = made(keys)
    layer(draw(2, 5, WIDTH)).square().sum().backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().max()) > 0, name


@KEYS
def test_a_stored_layer_is_the_same_layer(keys: str) -> None:
    layer = made(keys)
    with initialization(1, "other"):
        other = Attention(WIDTH, HEADS, keys=keys).double()
    other.load_state_dict(layer.state_dict())
    tokens = draw(2, 5, WIDTH)
    assert torch.equal(other(tokens), layer(tokens))


@KEYS
def test_sizes_are_taken_or_refused_with_the_reason(keys: str) -> None:
    asked = [(None, None), (None, 6), (4, None), (WIDTH, 6)]
    expected = {
        "values": [WIDTH, 6, None, None],
        "identity": [WIDTH, WIDTH, None, WIDTH],
        "whitened": [WIDTH, WIDTH, None, WIDTH],
    }.get(keys, [WIDTH, 6, 4, WIDTH])
    for (key_size, value_size), size in zip(asked, expected, strict=True):
        if size is None:
            with pytest.raises(ConfigError, match=f"key size\\s+{key_size}; leave it out"):
                Attention(WIDTH, HEADS, keys=keys, key_size=key_size, value_size=value_size)
        else:
            layer = Attention(WIDTH, HEADS, keys=keys, key_size=key_size, value_size=value_size)
            assert layer.key_size == layer.query.out_features == size
            assert fitted(layer)(draw(1, 3, WIDTH).float()).shape == (1, 3, WIDTH)


@KEYS
def test_bfloat16_is_close_to_float32(keys: str) -> None:
    layer, tokens = made(keys).float(), draw(2, 6, WIDTH).float()
    exact = layer(tokens)
    rounded = layer.bfloat16()(tokens.bfloat16())
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), exact, rtol=0.1, atol=0.05)


@KEYS
def test_autocast_is_close_to_float32(keys: str) -> None:
    layer, tokens = made(keys).float(), draw(2, 6, WIDTH).float()
    with torch.autocast("cpu", torch.bfloat16):
        rounded = layer(tokens)
    torch.testing.assert_close(rounded.float(), layer(tokens), rtol=0.1, atol=0.05)


def test_names_give_the_kinds_that_they_name() -> None:
    kinds = [type(make_keys(name, Sizes(WIDTH, WIDTH, None))) for name in key_names()]
    assert len(set(kinds)) == len(kinds)
