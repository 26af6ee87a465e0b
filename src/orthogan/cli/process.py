"""How the process of a command treats its memory: one that draws and ends need not tidy up."""

from __future__ import annotations

import atexit
import gc
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
WHOLE_HEAP = 1 << 30


def end_at_once() -> None:
    """At its end the process drops its objects unseen instead of looking for cycles in them.

    That look takes a quarter of a second after importing PyTorch (docs/log.md).
    """
    atexit.register(gc.freeze)


def collect_never() -> None:
    """Cycles are not looked for; imports are stopped for it hundreds of times, and hold few."""
    gc.disable()


def keep_pages() -> None:
    """Keeps glibc's heap from giving pages back to the system; elsewhere, nothing.

    Networks ask for the same megabytes again and again; each page returned is cleared and mapped
    anew, which takes up to a third of the time of drawing (docs/log.md).
    """
    import ctypes  # every command starts with this module; few come here
    import platform

    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return
    glibc = ctypes.CDLL(None)
    for threshold in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
        glibc.mallopt(threshold, WHOLE_HEAP)
