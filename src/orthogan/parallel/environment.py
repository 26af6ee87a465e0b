"""Which of several processes this is, as torchrun or srun say it in the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from orthogan.errors import ConfigError

# Where rank 0 listens under srun, which names no port: the job decides, so that two jobs that share
# a node do not meet. Above the ports that systems hand out by themselves, below 61,000.
FIRST_PORT, NUM_PORTS = 60_000, 999
_FIRST_HOST = re.compile(r"^([^\[,]+)(?:\[(\d+)[^\]]*\])?([^\[,]*)")


@dataclass(frozen=True, kw_only=True)
class Place:
    """One process among those of a run.

    Attributes:
        rank: Its number, from 0.
        count: How many there are.
        local_rank: Its number on this machine.
        local_count: How many there are on this machine.
        address: The machine of rank 0.
        port: Where rank 0, or its launcher, listens there.
        restarts: How often the launcher has started them again.
    """

    rank: int
    count: int
    local_rank: int
    local_count: int
    address: str
    port: int
    restarts: int = 0


def place(environment: Mapping[str, str] = os.environ) -> Place | None:
    """This process among those of a run; None where it is on its own.

    torchrun, and whoever sets the same names, is heeded before srun. A batch script of SLURM that
    no srun has started is on its own, however many tasks its job may have.

    Raises:
        ConfigError: a number is missing, is none, or does not fit the others.

    >>> place({}) is None
    True
    >>> found = place({"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "a", "MASTER_PORT": "29500"})
    >>> found.rank, found.count, found.address
    (1, 2, 'a')
    """
    found = None
    if "RANK" in environment and "WORLD_SIZE" in environment:
        found = _fitting(_by_torchrun(environment))
    elif "SLURM_STEP_NUM_TASKS" in environment:
        found = _fitting(_by_srun(environment))
    return found if found is not None and found.count > 1 else None


def _by_torchrun(environment: Mapping[str, str]) -> Place:
    rank = _number(environment, "RANK")
    return Place(
        rank=rank,
        count=_number(environment, "WORLD_SIZE"),
        local_rank=_number(environment, "LOCAL_RANK", rank),
        local_count=_number(environment, "LOCAL_WORLD_SIZE", 1),
        address=environment.get("MASTER_ADDR", "localhost"),
        port=_number(environment, "MASTER_PORT", FIRST_PORT),
        restarts=_number(environment, "TORCHELASTIC_RESTART_COUNT", 0),
    )


def _by_srun(environment: Mapping[str, str]) -> Place:
    nodes = environment.get("SLURM_STEP_NODELIST") or environment.get("SLURM_NODELIST", "localhost")
    count = _number(environment, "SLURM_STEP_NUM_TASKS")
    job = _number(environment, "SLURM_JOB_ID", 0) + _number(environment, "SLURM_STEP_ID", 0)
    tasks = environment.get("SLURM_STEP_TASKS_PER_NODE", str(count))
    return Place(
        rank=_number(environment, "SLURM_PROCID"),
        count=count,
        local_rank=_number(environment, "SLURM_LOCALID", 0),
        local_count=max(map(int, re.findall(r"(?<![x\d])\d+(?!\d)", tasks)), default=1),
        address=environment.get("MASTER_ADDR") or first_host(nodes),
        port=_number(environment, "MASTER_PORT", FIRST_PORT + job % NUM_PORTS),
        restarts=_number(environment, "SLURM_RESTART_COUNT", 0),
    )


def first_host(nodes: str) -> str:
    """The first machine of a list as SLURM writes it.

    >>> first_host("gpu[07-09,12],big1"), first_host("one"), first_host("a1,a2")
    ('gpu07', 'one', 'a1')
    """
    found = _FIRST_HOST.match(nodes)
    return "".join(part or "" for part in found.groups()) if found else nodes


def _fitting(found: Place) -> Place:
    if not 0 <= found.rank < found.count:
        raise ConfigError(
            f"The environment says that this is process {found.rank} of {found.count}; "
            f"ranks lie in 0..{found.count - 1}."
        )
    return found


def _number(environment: Mapping[str, str], name: str, default: int | None = None) -> int:
    text = environment.get(name)
    if text is None and default is not None:
        return default
    try:
        return int(text or "")
    except ValueError:
        raise ConfigError(
            f"The environment variable {name} is {text!r}, and several processes need a number "
            "there; start them with torchrun or srun, which set it."
        ) from None
