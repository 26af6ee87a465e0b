"""Text and numbers between the processes of a run, as bytes: nothing is pickled."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch import distributed as dist


def spread(content: bytes | None) -> bytes:
    """What the first process has, in all of them.

    Args:
        content: In the first process; elsewhere it is not looked at.
    """
    is_first = dist.get_rank() == 0
    size = torch.tensor([len(content or b"")])
    dist.broadcast(size, 0)
    flat = torch.empty(int(size), dtype=torch.uint8)
    if is_first and content:
        flat.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
    if len(flat):
        dist.broadcast(flat, 0)
    return flat.numpy().tobytes()


def exchange(text: str) -> list[str]:
    """What each process says, in the order of their ranks, in all of them."""
    own = torch.frombuffer(bytearray(text.encode() or b" "), dtype=torch.uint8)
    sizes = [torch.zeros(1, dtype=torch.long) for _ in range(dist.get_world_size())]
    dist.all_gather(sizes, torch.tensor([len(own)]))
    longest = max(int(size) for size in sizes)
    padded = torch.zeros(longest, dtype=torch.uint8)
    padded[: len(own)] = own
    texts = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(texts, padded)
    return [
        each[: int(size)].numpy().tobytes().decode()
        for each, size in zip(texts, sizes, strict=True)
    ]


def gather_rows(parts: Sequence[Tensor]) -> list[Tensor]:
    """In the first process each part with the rows of all, interleaved; elsewhere as it is.

    Args:
        parts: As many rows in every process, of one floating type, on one device.
    """
    count, rank = dist.get_world_size(), dist.get_rank()
    flat = torch.cat([part.detach().reshape(-1) for part in parts])
    found = [torch.empty_like(flat) for _ in range(count)] if rank == 0 else None
    dist.gather(flat, found, 0)
    if found is None:
        return list(parts)
    sizes = [part.numel() for part in parts]
    by_part = zip(*(each.split(sizes) for each in found), strict=True)
    # Process r has rows r, r + n, ...: the second axis is the process.
    return [
        torch.stack([each.view_as(part) for each in each_rank], 1).flatten(0, 1)
        for each_rank, part in zip(by_part, parts, strict=True)
    ]
