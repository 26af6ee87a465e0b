"""A lock on a run folder that the operating system drops when its process dies."""

from __future__ import annotations

import errno
import os
import sys
import time
from pathlib import Path

from orthogan.errors import ResumeError

_ATTEMPTS = 4
_PAUSE_S = 0.05  # `orthogan runs` holds a lock for microseconds to see whether it is free


class FolderLock:
    """Holds the lock file at `path` from construction to `release`.

    Raises:
        ResumeError: another process holds it.
    """

    def __init__(self, path: Path) -> None:
        self._handle: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        for attempt in range(_ATTEMPTS):
            if _try_lock(self._handle):
                return
            time.sleep(_PAUSE_S * (attempt < _ATTEMPTS - 1))
        self.release()
        raise ResumeError(
            f"{path.parent}: another process is training into this run folder; "
            "wait for it, stop it, or choose another --run."
        )

    def release(self) -> None:
        """Gives the lock back; a second call does nothing."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    @staticmethod
    def is_held(path: Path) -> bool:
        """Whether a living process holds the lock file at `path`."""
        try:
            handle = os.open(path, os.O_RDWR)
        except OSError:
            return False
        try:
            return not _try_lock(handle)
        finally:
            os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in {errno.ENOLCK, errno.ENOTSUP}  # some network disks have no locks
    return True
