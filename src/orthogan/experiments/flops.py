"""Floating-point operations, counted as they are carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import (
    flop_registry,
    sdpa_backward_flop_count,
    sdpa_flop_count,
)


class FlopCounter(TorchDispatchMode):
    """Counts the operations of matrix products, convolutions and solves inside the block.

    PyTorch's own counting mode follows modules, which it cannot under `autograd.grad`; its
    formulas are used, which count one multiplication and addition as two operations.

    >>> with FlopCounter() as counter:
    ...     _ = torch.ones(2, 3) @ torch.ones(3, 4)
    >>> counter.flops
    48
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Runs an operation and adds what it took."""
        result = func(*args, **(kwargs or {}))
        packet = func._overloadpacket  # noqa: SLF001 - as PyTorch's mode does
        formula = _FORMULAS.get(packet, flop_registry.get(packet))
        if formula is not None:
            self.flops += int(formula(*args, **(kwargs or {}), out_val=result))
        return result


def _fused(query: Tensor, key: Tensor, value: Tensor, *_rest: Any, **_options: Any) -> int:
    return int(sdpa_flop_count(query.shape, key.shape, value.shape))


def _fused_backward(
    gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, *_rest: Any, **_options: Any
) -> int:
    return int(sdpa_backward_flop_count(gradient.shape, query.shape, key.shape, value.shape))


def _solve(matrices: Tensor, right: Tensor, **_options: Any) -> int:
    """Factors (2 n^3 / 3 a matrix), then two triangular solves (2 n^2 a right side)."""
    size = matrices.shape[-1]
    return 2 * matrices.numel() * size // 3 + 2 * size * right.numel()


def _solve_factored(_factors: Tensor, _pivots: Tensor, right: Tensor, **_options: Any) -> int:
    return 2 * right.shape[-2] * right.numel()


_ATEN = torch.ops.aten
# What PyTorch has no formula for.
_FORMULAS: dict[Any, Callable[..., int]] = {
    _ATEN._scaled_dot_product_flash_attention_for_cpu: _fused,  # noqa: SLF001 - their names
    _ATEN._scaled_dot_product_flash_attention_for_cpu_backward: _fused_backward,  # noqa: SLF001
    _ATEN._linalg_solve_ex: _solve,  # noqa: SLF001
    _ATEN.linalg_lu_solve: _solve_factored,
}
