"""A tensor that can be described without being read, and the model such tensors make up."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from orthogan.embeddings.families import Family, family_of
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


# Parts of a configuration, and what names of their tensors hold; one without such a piece is read
# where no other part fits: a table of tokens is the text's.
PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("vision_config", ("vision", "visual", "image", "vit")),
    ("image_config", ("image",)),
    ("audio_config", ("audio", "speech")),
    ("qformer_config", ("qformer",)),
    ("text_encoder", ("text_encoder",)),
    ("encoder", ("encoder",)),
    ("decoder", ("decoder",)),
    ("thinker_config", ()),
    ("text_config", ()),
    ("language_config", ()),
    ("llm_config", ()),
    ("decoder_config", ("decoder",)),
    ("text_encoder", ()),
)
DEEPEST = 4  # parts within parts


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

    def family(self, name: str) -> Family | None:
        """The family of the part of the model that a tensor belongs to; None: not known."""
        return family_of(self.kind(name), self.tower(name))

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
        """The part of the configuration that is about a tensor, as far in as parts nest.

        Models of several inputs and encoder-decoders hold a configuration for each part; what a
        part does not say, the whole does.
        """
        config = dict(self.config)
        for _ in range(DEEPEST):
            part = _part_of(config, name)
            if part is None:
                break
            config |= part
        return config

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


def _part_of(config: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The part of a configuration that a tensor belongs to; it is taken out of the whole."""
    pieces = {word for piece in name.split(".")[:-1] for word in (piece, *piece.split("_"))}
    for key, words in PARTS:
        nested = config.get(key)
        if isinstance(nested, dict) and nested and (not words or pieces.intersection(words)):
            for other, _ in PARTS:
                config.pop(other, None)
            return nested
    return None
