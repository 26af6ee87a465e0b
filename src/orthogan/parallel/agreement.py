"""Before training, all processes make sure that they have the same code, settings and data."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import torch

from orthogan.errors import ConfigError, OrthoganError, ResumeError, shortened
from orthogan.parallel.channel import exchange
from orthogan.parallel.lost import EndedElsewhereError

T = TypeVar("T")
_MOST_DIFFERENCES = 3


def agree(make: Callable[[], T], facts: Callable[[T], dict[str, str]], rank: int) -> T:
    """What this process makes, once it is certain that all made the same.

    Args:
        make: Makes it.
        facts: What must be the same everywhere, by its names.
        rank: Of this process.

    Raises:
        OrthoganError: this process or another could not; the first one tells.
        ResumeError: they differ; the sentence names the process and what differs.
    """
    made: list[T] = []
    failure: OrthoganError | None = None
    said: dict[str, Any] = {"host": socket.gethostname()}
    try:
        made.append(make())
        said["facts"] = {"code": code_digest(), "torch": torch.__version__} | facts(made[0])
    except OrthoganError as error:
        failure = error
        said |= {"why": str(error), "exit_code": error.exit_code}
    answers = [json.loads(text) for text in exchange(json.dumps(said))]
    _refuse_failures(answers, rank, failure)
    _refuse_differences(answers, rank)
    return made[0]


def _refuse_failures(answers: list[Any], rank: int, own: OrthoganError | None) -> None:
    failed = [each for each, answer in enumerate(answers) if "why" in answer]
    if not failed:
        return
    first = failed[0]
    if rank == 0 and own is not None:
        raise own
    why, code = answers[first]["why"], int(answers[first]["exit_code"])
    sentence = f"Process {first} on {shortened(answers[first]['host'])}: {why}"
    raise EndedElsewhereError(sentence, code, is_told=rank != 0)


def _refuse_differences(answers: list[Any], rank: int) -> None:
    first = answers[0]["facts"]
    for other, answer in enumerate(answers):
        found = answer["facts"]
        names = [name for name in {**first, **found} if first.get(name) != found.get(name)]
        if not names:
            continue
        shown = ", ".join(
            f"{shortened(name)} is {shortened(found.get(name, 'absent'))} and not "
            f"{shortened(first.get(name, 'absent'))}"
            for name in names[:_MOST_DIFFERENCES]
        )
        more = len(names) - _MOST_DIFFERENCES
        sentence = (
            f"Process {other} on {shortened(answer['host'])} differs from process 0: {shown}"
            f"{f' and {more} more' if more > 0 else ''}. All processes need the same code, "
            "settings and data."
        )
        if rank == 0:
            raise ResumeError(sentence)
        raise EndedElsewhereError(sentence, ResumeError.exit_code, is_told=True)


def code_digest() -> str:
    """Changes with any source file of this package."""
    root = Path(__file__).parents[1]
    whole = sha256()
    for path in sorted(root.rglob("*.py")):
        whole.update(path.relative_to(root).as_posix().encode())
        whole.update(path.read_bytes())
    return whole.hexdigest()[:12]


def refuse_uneven(batch_size: int, count: int) -> None:
    """Nothing, if a batch is divided evenly among processes.

    Raises:
        ConfigError: it is not; the sentence says what would be.

    >>> refuse_uneven(64, 4)
    """
    if batch_size % count == 0:
        return
    fitting = [str(each) for each in range(2, batch_size + 1) if batch_size % each == 0][:5]
    nearest = max(batch_size // count, 1) * count
    raise ConfigError(
        f"{count} processes do not divide a batch of {batch_size}; use {', '.join(fitting)} of "
        f"them, or batch_size={nearest}."
    )
