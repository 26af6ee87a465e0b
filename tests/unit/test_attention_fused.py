"""The fused kernel: the same numbers as the written form, and all derivatives of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from orthogan.attention import (
    Attention,
    apply_attention,
    attend,
    attention_weights,
    second_derivatives,
)
from orthogan.attention.fused import FUSED_FROM
from orthogan.rng import initialization, stream

LONG = FUSED_FROM + 3
FORWARD = "_scaled_dot_product_flash_attention_for_cpu"
BACKWARD = f"{FORWARD}_backward"


class Kernels(TorchDispatchMode):
    """Notes the fused kernels that run."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if "dot_product" in name:
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


def parts(length: int = LONG, size: int = 4, value_size: int = 4) -> list[Tensor]:
    sizes = (size, size, value_size)
    return [
        torch.from_numpy(stream(0, "fused", i).standard_normal((2, 2, length, each)))
        for i, each in enumerate(sizes)
    ]


def written(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return attend(attention_weights(query, key), value)


def derivatives(function, wanted: Sequence[bool]) -> list[Tensor]:
    """The output, its first derivatives, and the derivatives of their squares."""
    given = [part.requires_grad_(each) for part, each in zip(parts(), wanted, strict=True)]
    moved = [part for part in given if part.requires_grad]
    output = function(*given)
    direction = torch.linspace(-1, 1, output.numel(), dtype=output.dtype).reshape(output.shape)
    direction.requires_grad_()
    plain = torch.autograd.grad(output, moved, direction, retain_graph=True)
    recorded = torch.autograd.grad(output, moved, direction, create_graph=True)
    for one, other in zip(plain, recorded, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    energy = sum(gradient.square().sum() for gradient in recorded)
    # Without queries and keys the first derivative does not depend on the values.
    second = torch.autograd.grad(energy, [*moved, direction], materialize_grads=True)
    return [output.detach(), *plain, *second]


@pytest.mark.parametrize(
    "wanted", [(True, True, True), (True, False, False), (False, True, True), (False, False, True)]
)
def test_values_and_two_derivatives_are_those_of_the_written_form(wanted: Sequence[bool]) -> None:
    with Kernels() as kernels:
        found = derivatives(apply_attention, wanted)
    assert kernels.seen == [FORWARD, BACKWARD]
    for one, other in zip(found, derivatives(written, wanted), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-11)


@pytest.mark.parametrize(("length", "value_size"), [(5, 4), (LONG, 4), (5, 3)])
def test_cosines_take_the_kernel_where_nothing_is_recorded(length: int, value_size: int) -> None:
    given = parts(length, value_size=value_size)
    with Kernels() as kernels:
        wanted = apply_attention(*given, score="cosine")
    assert kernels.seen == []
    with Kernels() as kernels, torch.no_grad():
        found = apply_attention(*given, score="cosine")
    assert FORWARD in kernels.seen or value_size != 4
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
    weights = attention_weights(*given[:2], score="cosine")
    torch.testing.assert_close(found, attend(weights, given[2]), rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_cosines_can_be_derived_forwards_where_nothing_is_recorded() -> None:
    given, ahead = parts(5), [torch.ones_like(part) for part in parts(5)]

    def mixed(*parts: Tensor) -> Tensor:
        return apply_attention(*parts, score="cosine")

    wanted = torch.func.jvp(mixed, tuple(given), tuple(ahead))
    with torch.no_grad():
        found = torch.func.jvp(mixed, tuple(given), tuple(ahead))
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)
    assert found[1].abs().max() > 1e-3


def test_masked_cosines_are_written_out() -> None:
    given, mask = parts(5), torch.ones(5, 5, dtype=torch.bool).tril()
    with Kernels() as kernels, torch.no_grad():
        found = apply_attention(*given, score="cosine", mask=mask)
    assert kernels.seen == []
    torch.testing.assert_close(found[:, :, 0], given[2][:, :, 0])


@pytest.mark.parametrize("which", [0, 1, 2])
def test_memory_in_another_order_gives_the_same_derivatives(which: int) -> None:
    def strided(*given: Tensor) -> Tensor:
        moved = [part.mT.contiguous().mT if i == which else part for i, part in enumerate(given)]
        return apply_attention(*moved)

    everything = (True, True, True)
    expected = derivatives(written, everything)
    for one, other in zip(derivatives(strided, everything), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-11)


def test_a_gradient_of_one_repeated_number_is_read_right() -> None:
    def gradients(function) -> list[Tensor]:
        given = [part.requires_grad_() for part in parts()]
        return list(torch.autograd.grad(function(*given).sum(), given))

    for one, other in zip(gradients(apply_attention), gradients(written), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-11)


def test_what_the_kernel_keeps_goes_with_the_graph() -> None:
    query, key, value = (part.requires_grad_() for part in parts())
    mixed = apply_attention(query, key, value)
    mixed.sum().backward(retain_graph=True)
    mixed.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        mixed.sum().backward()


def test_a_penalised_step_reaches_every_weight() -> None:
    with initialization(0, "fused"):
        layer = Attention(8, heads=2).double()
    tokens = torch.from_numpy(stream(0, "tokens").standard_normal((2, LONG, 8)))

    def penalised() -> list[Tensor]:
        shown = tokens.clone().requires_grad_()
        output = layer(shown)
        (slope,) = torch.autograd.grad(output.sum(), shown, create_graph=True)
        loss = output.square().mean() + slope.square().sum()
        return list(torch.autograd.grad(loss, list(layer.parameters())))

    found = penalised()
    with Kernels() as kernels, second_derivatives():
        expected = penalised()
    assert kernels.seen == []
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)
        assert float(one.abs().max()) > 0


def test_it_is_taken_where_it_can_be_and_pays() -> None:
    def kernels(length: int = LONG, value_size: int = 4, **options) -> list[str]:
        with Kernels() as noted:
            apply_attention(*parts(length, value_size=value_size), **options)
        return noted.seen

    assert kernels() == [FORWARD]
    assert kernels(FUSED_FROM) == [FORWARD]
    assert kernels(FUSED_FROM - 1) == []
    assert kernels(value_size=6) == []
    assert kernels(score="cosine") == []
    assert kernels(mask=torch.ones(LONG, LONG, dtype=torch.bool).tril()) == []
    with second_derivatives():
        assert kernels() == []
    assert kernels() == [FORWARD]


# PyTorch scripts its own forward formulas when the first of them is used.
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_function_transforms_see_the_written_form() -> None:
    query, key, value = parts()
    tangent = torch.ones_like(query)
    expected = torch.func.jvp(lambda q: written(q, key, value), (query,), (tangent,))
    found = torch.func.jvp(lambda q: apply_attention(q, key, value), (query,), (tangent,))
    torch.testing.assert_close(found, expected)

    def energy(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return apply_attention(q[None], k[None], v[None]).square().sum()

    per_sample = torch.func.vmap(torch.func.grad(energy))(query, key, value)
    alone = torch.func.grad(energy)(query[1], key[1], value[1])
    torch.testing.assert_close(per_sample[1], alone)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(query, tangent)
        moved = torch.autograd.forward_ad.unpack_dual(apply_attention(dual, key, value)).tangent
    torch.testing.assert_close(moved, expected[1])


def test_autocast_takes_it_too() -> None:
    with initialization(0, "fused"):
        layer = Attention(8, heads=2)
    tokens = parts()[0].flatten(0, 1).float().repeat(1, 1, 2).requires_grad_()
    exact = torch.autograd.grad(layer(tokens).square().sum(), tokens)[0]
    with torch.autocast("cpu", torch.bfloat16):
        rounded = torch.autograd.grad(layer(tokens).float().square().sum(), tokens)[0]
    torch.testing.assert_close(rounded, exact, rtol=0.1, atol=0.1 * float(exact.abs().max()))
