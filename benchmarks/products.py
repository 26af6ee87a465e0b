"""The matrix products a piece of work is made of, and how fast each of them runs on its own.

A convolution counts as the product it is: output pixels x output channels x kernel entries. The
roofline of a step is then what its own products take, one after another, as plain products of
ready matrices in the same precision: no step that does the same arithmetic can be faster, and how
near a step comes says what everything around the products costs.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

MIN_TIMED_S = 0.02  # of a product: the best of as many repeats as fit
MOST_REPEATS = 200


class Product(NamedTuple):
    """`batch` products of an M x K with a K x N matrix."""

    batch: int
    m: int
    n: int
    k: int
    dtype: torch.dtype

    @property
    def flops(self) -> int:
        """One multiplication and one addition are two operations."""
        return 2 * self.batch * self.m * self.n * self.k


class Products(TorchDispatchMode):
    """Collects the products inside the block, those of convolutions and second derivatives too.

    `flops` is PyTorch's own count of the same operations, to check the shapes against.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[Product] = Counter()
        self.flops = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func.overloadpacket)
        if formula is not None:
            self.flops += int(formula(*args, **(kwargs or {}), out_val=result))
            self.found.update(_products(func.overloadpacket, args, result))
        return result


def _products(operation: Any, args: tuple[Any, ...], result: Any) -> list[Product]:
    aten = torch.ops.aten
    if operation in (aten.convolution, aten._convolution):  # noqa: SLF001
        return [_convolution(result, args[0], args[1], transposed=args[6])]
    if operation is aten.convolution_backward:
        output, images, weight = args[:3]
        one = _convolution(output, images, weight, transposed=args[7])
        swapped = [one._replace(n=one.k, k=one.n), one._replace(m=one.k, k=one.m)]
        wanted = args[10]
        return [product for product, asked in zip(swapped, wanted[:2], strict=True) if asked]
    # The factors come last, after the addend where there is one.
    left, right = [a for a in args if isinstance(a, torch.Tensor)][-2:]
    batch = left.shape[0] if left.dim() == 3 else 1
    return [Product(batch, left.shape[-2], right.shape[-1], left.shape[-1], left.dtype)]


def _convolution(output: Tensor, images: Tensor, weight: Tensor, *, transposed: bool) -> Product:
    # Each place of the smaller grid meets the whole kernel.
    grid = images if transposed else output
    pixels = len(images) * math.prod(grid.shape[2:])
    columns, entries = weight.shape[0], math.prod(weight.shape[1:])
    if transposed:
        columns, entries = entries, columns
    return Product(1, pixels, columns, entries, images.dtype)


def seconds_alone(product: Product, device: torch.device) -> float:
    """The best time of one such product on its own."""
    shape = (product.batch,) if product.batch > 1 else ()
    left = torch.randn(*shape, product.m, product.k, device=device).to(product.dtype)
    right = torch.randn(*shape, product.k, product.n, device=device).to(product.dtype)
    repeats = 20 if device.type == "cuda" else 1  # a launch alone measures the launch
    best, stop = math.inf, time.perf_counter() + MIN_TIMED_S
    for _ in range(MOST_REPEATS):
        _wait(device)
        start = time.perf_counter()
        for _ in range(repeats):
            torch.matmul(left, right)
        _wait(device)
        best = min(best, (time.perf_counter() - start) / repeats)
        if time.perf_counter() > stop:
            break
    return best


def roofline(found: Counter[Product], device: torch.device) -> dict[str, Any]:
    """Seconds of all products alone, their rate, and the ten that take most of it."""
    times = {product: seconds_alone(product, device) for product in found}
    total_s = sum(count * times[product] for product, count in found.items())
    flops = sum(count * product.flops for product, count in found.items())
    rows = [
        {
            "batch x M x N x K": [product.batch, product.m, product.n, product.k],
            "precision": str(product.dtype).removeprefix("torch."),
            "count": count,
            "us": 1e6 * count * times[product],
            "gflops_per_second": product.flops / times[product] / 1e9,
        }
        for product, count in found.items()
    ]
    rows.sort(key=lambda row: -row["us"])
    return {
        "gflop": flops / 1e9,
        "us": 1e6 * total_s,
        "gflops_per_second": flops / total_s / 1e9,
        "kinds": len(found),
        "largest": rows[:10],
    }


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
