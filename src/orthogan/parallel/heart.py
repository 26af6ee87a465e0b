"""Whether all processes of a run are alive, seen from a thread of each of them.

A process that is killed closes its connections, and whoever waits for it is told at once. One that
hangs, is stopped, or sits on a machine that was cut off says nothing: for these there is a beat.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from datetime import timedelta

from torch import distributed as dist

from orthogan.parallel.lost import LOST
from orthogan.parallel.store import Store, written

BEAT_S = 1.0
# Beats of this process in which another had none. Counted in own beats and not in seconds: a
# laptop that was asleep, or a job that was stopped as a whole, has lost nobody.
MOST_MISSED = 7
_ANSWER_S = 5.0  # of the store


class Heart:
    """Beats, and ends this process when another that it needs has stopped.

    The first process watches all others, which watch the first one alone.

    Args:
        store: Where beats are written; its own connection, used by this thread alone.
        rank: Of this process.
        count: Of processes.

    Attributes:
        received: Tells the signal to stop that this process has received; 0: none.
        asked: In the first process, the signal that another has received; 0: none has.
    """

    def __init__(self, store: Store, rank: int, count: int) -> None:
        self._store, self._rank = store, rank
        self._watched = list(range(1, count)) if rank == 0 else [0]
        self.received: Callable[[], int] = lambda: 0
        self.asked = 0
        self._ended = threading.Event()
        self._beats = 0
        self._latest: dict[int, str] = {}
        self._missed = dict.fromkeys(self._watched, 0)
        store.set_timeout(timedelta(seconds=_ANSWER_S))
        self._thread = threading.Thread(target=self._beat_on, name="orthogan-heart", daemon=True)

    def start(self) -> None:
        """Begins to beat; the others must be about to."""
        self._store.set(f"beat/{self._rank}", "0 0")
        self._thread.start()

    def stop(self) -> None:
        """Ends the beat."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _beat_on(self) -> None:
        while not self._ended.wait(BEAT_S):
            try:
                self._beat()
            except (RuntimeError, dist.DistError):
                if not self._ended.is_set():
                    self._leave("the first process, or its launcher, cannot be reached")

    def _beat(self) -> None:
        self._beats += 1
        self._store.set(f"beat/{self._rank}", f"{self._beats} {self.received()}")
        for rank in self._watched:
            beat = written(self._store, f"beat/{rank}")
            self._missed[rank] = 0 if beat != self._latest.get(rank) else self._missed[rank] + 1
            self._latest[rank] = beat
            if self._missed[rank] >= MOST_MISSED:
                self._leave(f"process {rank} has not been heard of for {self._missed[rank]} s")
            self.asked = self.asked or _signal_in(beat)

    def _leave(self, why: str) -> None:
        """Ends the process here: its main thread may be waiting for one that never answers."""
        sys.stderr.write(
            f"orthogan: Process {self._rank} stops: {why}. The newest checkpoint is whole: "
            "repeat the command to go on from it.\n"
        )
        sys.stderr.flush()
        os._exit(LOST)


def _signal_in(beat: str) -> int:
    number = beat.rpartition(" ")[2]
    return int(number) if number.isdigit() else 0
