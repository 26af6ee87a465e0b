"""Commands in several processes: started from here, or by torchrun or srun."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from orthogan.parallel.launcher import Answer

Processes: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Train in N processes on this machine, each on a part of a batch."
    ),
]


def is_launched(asked: int | None) -> bool:
    """Whether this process is one of several already, or need not be.

    Args:
        asked: What `--processes` says.

    Raises:
        ConfigError: torchrun or srun has started another number of them.
    """
    if asked is None:
        return True
    from orthogan.errors import ConfigError
    from orthogan.parallel.environment import place

    if "RANK" not in os.environ and place() is None:
        return False
    found = place()
    count = 1 if found is None else found.count
    if count != asked:
        raise ConfigError(
            f"--processes {asked}, and torchrun or srun has started {count}; leave out --processes."
        )
    return True


def launched(words: Sequence[str], processes: int) -> int:
    """Runs a command in several processes; its exit code.

    Args:
        words: What was typed after `orthogan`.
        processes: How many.
    """
    from orthogan.parallel.launcher import launch

    answer = launch(work, words, processes)
    sys.stdout.write(answer["output"])
    return answer["code"]


def work(words: Sequence[str]) -> Answer:
    """What each of them does."""
    from orthogan.cli import main
    from orthogan.parallel.launcher import in_process

    return in_process(main, words)


def follows() -> bool:
    """Whether this process is one of several and not the first, which shows the result of all."""
    from orthogan.parallel.environment import place

    found = place()
    return found is not None and found.rank > 0
