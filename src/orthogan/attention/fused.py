"""Softmax attention by PyTorch's fused kernel, and yet twice differentiable.

The kernel never writes the weights out and is the quicker one for long sequences, but its
backward pass has no derivative. So it serves forward passes and first derivatives; a backward
pass that is recorded itself, as a gradient penalty records it, writes the weights out instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import functional

from orthogan.attention.scores import COSINE_SCALE, attend, softmax, unit
from orthogan.shapes import HeadOutput, Key, Query, Value

# Keys from which on the kernel wins, forward with backward, with 16 or 32 dimensions a head
# (benchmarks/attention_cost.py); below the written form is as quick or quicker.
FUSED_FROM = 160

_EXPECTED: ContextVar[bool] = ContextVar("second derivatives expected", default=False)


@contextmanager
def second_derivatives() -> Iterator[None]:
    """Inside, the weights are written out at once, as a recorded backward pass will need them.

    It saves such a pass from writing them out a second time, and changes no result beyond
    rounding: outside, second derivatives are right as well.
    """
    token = _EXPECTED.set(True)
    try:
        yield
    finally:
        _EXPECTED.reset(token)


def fused_softmax(query: Query, key: Key, value: Value) -> HeadOutput:
    """What `attend(attention_weights(query, key), value)` returns, to rounding: `B N T V`.

    Args:
        query: `B N T K`.
        key: `B N S K`.
        value: `B N S V`.
    """
    if torch.is_grad_enabled() and any(part.requires_grad for part in (query, key, value)):
        mixed: Tensor = _Fused.apply(query, key, value)  # type: ignore[no-untyped-call]
        return mixed
    return functional.scaled_dot_product_attention(query, key, value)


def fused_cosine(query: Query, key: Key, value: Value) -> HeadOutput:
    """The same for the score "cosine", where `is_only_read`.

    There the kernel wins at any length; with a backward pass it would not below `FUSED_FROM` keys.
    """
    return functional.scaled_dot_product_attention(
        unit(query), unit(key), value, scale=COSINE_SCALE
    )


def is_fused_better(query: Query, key: Key, value: Value) -> bool:
    """Whether the kernel takes these tensors, and is the quicker way.

    Function transforms, forward derivatives and compilers see through the written form alone.
    """
    if torch.compiler.is_compiling():  # before the length is asked: a program serves every length
        return False
    if key.shape[-2] < FUSED_FROM or key.shape[-1] != value.shape[-1] or _EXPECTED.get():
        return False
    return not is_transformed(query, key, value)


def is_only_read(query: Query, key: Key, value: Value) -> bool:
    """Whether nothing will be derived from what is made of these tensors."""
    return not torch.is_grad_enabled() and not is_transformed(query, key, value)


def is_transformed(*parts: Tensor) -> bool:
    """Whether a compiler or a function transform looks on, or a part carries a derivative."""
    return (
        torch.compiler.is_compiling()
        or torch._C._are_functorch_transforms_active()  # noqa: SLF001 - what autograd.Function asks
        or any(forward_ad.unpack_dual(part).tangent is not None for part in parts)
    )


class _Fused(torch.autograd.Function):
    """The kernel, with a backward pass that can be differentiated where it has to be."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """The mixed values, and what the kernel's backward pass needs."""
        mixed: Tensor
        parts = (query, key, value)
        ctx.is_kernel = _takes(*parts)
        if ctx.is_kernel:
            mixed, log_sums = _KERNEL(*parts)
            ctx.save_for_backward(*parts, mixed, log_sums)
            return mixed
        ctx.save_for_backward(*parts)
        ctx.parts = [
            part.detach().requires_grad_(is_wanted)
            for part, is_wanted in zip(parts, ctx.needs_input_grad, strict=True)
        ]
        with torch.enable_grad():
            ctx.mixed = functional.scaled_dot_product_attention(*ctx.parts)
        mixed = ctx.mixed.detach()
        return mixed

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """First derivatives by the kernel; recorded ones through the weights, written out."""
        is_recorded = torch.is_grad_enabled()
        if is_recorded:
            parts = ctx.saved_tensors[:3]
            mixed = attend(softmax(*parts[:2]), parts[2])
        elif ctx.is_kernel:
            return tuple(_KERNEL_BACKWARD(gradient, *ctx.saved_tensors, 0.0, False))
        else:
            parts, mixed = ctx.parts, ctx.mixed
        wanted = [part for part, need in zip(parts, ctx.needs_input_grad, strict=True) if need]
        found = iter(
            torch.autograd.grad(
                mixed, wanted, gradient, create_graph=is_recorded, retain_graph=True
            )
        )
        return tuple(next(found) if need else None for need in ctx.needs_input_grad)


# What `scaled_dot_product_attention` itself calls on processors. Called by name, what it keeps goes
# when the graph around it goes, which a graph of its own does not know of.
_KERNEL = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu  # noqa: SLF001
_KERNEL_BACKWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward  # noqa: SLF001


def _takes(query: Query, key: Key, value: Value) -> bool:
    """Whether the processor's kernel takes these tensors as they are."""
    parts = (query, key, value)
    return (
        query.device.type == "cpu"
        and query.dtype == key.dtype == value.dtype
        and all(part.stride(-1) == 1 and part.numel() > 0 for part in parts)
    )
