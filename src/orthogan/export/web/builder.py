"""A program in the making."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from orthogan.export.web.program import Shape, Step


class Place(int):
    """Where a step stands in a program; no number of the network."""

    __slots__ = ()


@dataclass
class Builder:
    """A program in the making.

    Attributes:
        steps: Those so far.
        constants: The tensors among them, by their place.
    """

    steps: list[Step] = field(default_factory=list)
    constants: dict[int, Tensor] = field(default_factory=dict)
    _places: dict[Any, Place] = field(default_factory=dict)  # equal steps are done once

    def add(self, kind: str, inputs: Sequence[Any], shape: Shape, **settings: Any) -> Place:
        """The place of a step; that of its equal, if there is one already."""
        places = tuple(self.place(each) for each in inputs)
        key = (kind, places, shape, repr(settings))
        if key not in self._places:
            self._put(key, Step(kind, places, shape, settings))
        return self._places[key]

    def place(self, value: Any) -> Place:
        """Of a value; one that is known becomes a constant."""
        if isinstance(value, Place):
            return value
        tensor = torch.as_tensor(value).detach().to(torch.float32).contiguous()
        key = ("constant", tuple(tensor.shape), tensor.numpy().tobytes())
        if key not in self._places:
            self.constants[len(self.steps)] = tensor
            self._put(key, Step("constant", (), tuple(tensor.shape)))
        return self._places[key]

    def shape(self, value: Any) -> Shape:
        """Of a value."""
        return self.steps[self.place(value)].shape

    def view(self, value: Any, shape: Shape) -> Place:
        """The same numbers in another shape."""
        place = self.place(value)
        return place if self.shape(place) == shape else self.add("view", [place], shape)

    def permute(self, value: Any, order: Sequence[int]) -> Place:
        """The axes in another order."""
        before = self.shape(value)
        if list(order) == list(range(len(before))):
            return self.place(value)
        return self.add(
            "permute", [value], tuple(before[axis] for axis in order), order=list(order)
        )

    def expand(self, value: Any, shape: Shape) -> Place:
        """The same numbers, repeated along axes of length one and new first ones."""
        place = self.place(value)
        return place if self.shape(place) == shape else self.add("expand", [place], shape)

    def slice(self, value: Any, axis: int, start: int, length: int, step: int = 1) -> Place:
        """A part along one axis."""
        before = self.shape(value)
        if length == before[axis] and step == 1:
            return self.place(value)
        shape = (*before[:axis], length, *before[axis + 1 :])
        return self.add("slice", [value], shape, axis=axis, start=start, step=step)

    def _put(self, key: Any, step: Step) -> None:
        self._places[key] = Place(len(self.steps))
        self.steps.append(step)
