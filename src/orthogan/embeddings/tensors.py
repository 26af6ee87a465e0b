"""A tensor that can be described without being read, and the model such tensors make up."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from orthogan.errors import DataError, UnknownNameError


@dataclass(frozen=True)
class LazyTensor:
    """A tensor somewhere.

    Attributes:
        shape: Its axes.
        dtype: The name of its type, as its file spells it.
        is_floating: Whether it holds floating point numbers.
        load: Its first rows, or all of them for None.
    """

    shape: tuple[int, ...]
    dtype: str
    is_floating: bool
    load: Callable[[int | None], Tensor] = field(repr=False)

    def read(self, num_rows: int | None = None) -> Tensor:
        """The tensor, or its first rows, in float32 (float64 stays)."""
        values = self.load(num_rows).detach()
        return values if values.dtype == torch.float64 else values.float()


@dataclass(frozen=True)
class Model:
    """The tensors of a model with what is known about them.

    Attributes:
        where: The file or folder, for messages.
        tensors: Every tensor by its name.
        config: What `config.json` says; empty where there is none.
        count_heads: The number of heads of the layer at a prefix, where the model itself knows.
    """

    where: str
    tensors: Mapping[str, LazyTensor]
    config: Mapping[str, Any] = field(default_factory=dict)
    count_heads: Callable[[str], int | None] = lambda _: None

    def find(self, name: str) -> LazyTensor:
        """The tensor of exactly that name.

        Raises:
            UnknownNameError: there is none; the sentence holds the nearest.
            DataError: it does not hold floating point numbers.
        """
        if name not in self.tensors:
            raise UnknownNameError(f"tensor of {self.where}", name, self.tensors)
        tensor = self.tensors[name]
        if not tensor.is_floating:
            raise DataError(
                f"{self.where}: '{name}' is stored as {tensor.dtype}; only floating point tables "
                "can be read, so save the model without quantisation."
            )
        return tensor

    def matching(self, patterns: Sequence[str], num_axes: Sequence[int]) -> list[str]:
        """Floating point tensors whose names end like the first pattern that any ends like."""
        for pattern in patterns:
            end = re.compile(rf"(?:.*\.)?{pattern}")
            found = [
                name
                for name, tensor in self.tensors.items()
                if end.fullmatch(name) and len(tensor.shape) in num_axes and tensor.is_floating
            ]
            if found:
                return sorted(found)
        return []

    def tower(self, name: str) -> Mapping[str, Any]:
        """The part of the configuration that is about a tensor: models of text and images nest."""
        for part in ("vision_config", "text_config"):
            nested = self.config.get(part)
            if isinstance(nested, dict) and (part == "text_config" or "vision" in name):
                return self.config | nested if isinstance(self.config, dict) else nested
        return self.config

    def kind(self, name: str) -> str | None:
        """The type of the model that a tensor belongs to, where the configuration names one."""
        kind = self.tower(name).get("model_type")
        return kind if isinstance(kind, str) else None

    def whole(self, name: str, *keys: str) -> int | None:
        """The first of these settings that is a positive whole number, for the tensor's part."""
        found = map(positive, map(self.tower(name).get, keys))
        return next((value for value in found if value is not None), None)


def positive(value: Any) -> int | None:
    """The value if it is a positive whole number."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return int(value) if is_whole and value > 0 else None
