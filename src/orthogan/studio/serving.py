"""Listening on this machine alone, and serving until Ctrl-C."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn

from orthogan.errors import ConfigError, StorageError
from orthogan.studio.application import application
from orthogan.studio.desk import Desk
from orthogan.studio.guard import Door
from orthogan.training.run_record import RUN_FILE

LOOPBACK = "127.0.0.1"
FIRST_PORT, TRIED_PORTS = 8484, 20
BACKLOG = 64
CLOSING_S = 1  # pages that are open would keep it from ending


def serve(
    root: Path, named: tuple[str, ...], port: int | None, say: Callable[[Door], object]
) -> None:
    """Serves the studio over a folder of runs until it is interrupted.

    Args:
        root: The folder.
        named: Sources of data that runs may be started on.
        port: Port; None: the first free one from 8484 on.
        say: Is told the address once it can be opened.

    Raises:
        ConfigError: `root` is a run itself, or a file; the port is taken.
    """
    check_folder(root)
    with listening(port) as connection:
        door = Door(connection.getsockname()[1])
        config = uvicorn.Config(
            application(Desk(root, named), door),
            http="h11", ws="none", loop="asyncio", lifespan="on", log_level="critical",
            access_log=False, server_header=False, proxy_headers=False, backlog=BACKLOG,
            timeout_graceful_shutdown=CLOSING_S,
        )  # fmt: skip
        say(door)
        # The server ends in good order at Ctrl-C and then raises what it was sent.
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[connection])


def check_folder(root: Path) -> None:
    """Nothing, if a studio can be opened over a folder.

    Raises:
        ConfigError: it is a run itself, or no folder.
    """
    if (root / RUN_FILE).exists():
        above = root.resolve().parent
        raise ConfigError(f"{root} is a run itself; name the folder of runs: {above}.")
    if root.exists() and not root.is_dir():
        raise ConfigError(f"{root} is a file, not a folder of runs.")


def listening(port: int | None) -> socket.socket:
    """A socket that listens on this machine alone.

    Args:
        port: Port; None: the first free one from 8484 on, else any.

    Raises:
        ConfigError: the port is taken, or not ours to take.
        StorageError: this machine has no loopback address.
    """
    tried = [port] if port is not None else [*range(FIRST_PORT, FIRST_PORT + TRIED_PORTS), 0]
    for each in tried:
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            connection.bind((LOOPBACK, each))
            connection.listen(BACKLOG)
        except OSError as error:
            connection.close()
            reason = _reason(error, each)
            if reason is None:
                raise StorageError(f"{LOOPBACK}: {error.strerror or error}.") from None
            if port is not None:
                raise ConfigError(reason) from None
            continue
        return connection
    raise ConfigError("No port of this machine is free.")


def _reason(error: OSError, port: int) -> str | None:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} is in use, perhaps by another studio; choose another --port, or leave it "
            "out for the next free one."
        )
    if error.errno == errno.EACCES:
        return f"Port {port} is not for everybody to take; choose one from 1024 on."
    return None
