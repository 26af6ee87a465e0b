"""Weights and two derivatives where tokens are zero, tiny, huge, all alike or hidden."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from orthogan.attention import (
    Attention,
    apply_attention,
    attend,
    attention_weights,
    key_names,
    score_names,
)
from orthogan.attention.scores import score_traits, unit
from orthogan.rng import initialization, stream

TOKENS, WIDTH = 5, 4
SCORES = pytest.mark.parametrize("score", score_names())
DTYPES = {torch.float64: 1e-9, torch.float32: 1e-4, torch.bfloat16: 0.15, torch.float16: 0.05}
MASKS: dict[str, Tensor | None] = {
    "all": None,
    "second hidden": (torch.arange(TOKENS) != 1).expand(TOKENS, TOKENS),
    "third reads nothing": torch.arange(TOKENS)[:, None].expand(TOKENS, TOKENS) != 2,
    "nothing": torch.zeros(TOKENS, TOKENS, dtype=torch.bool),
}


def draw(*shape: int, counter: int = 0) -> Tensor:
    return torch.from_numpy(stream(0, "extremes", counter).standard_normal(shape))


def tokens(kind: str, counter: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """`1 2 T K` of one kind, the second token being the odd one."""
    found = draw(1, 2, TOKENS, WIDTH, counter=counter)
    if kind == "alike":
        return found[:, :, :1].expand(-1, -1, TOKENS, -1).to(dtype).clone()
    if kind == "all zero":
        return torch.zeros_like(found, dtype=dtype)
    factor = 1.0 if kind == "plain" else float(kind)
    found[:, :, 1] *= min(factor, LARGEST.get(dtype, factor))
    return found.to(dtype)


# Squares of 1e15 are the largest products whose mixtures float32 and bfloat16 still hold.
KINDS = ["plain", "0", "1e-42", "1e-30", "1e-14", "1e15", "alike", "all zero"]
LARGEST = {torch.float16: 10.0}  # sums of its squares keep two digits of ordinary tokens


def mixed(parts: tuple[Tensor, ...]) -> Tensor:
    draws = (draw(part.numel(), counter=7).to(part.dtype).view_as(part) for part in parts)
    return torch.stack([(part * one).sum() for part, one in zip(parts, draws, strict=True)]).sum()


def derivatives(score: str, query: Tensor, key: Tensor, mask: Tensor | None) -> list[Tensor]:
    """The weights, the derivatives of a mixture of them, and those of a mixture of these."""

    inputs = (query.clone().requires_grad_(), key.clone().requires_grad_())
    weights = attention_weights(*inputs, score, mask)
    first = torch.autograd.grad(mixed((weights,)), inputs, create_graph=True)
    second = torch.autograd.grad(mixed(first), inputs, materialize_grads=True)
    return [weights.detach(), *(part.detach() for part in first), *second]


@SCORES
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda one: str(one)[6:])
@pytest.mark.parametrize("kind", KINDS)
def test_two_derivatives_are_finite_and_those_of_float64(
    score: str, dtype: torch.dtype, kind: str
) -> None:
    query, key = tokens(kind, 0, dtype), tokens(kind, 1, dtype)
    for name, mask in MASKS.items():
        found = derivatives(score, query, key, mask)
        wanted = derivatives(score, query.double(), key.double(), mask)
        for one, other in zip(found, wanted, strict=True):
            assert one.dtype == dtype
            assert bool(one.isfinite().all()), name
            # Where a sum of terms is 0, what is left of it is the rounding of the terms.
            size = max(float(other.abs().max()), 0.1)
            assert float((one.double() - other).abs().max()) <= DTYPES[dtype] * size, name


@SCORES
@pytest.mark.parametrize("kind", ["0", "1e-30", "1e-14", "1e15"])
def test_a_hidden_token_has_no_part_in_any_derivative(score: str, kind: str) -> None:
    query, mask = draw(1, 2, TOKENS, WIDTH, counter=2), MASKS["second hidden"]
    found = derivatives(score, query, tokens(kind, 1), mask)
    wanted = derivatives(score, query, tokens("plain", 1), mask)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda one: str(one)[6:])
@pytest.mark.parametrize("factor", [0.0, 1e-42, 1e-30, 1e-14])
def test_what_has_no_direction_has_cosine_zero_and_no_derivative(
    dtype: torch.dtype, factor: float
) -> None:
    vectors = torch.stack([draw(4) * factor, draw(4)]).to(dtype).requires_grad_()
    found = unit(vectors)
    (first,) = torch.autograd.grad(found[:, 0].sum(), vectors, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), vectors)
    for part in (found, first, second):
        assert bool((part[0] == 0).all())
        assert bool((part[1] != 0).any())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ordinary_vectors_are_normalised_as_ever_to_the_bit(dtype: torch.dtype) -> None:
    def parts(normalise) -> list[Tensor]:
        vectors = draw(100, 16).to(dtype).requires_grad_()
        found = normalise(vectors)
        (first,) = torch.autograd.grad((found**3).sum(), vectors, create_graph=True)
        return [found, first, *torch.autograd.grad(first.square().sum(), vectors)]

    def plain(vectors: Tensor) -> Tensor:
        return torch.nn.functional.normalize(vectors, dim=-1)

    for one, other in zip(parts(unit), parts(plain), strict=True):
        assert torch.equal(one, other)


@SCORES
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_only_read_is_what_is_recorded(score: str, kind: str) -> None:
    query, key, value = tokens(kind), tokens(kind, 1), draw(1, 2, TOKENS, WIDTH, counter=3)
    wanted = attend(attention_weights(query, key, score), value)
    with torch.no_grad():
        torch.testing.assert_close(
            apply_attention(query, key, value, score), wanted, rtol=1e-12, atol=1e-12
        )


PAIRS = [
    (score, keys)
    for score in score_names()
    for keys in key_names()
    if score_traits(score).reads_products or keys != "dual"
]


def layer_of(score: str, keys: str, dtype: torch.dtype) -> Attention:
    with initialization(0, "layer"):
        layer = Attention(2 * WIDTH, 2, score, keys)
    if layer.keys.needs_calibration:
        layer.fit_keys(draw(8, 9, 2 * WIDTH, counter=4).float())
    return layer.to(dtype)


def two_derivatives(layer: Attention, given: Tensor, mask: Tensor | None) -> list[Tensor]:
    """The output, its derivatives by tokens and weights, and the derivatives of the former."""
    given = given.clone().requires_grad_()
    wanted = [given, *layer.parameters()]
    output = layer(given, mask=mask)
    first = torch.autograd.grad(mixed((output,)), wanted, create_graph=True, materialize_grads=True)
    second = torch.autograd.grad(mixed(first[:1]), wanted, materialize_grads=True)
    return [output.detach(), *(part.detach() for part in first), *second]


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda one: str(one)[6:])
@pytest.mark.parametrize("kind", ["0", "1e-30", "1e10", "alike", "all zero"])
@pytest.mark.parametrize(("score", "keys"), PAIRS)
def test_a_penalty_of_the_layer_is_that_of_float64(
    score: str, keys: str, kind: str, dtype: torch.dtype
) -> None:
    layer = layer_of(score, keys, dtype)
    exact = layer_of(score, keys, dtype).double()
    given = tokens(kind, 0, dtype).transpose(1, 2).flatten(2)
    # A Gram matrix of numbers 1e20 apart has lost the small ones in every precision.
    is_comparable = (keys, kind) != ("dual", "1e10")
    # What is left of a sum that is 0 is the rounding of terms as large as ordinary tokens have.
    plain = tokens("plain").transpose(1, 2).flatten(2).double()
    sizes = [float(part.abs().max()) for part in two_derivatives(exact, plain, None)]
    for mask in MASKS.values():
        found = two_derivatives(layer, given, mask)
        wanted = two_derivatives(exact, given.double(), mask)
        for one, other, size in zip(found, wanted, sizes, strict=True):
            assert one.dtype == dtype
            assert bool(one.isfinite().all())
            if is_comparable:
                within = DTYPES[dtype] * max(float(other.abs().max()), size)
                assert float((one.double() - other).abs().max()) <= within
