"""The wish that a run stops, as a file in its folder: for whom no signal reaches it.

A signal needs the number of the process on this machine; a file works from anywhere that sees the
folder. `touch runs/NAME/stop` is Ctrl-C: the run saves everything and can go on later.
"""

from __future__ import annotations

from pathlib import Path

from orthogan.files import storage_errors

STOP_FILE = "stop"


def ask_to_stop(run: Path) -> None:
    """Has the training process of a run stop within about a second of training.

    Raises:
        StorageError: the folder cannot be written, or is gone.
    """
    with storage_errors(run):
        (run / STOP_FILE).touch()


def is_asked_to_stop(run: Path) -> bool:
    """Whether somebody asked for it and the process has not answered yet."""
    return (run / STOP_FILE).exists()


def withdraw_stop(run: Path) -> bool:
    """Takes the wish back; whether there was one.

    Raises:
        StorageError: it cannot be removed.
    """
    with storage_errors(run):
        try:
            (run / STOP_FILE).unlink()
        except FileNotFoundError:
            return False
    return True
