"""What becomes of a process when another one is gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import distributed as dist

from orthogan.errors import OrthoganError, shortened

LOST = 8


class LostError(OrthoganError, ConnectionError):
    """Another process of the run is gone or does not answer; its newest checkpoint is whole."""

    exit_code = LOST


class EndedElsewhereError(OrthoganError):
    """Another process has failed, and has said why.

    Args:
        message: Why.
        code: Its exit code.
        is_told: Whether somebody has told it already, so that nobody needs to again.
    """

    def __init__(self, message: str, code: int, *, is_told: bool = False) -> None:
        super().__init__(message)
        self.exit_code = code
        self.is_told = is_told


@contextmanager
def noticing_loss() -> Iterator[None]:
    """Inside, a message that cannot be sent or received says that a process is gone.

    Raises:
        LostError: one is.
    """
    try:
        yield
    except (RuntimeError, dist.DistError) as error:
        raise LostError(
            f"Another process of this run has ended or cannot be reached: {_reason(error)}. The "
            "newest checkpoint is whole: repeat the command to go on from it."
        ) from error


def _reason(error: BaseException) -> str:
    """The words of a message of gloo or NCCL, without where in their sources they stand."""
    first = str(error).strip().partition("\n")[0]
    return shortened(first.rpartition("] ")[2].partition(". ")[0].rstrip("."))
