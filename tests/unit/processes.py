"""Several processes of one run, forked from a test."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orthogan.errors import OrthoganError


def run_together(folder: Path, count: int, work: Callable[[int], Any]) -> list[dict[str, Any]]:
    """What `work(rank)` returns in each process, or its error: `result`, or `code` and `why`.

    The environment of each is that which torchrun sets.
    """
    with socket.create_server(("localhost", 0)) as server:
        port = server.getsockname()[1]
    context = multiprocessing.get_context("fork")
    arguments = [(rank, count, port, work, folder / f"{rank}.json") for rank in range(count)]
    started = [context.Process(target=_member, args=each) for each in arguments]
    for process in started:
        process.start()
    for process in started:
        process.join()
    return [
        json.loads(each[-1].read_text()) if each[-1].exists() else {"exit": process.exitcode}
        for each, process in zip(arguments, started, strict=True)
    ]


def _member(rank: int, count: int, port: int, work: Callable[[int], Any], path: Path) -> None:
    os.environ |= {
        "RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_RANK": str(rank),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": str(port),
        "ORTHOGAN_JOIN_TIMEOUT": "60",
    }
    signal.alarm(240)  # a process that waits in vain is no hanging test
    try:
        found: dict[str, Any] = {"result": work(rank)}
    except OrthoganError as error:
        told = getattr(error, "is_told", False)
        found = {"code": error.exit_code, "why": str(error), "is_told": told}
    path.write_text(json.dumps(found))
