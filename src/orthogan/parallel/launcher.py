"""Several processes on this machine, started and restarted by PyTorch's elastic launcher."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TypedDict

from orthogan.errors import ConfigError
from orthogan.parallel.lost import LOST, LostError

# How often the launcher starts all processes again after one was lost.
MOST_RESTARTS = 3
MOST_PROCESSES = 1024
_STOPPED = "ORTHOGAN_STOPPED"
_LOOK_S = 0.1
_ADDRESS = "localhost"
_LOOPBACK = {"linux": "lo", "darwin": "lo0"}


class Answer(TypedDict):
    """What one process leaves: its exit code, and what it would have written to stdout."""

    code: int
    output: str


def launch(
    work: Callable[[Sequence[str]], Answer], words: Sequence[str], num_processes: int
) -> Answer:
    """Runs `work(words)` in several processes; what the first of them leaves.

    Where one is lost, all start again, up to three times; `work` has to go on where it was. Signals
    to stop are passed on to all of them.

    Args:
        work: A function of a module, which ends with exit code 8 where another process is lost.
        words: What it is given.
        num_processes: How many.

    Raises:
        ConfigError: there cannot be so many.
        LostError: they were lost once more than they are started again.
    """
    if not 1 <= num_processes <= MOST_PROCESSES:
        raise ConfigError(f"processes lie in 1..{MOST_PROCESSES}, got {num_processes}.")
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    _quieten()
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=num_processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint=f"{_ADDRESS}:0",
        local_addr=_ADDRESS,
        max_restarts=MOST_RESTARTS,
        monitor_interval=_LOOK_S,
        logs_specs=DefaultLogsSpecs(log_dir=os.devnull),
        signals_to_handle="SIGABRT",  # not those that this function passes on
    )
    with _passing_signals_on(), _environment():
        try:
            answers: dict[int, Answer] = elastic_launch(config, work)(list(words))
        except ChildFailedError as error:
            raise LostError(
                f"Processes were lost {MOST_RESTARTS + 1} times (exit code {_code_of(error)}), so "
                "they are not started again. The newest checkpoint is whole: repeat the command "
                "to go on from it."
            ) from error
    return answers[0]


def in_process(command: Callable[[Sequence[str]], int], words: Sequence[str]) -> Answer:
    """What a launched process does: a command, its stdout kept for the launcher.

    Args:
        command: Runs the words; its exit code.
        words: What it is given.
    """
    import io
    from contextlib import redirect_stdout

    # A terminal sends Ctrl-C to the whole group; here it comes from the launcher, and once.
    if hasattr(os, "setsid"):
        os.setsid()
    if stopped := os.environ.get(_STOPPED):
        return {"code": int(stopped), "output": ""}
    orphaned = _leave_with(os.getppid())
    output = io.StringIO()
    with redirect_stdout(output):
        code = command(words)
    if orphaned.is_set():  # nobody waits for the answer, and the launcher's way out waits for that
        os._exit(code)
    if code == LOST:
        sys.exit(LOST)
    return {"code": code, "output": output.getvalue()}


def _leave_with(parent: int) -> threading.Event:
    """Asks this process to stop once its launcher is gone; the event says that it is."""
    gone = threading.Event()

    def watch() -> None:
        while os.getppid() == parent:
            if gone.wait(1.0):
                return
        gone.set()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="orthogan-launcher-watch", daemon=True).start()
    return gone


def _code_of(error: BaseException) -> object:
    failures = getattr(error, "failures", {})
    return next((each.exitcode for each in failures.values()), "unknown")


@contextmanager
def _passing_signals_on() -> Iterator[None]:
    """Inside, what would stop this process stops those that it has started, in good order."""
    codes = {signal.SIGINT: 130, signal.SIGTERM: 75}

    def pass_on(number: int, _frame: FrameType | None) -> None:
        # Also for those that start from here on: they end at once.
        os.environ[_STOPPED] = str(codes[signal.Signals(number)])
        for child in multiprocessing.active_children():
            if child.pid is not None:
                os.kill(child.pid, number)

    before = {number: signal.signal(number, pass_on) for number in codes}
    try:
        yield
    finally:
        os.environ.pop(_STOPPED, None)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _environment() -> Iterator[None]:
    """Inside, processes talk by the loopback, and their libraries say nothing of every retry."""
    wanted = {"TORCH_CPP_LOG_LEVEL": "ERROR"}
    if loopback := _LOOPBACK.get(sys.platform):
        wanted["GLOO_SOCKET_IFNAME"] = loopback
    new = wanted.keys() - os.environ.keys()
    os.environ.update({name: wanted[name] for name in new})
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)


def _quieten() -> None:
    """The launcher's own words: this package says what a user needs."""
    for name in list(logging.root.manager.loggerDict):
        if name.startswith(("torch.distributed", "torch.multiprocessing")):
            logging.getLogger(name).setLevel(logging.CRITICAL)
