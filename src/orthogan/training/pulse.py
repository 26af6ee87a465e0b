"""How long a process did not run: stopped by a signal, frozen with its container, suspended.

No clock alone tells. The monotonic one goes on meanwhile; processor time also stands still while
the process waits for a device or a disk, which is part of training. A thread that wakes twice a
second tells them apart: whatever the others work at or wait for, it misses its turn only if nothing
of the process runs, or if somebody keeps the interpreter, and is busy then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PULSE_S = 0.5
# A thread that sleeps is delayed by less, however loaded the machine.
LEAST_STOP_S = 3.0
# Of a pause in which the training thread was busy for longer than this share, nothing was stopped.
BUSY_SHARE = 0.5


class Pulse:
    """Counts the seconds in which the process did not run.

    Args:
        worked: Processor seconds of the thread that trains; those of the caller by default.

    Attributes:
        stopped_s: The seconds that have been found so far.
    """

    def __init__(self, worked: Callable[[], float] | None = None) -> None:
        self._worked = worked or processor_time()
        self.stopped_s = 0.0
        self._lock = threading.Lock()
        self._is_beating = False
        self._beat_s, self._worked_s = 0.0, 0.0

    def stopped_until(self, now: float) -> float:
        """Seconds without running, up to a reading of `time.perf_counter`."""
        # Who wakes first accounts for a stop, or a budget would end before the pulse beats.
        if self._is_beating and now - self._beat_s > LEAST_STOP_S:
            self.beat()
        return self.stopped_s

    def beat(self) -> None:
        """Take the time since the last beat into account."""
        with self._lock:
            now, worked = time.perf_counter(), self._worked()
            gap, busy = now - self._beat_s, worked - self._worked_s
            self._beat_s, self._worked_s = now, worked
            if gap > LEAST_STOP_S and busy < BUSY_SHARE * gap:
                self.stopped_s += gap - PULSE_S

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Inside, stops are noticed; time outside is not looked at."""
        ended = threading.Event()

        def beat_on() -> None:
            while not ended.wait(PULSE_S):
                self.beat()

        self._beat_s, self._worked_s = time.perf_counter(), self._worked()
        thread = threading.Thread(target=beat_on, name="orthogan-pulse", daemon=True)
        self._is_beating = True
        thread.start()
        try:
            yield
        finally:
            self._is_beating = False
            ended.set()
            thread.join()


def processor_time() -> Callable[[], float]:
    """What reads the processor time of the calling thread, from any thread."""
    if not hasattr(time, "pthread_getcpuclockid"):
        return time.process_time
    clock = time.pthread_getcpuclockid(threading.get_ident())
    return lambda: time.clock_gettime(clock)
