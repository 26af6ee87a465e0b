"""How the processes of a run find each other, and notice who does not come."""

from __future__ import annotations

import json
import os
import time
import uuid

from torch import distributed as dist

from orthogan.errors import ConfigError, listed
from orthogan.parallel.environment import Place
from orthogan.parallel.lost import LostError
from orthogan.parallel.store import Store, tcp_store, written

# Seconds to wait for the others; nodes of a cluster may start minutes apart.
JOIN_VARIABLE, JOIN_S = "ORTHOGAN_JOIN_TIMEOUT", 300.0
_LOOK_S = 0.05
_MOST_NAMED = 8


def join_timeout() -> float:
    """Seconds to wait for the other processes.

    Raises:
        ConfigError: the environment says something else than a number above 0.
    """
    text = os.environ.get(JOIN_VARIABLE)
    try:
        seconds = JOIN_S if text is None else float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ConfigError(f"{JOIN_VARIABLE} is {text!r}; it takes seconds, such as 300.")
    return seconds


def connected(place: Place, timeout_s: float, *, is_host: bool) -> Store:
    """A connection to what all processes share, which rank 0 or its launcher hosts.

    Args:
        place: This process.
        timeout_s: How long to try.
        is_host: Whether to host it.

    Raises:
        LostError: nobody answers there.
    """
    try:
        return tcp_store(place.address, place.port, timeout_s, is_host=is_host)
    except (RuntimeError, dist.DistError) as error:
        if is_host:
            raise LostError(
                f"Process 0 cannot listen at {place.address}:{place.port}: another program may use "
                "that port; choose another by MASTER_PORT."
            ) from error
        raise LostError(
            f"Process {place.rank} got no answer from {place.address}:{place.port} within "
            f"{timeout_s:.0f} s: process 0 or its launcher is not there, or a firewall is between; "
            f"check MASTER_ADDR and MASTER_PORT, or wait longer with {JOIN_VARIABLE}."
        ) from error


def meet(store: Store, place: Place, timeout_s: float) -> str:
    """Waits until all processes are there; a name that is theirs alone, of this one time.

    The store may still hold what an earlier generation of the processes has left, and a launcher
    does not always say which generation this is.

    Raises:
        LostError: some did not come.
    """
    deadline = time.monotonic() + timeout_s
    return _host(store, place, deadline) if place.rank == 0 else _join(store, place, deadline)


def _host(store: Store, place: Place, deadline: float) -> str:
    name = uuid.uuid4().hex
    store.set("meeting", name)
    while True:
        answers = {rank: written(store, f"answer/{rank}") for rank in range(1, place.count)}
        missing = [rank for rank, answer in answers.items() if not answer.startswith(name)]
        if not missing:
            store.set(f"begin/{name}", json.dumps(list(answers.values())))
            return name
        if time.monotonic() > deadline:
            shown = [str(rank) for rank in missing[:_MOST_NAMED]]
            shown += ["others"] if len(missing) > _MOST_NAMED else []
            raise LostError(
                f"{len(missing)} of {place.count} processes did not come: {listed(shown, 'and')}; "
                f"start all of them, or wait longer with {JOIN_VARIABLE}."
            )
        time.sleep(_LOOK_S)


def _join(store: Store, place: Place, deadline: float) -> str:
    own = uuid.uuid4().hex
    while True:
        name = written(store, "meeting")
        if name:
            answer = f"{name} {own}"
            store.set(f"answer/{place.rank}", answer)
            if answer in written(store, f"begin/{name}"):
                return name
        if time.monotonic() > deadline:
            raise LostError(
                f"Process {place.rank} waited in vain for process 0 and the others; start all "
                f"{place.count} of them, or wait longer with {JOIN_VARIABLE}."
            )
        time.sleep(_LOOK_S)
