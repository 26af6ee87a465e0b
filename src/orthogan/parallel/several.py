"""A process that trains together with others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar

import torch
from safetensors.torch import load, save
from torch import Tensor
from torch import distributed as dist
from torch.optim import Optimizer

from orthogan.errors import DivergedError, OrthoganError
from orthogan.parallel.agreement import agree
from orthogan.parallel.averaging import Total, average_together
from orthogan.parallel.channel import gather_rows, spread
from orthogan.parallel.environment import Place
from orthogan.parallel.heart import Heart
from orthogan.parallel.lost import EndedElsewhereError, LostError, noticing_loss
from orthogan.parallel.ranks import Deciding, Ranks, Shared, Update
from orthogan.parallel.rows import RowDraws, num_own, num_penalised
from orthogan.parallel.store import Store, written
from orthogan.rng import NormalSource

T = TypeVar("T")

# What the first process has the others do next: its kind, the progress of the run, and how many
# numbers follow that it has decided.
STEP, SYNC, END = 1.0, 2.0, 3.0
HEADER = 8
_ANSWER_S = 2.0  # of the store, once a process is lost
# The first process may host the store, and stays until the others no longer need it.
_FAREWELL_S = 10.0


class SeveralRanks(Ranks):
    """One process of several, once they have found each other.

    Args:
        place: Where it is among them.
        store: What they share besides messages.
        heart: Tells who is alive; None: nobody looks.
    """

    def __init__(self, place: Place, store: Store, heart: Heart | None) -> None:
        self.rank, self.count = place.rank, place.count
        self.local_rank, self.local_count = place.local_rank, place.local_count
        self.restarts = place.restarts
        self.heart = heart
        self._store = store  # used by the main thread alone
        self._has_changed = True
        self._is_in_step = False
        self._has_ended = False
        self._carried: list[Tensor] = []
        self._means: list[Tensor] = []

    @property
    def signal(self) -> int:
        """The number of a signal to stop that another process has received; 0: none has."""
        return 0 if self.heart is None else self.heart.asked

    def own(self, rows: Tensor) -> Tensor:
        """Every so many-th row."""
        return rows[self.rank :: self.count]

    def penalised(self, num_pairs: int, fraction: float) -> tuple[float, float]:
        """The fraction of the own pairs that is penalised, and the weight of their mean."""
        whole = num_penalised(num_pairs, fraction)
        if whole == num_pairs:
            return 1.0, 1.0
        own = num_own(self.count, self.rank, whole)
        # Half a pair less, so that rounding up ends at this very number.
        return (own - 0.5) * self.count / num_pairs, own * self.count / whole

    def draws(self, source: NormalSource, num_pairs: int, fraction: float) -> NormalSource:
        """Draws for the penalised pairs of this process, as if drawn for those of all."""
        return RowDraws(source, self.rank, self.count, num_penalised(num_pairs, fraction))

    def averaging(self, update: Update) -> Update:
        """An update by the mean of the gradients of all processes."""

        def averaged(loss: Tensor, optimizer: Optimizer, network: str) -> Tensor:
            weights = [each for group in optimizer.param_groups for each in group["params"]]
            *carried, mean = self.average(weights, [*self._carried, loss])
            self._means, self._carried = [*carried, mean], []
            return update(mean, optimizer, network)

        return averaged

    def average(self, weights: Iterable[Tensor], numbers: Sequence[Tensor]) -> list[Tensor]:
        """Replaces the gradients at these weights by their means over all; the means of numbers."""
        with noticing_loss():
            return average_together(weights, numbers)

    def carry(self, numbers: Sequence[Tensor]) -> None:
        """Has the next update average these numbers as well, for `carried`."""
        self._carried = list(numbers)

    def carried(self, numbers: Sequence[Tensor]) -> list[Tensor]:
        """The numbers given to `carry` and the loss of the update since, averaged by it."""
        del numbers
        return self._means

    def gathered(self, parts: Sequence[Tensor]) -> list[Tensor]:
        """In the first process, each part with the rows of all, in order; else as it is."""
        with noticing_loss():
            return gather_rows(parts)

    def total(self, values: Tensor) -> Tensor:
        """The sum over all processes, differentiable by the own values."""
        with noticing_loss():
            total: Tensor = Total.apply(values)  # type: ignore[no-untyped-call]
        return total

    @contextmanager
    def step(self, trained: Shared, progress: float) -> Iterator[None]:
        """Inside, all processes take the step that the first one takes.

        Raises:
            LostError: another process is gone.
        """
        if not self.is_first:
            yield
            return
        if self._has_changed:
            self._tell_all(trained)
        self._say(STEP, progress, trained.decided() if isinstance(trained, Deciding) else ())
        self._is_in_step = True
        try:
            yield
        except DivergedError:  # by numbers that all have, or after the last message of the step
            self._is_in_step = False
            raise
        self._is_in_step = False

    def listen(self, received: Callable[[], int]) -> None:
        """Has the first process learn of a signal that this one has received.

        Args:
            received: Tells the number of the signal; 0: none.
        """
        if self.heart is not None:
            self.heart.received = received

    def notes(self) -> list[str]:
        """What to say of the processes when a run begins."""
        again = (
            f" Their launcher has started them again ({self.restarts})." if self.restarts else ""
        )
        return [f"{self.count} processes train together, each on its rows of a batch.{again}"]

    def mark_changed(self) -> None:
        """Says that what is trained was changed otherwise than by a step."""
        self._has_changed = True

    def _tell_all(self, trained: Shared) -> None:
        numbers = json.dumps(trained.state()).encode()
        # Copies: safetensors refuses tensors that share memory, such as tied weights.
        tensors = save({name: each.clone() for name, each in trained.tensors().items()})
        self._say(SYNC)
        with noticing_loss():
            spread(numbers)
            spread(tensors)
        self._has_changed = False

    def follow(self, trained: Shared) -> dict[str, Any]:
        """Takes the steps of the first process until it ends; how it has ended.

        Raises:
            LostError: it is gone.
        """
        while True:
            kind, progress, *decided = self._heard()
            if kind == END:
                self._has_ended = True
                with noticing_loss():
                    outcome: dict[str, Any] = json.loads(spread(None))
                return outcome
            if kind == SYNC:
                with noticing_loss():
                    numbers, tensors = json.loads(spread(None)), load(spread(None))
                trained.restore(tensors, numbers)
                continue
            if isinstance(trained, Deciding):
                trained.heed(decided)
            with suppress(DivergedError):  # the first process sees it too, and decides
                trained.step(progress)

    def _say(self, kind: float, progress: float = 0.0, decided: Sequence[float] = ()) -> None:
        header = torch.zeros(HEADER, dtype=torch.float64)
        words = [kind, progress, float(len(decided)), *decided]
        header[: len(words)] = torch.tensor(words, dtype=torch.float64)
        with noticing_loss():
            dist.broadcast(header, 0)

    def _heard(self) -> list[float]:
        header = torch.zeros(HEADER, dtype=torch.float64)
        with noticing_loss():
            dist.broadcast(header, 0)
        kind, progress, size, *decided = header.tolist()
        return [kind, progress, *decided[: int(size)]]

    def together(self, make: Callable[[], T], facts: Callable[[T], dict[str, str]]) -> T:
        """What each process makes, once it is certain that all made the same."""
        with noticing_loss():
            return agree(make, facts, self.rank)

    def end(self, outcome: dict[str, Any]) -> None:
        """Tells the others how the run has ended; they stop."""
        if self.is_first and not self._has_ended:
            self._has_ended = True
            self._say(END)
            with noticing_loss():
                spread(json.dumps(outcome).encode())

    def fail(self, error: BaseException) -> None:
        """Tells the others why there is no outcome; they stop."""
        if self._has_ended or isinstance(error, EndedElsewhereError):
            return
        code = error.exit_code if isinstance(error, OrthoganError) else 1
        facts = {"rank": self.rank, "code": code, "why": str(error) or type(error).__name__}
        with suppress(RuntimeError, dist.DistError, LostError):
            self._store.set("failed", json.dumps(facts))
            # In the middle of a step the others wait for another message, and notice its loss.
            if self.is_first and not self._is_in_step:
                self.end({"code": code})

    def explained(self, error: LostError) -> OrthoganError:
        """What is behind the loss of a process, if it has said so before it ended."""
        with suppress(RuntimeError, dist.DistError, ValueError, KeyError):
            self._store.set_timeout(timedelta(seconds=_ANSWER_S))
            if found := written(self._store, "failed"):
                said = json.loads(found)
                sentence = f"Process {said['rank']} has ended: {said['why']}"
                return EndedElsewhereError(sentence, int(said["code"]), is_told=True)
        return error

    def leave(self) -> None:
        """Parts from the others in good order."""
        if self.heart is not None:
            self.heart.stop()
        with suppress(RuntimeError, dist.DistError):
            self._store.set(f"gone/{self.rank}", "1")
            if self.is_first and self._has_ended:
                names = [f"gone/{rank}" for rank in range(1, self.count)]
                self._store.wait(names, timedelta(seconds=_FAREWELL_S))
        with suppress(RuntimeError, dist.DistError):
            dist.destroy_process_group()
