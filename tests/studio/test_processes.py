"""Processes that outlive the studio, what ended them, and the pages that commands make."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from studio_folders import make_run

from orthogan.errors import ConfigError, DataError, StorageError
from orthogan.studio.processes import Processes
from orthogan.studio.serving import FIRST_PORT, check_folder, listening
from orthogan.studio.shelf import Shelf, key_of
from orthogan.studio.views import Views

PATIENCE_S = 60.0


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    yield (found := Processes(tmp_path))
    for key in found.keys():  # noqa: SIM118 - a list
        child = found.child(key)
        if child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait()


def ended(processes: Processes, key: str) -> str:
    child = processes.child(key)
    assert child is not None
    child.process.wait(PATIENCE_S)
    return processes.failure(key)


def test_the_last_words_of_a_process_say_why_it_ended(processes: Processes) -> None:
    processes.start("k", "run", ["train", "no/such/folder"])
    said = ended(processes, "k")
    assert said.startswith("The process ended with exit code 3 (data or model unusable).")
    assert "'no/such/folder' is neither an existing file or folder" in said
    assert not processes.is_alive("k")


def test_a_killed_process_is_called_killed(processes: Processes) -> None:
    processes.start("k", "run", ["generate", "--help"])
    child = processes.child("k")
    assert child is not None
    assert os.getsid(child.process.pid) == child.process.pid != os.getsid(0)  # outlives us
    child.process.kill()
    assert "killed (SIGKILL), as the system does when memory runs out" in ended(processes, "k")
    processes.forget("k")
    assert processes.child("k") is None


def test_one_process_per_run(processes: Processes) -> None:
    processes.start("k", "run", ["--help"])
    with contextlib.suppress(StorageError):
        processes.start("k", "run", ["--help"])
        assert not processes.is_alive("never")
    assert ended(processes, "k") == ""


def test_what_no_process_can_be_given_is_said(processes: Processes) -> None:
    for word in ("\ud800", "a\0b"):
        with pytest.raises(StorageError, match="none that a process can be given"):
            processes.start("k", "run", ["train", word])
    assert processes.child("k") is None


def test_where_no_log_can_be_written_nothing_starts(tmp_path: Path) -> None:
    (tmp_path / ".studio").write_text("in the way")
    processes = Processes(tmp_path)
    with pytest.raises(StorageError, match=r"\.studio"):
        processes.start("k", "run", ["--help"])
    assert processes.child("k") is None


def test_a_command_that_refuses_is_quoted(tmp_path: Path) -> None:
    make_run(tmp_path, "bare")  # its checkpoint is empty
    run = Shelf(tmp_path).run(key_of("bare"))
    assert run is not None

    async def made() -> None:
        views = Views()
        try:
            with pytest.raises(DataError, match="bare"):
                await views.page("explore", [run])
        finally:
            views.close()

    asyncio.run(made())


def test_a_port_that_is_taken_is_said_and_the_next_one_used() -> None:
    with listening(None) as first, listening(None) as second:
        one, two = first.getsockname(), second.getsockname()
        assert one[0] == two[0] == "127.0.0.1"
        assert FIRST_PORT <= one[1] < two[1]
        with pytest.raises(ConfigError, match=f"Port {one[1]} is in use"):
            listening(one[1])


def test_what_is_no_folder_of_runs_is_said(tmp_path: Path) -> None:
    run = make_run(tmp_path, "run")
    with pytest.raises(ConfigError, match=f"is a run itself; name the folder of runs: {tmp_path}"):
        check_folder(run)
    with pytest.raises(ConfigError, match="is a file"):
        check_folder(run / "metrics.jsonl")
    check_folder(tmp_path)


def opened(root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "orthogan", "studio", str(root)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_two_studios_over_one_folder_listen_to_this_machine_alone(tmp_path: Path) -> None:
    make_run(tmp_path, "run")
    with opened(tmp_path) as one, opened(tmp_path) as two:
        assert one.stdout is not None
        assert two.stdout is not None
        addresses = [each.stdout.readline() for each in (one, two) if each.stdout is not None]
        ports = [int(address.split(":")[2].split("/")[0]) for address in addresses]
        assert len(set(ports)) == 2
        for port in ports:
            with socket.create_connection(("127.0.0.1", port), 10) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
                assert connection.recv(100).startswith(b"HTTP/1.1 421")
        began = time.monotonic()
        for each in (one, two):
            each.send_signal(signal.SIGINT)
        assert [each.wait(PATIENCE_S) for each in (one, two)] == [0, 0]
        assert time.monotonic() - began < PATIENCE_S
        assert one.stderr is not None
        assert "The studio is closed; runs that train go on." in one.stderr.read()
