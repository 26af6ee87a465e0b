"""What a training step needs to know of the other processes: here there are none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable

import torch
from torch import Tensor
from torch.optim import Optimizer

from orthogan.rng import NormalSource

T = TypeVar("T")
_NOTHING = nullcontext()
# Updates the network of that name, whose loss is given; gives the norm of its gradient.
Update: TypeAlias = Callable[[Tensor, Optimizer, str], Tensor]


@runtime_checkable
class Shared(Protocol):
    """What is trained by all processes alike."""

    def step(self, progress: float) -> object:
        """Train on one batch, at a fraction of the budget."""

    def tensors(self) -> dict[str, Tensor]:
        """Everything that it takes to go on, as tensors."""

    def state(self) -> dict[str, Any]:
        """Everything that it takes to go on, as numbers."""

    def restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Goes on from there."""


@runtime_checkable
class Deciding(Protocol):
    """What is trained, where the first process alone knows some of what all need."""

    def decided(self) -> list[float]:
        """That, for the next step."""

    def heed(self, decided: Sequence[float]) -> None:
        """Takes what the first process has decided."""


class Ranks:
    """A process that trains on its own: every answer is the trivial one.

    Attributes:
        rank: Number of this process.
        count: How many there are.
        local_rank: Number of this process on its machine.
        local_count: How many there are on its machine.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process decides, measures and writes."""
        return self.rank == 0

    @property
    def signal(self) -> int:
        """The number of a signal to stop that another process has received; 0: none has."""
        return 0

    def own(self, rows: Tensor) -> Tensor:
        """The rows of this process, of rows that are those of the whole batch."""
        return rows

    def penalised(self, num_pairs: int, fraction: float) -> tuple[float, float]:
        """The fraction of the own pairs that is penalised, and the weight of their mean.

        Args:
            num_pairs: Of the whole batch.
            fraction: Of these that is penalised.
        """
        del num_pairs
        return fraction, 1.0

    def draws(self, source: NormalSource, num_pairs: int, fraction: float) -> NormalSource:
        """Draws for the penalised pairs of this process, as if drawn for those of all."""
        del num_pairs, fraction
        return source

    def averaging(self, update: Update) -> Update:
        """An update by the mean of the gradients of all processes."""
        return update

    def average(self, weights: Iterable[Tensor], numbers: Sequence[Tensor]) -> list[Tensor]:
        """Replaces the gradients at these weights by their means over all; the means of numbers."""
        del weights
        return list(numbers)

    def carry(self, numbers: Sequence[Tensor]) -> None:
        """Has the next update average these numbers over all processes as well, for `carried`."""

    def carried(self, numbers: Sequence[Tensor]) -> list[Tensor]:
        """The numbers given to `carry` and the loss of the update since, averaged by it.

        Args:
            numbers: The same, as this process has them.
        """
        return list(numbers)

    def gathered(self, parts: Sequence[Tensor]) -> list[Tensor]:
        """In the first process, each part with the rows of all, in order; else as it is."""
        return list(parts)

    def total(self, values: Tensor) -> Tensor:
        """The sum over all processes, differentiable by the own values."""
        return values

    def step(self, trained: Shared, progress: float) -> AbstractContextManager[None]:
        """Inside, all processes take the step that the first one takes."""
        del trained, progress
        return _NOTHING

    def follow(self, trained: Shared) -> dict[str, Any]:
        """Takes the steps of the first process until it ends; how it has ended."""
        raise NotImplementedError  # a process on its own follows nobody

    def listen(self, received: Callable[[], int]) -> None:
        """Has the first process learn of a signal that this one has received."""
        del received

    def notes(self) -> list[str]:
        """What to say of the processes when a run begins."""
        return []

    def mark_changed(self) -> None:
        """Says that what is trained was changed otherwise than by a step."""

    def together(self, make: Callable[[], T], facts: Callable[[T], dict[str, str]]) -> T:
        """What each process makes, once it is certain that all made the same.

        Args:
            make: Makes it.
            facts: What must be the same everywhere, by its names.

        Raises:
            OrthoganError: this or another process could not, or they differ.
        """
        del facts
        return make()

    def end(self, outcome: dict[str, Any]) -> None:
        """Tells the others how the run has ended; they stop."""
        del outcome

    def fail(self, error: BaseException) -> None:
        """Tells the others why there is no outcome; they stop."""
        del error

    def leave(self) -> None:
        """Parts from the others in good order."""


ALONE = Ranks()


def device_of(asked: torch.device, ranks: Ranks) -> torch.device:
    """The device of this process: on a machine with several of a kind, the one of its number.

    >>> device_of(torch.device("cpu"), ALONE)
    device(type='cpu')
    """
    if asked.type != "cuda" or ranks.count == 1:
        return asked
    return torch.device("cuda", ranks.local_rank % torch.cuda.device_count())
