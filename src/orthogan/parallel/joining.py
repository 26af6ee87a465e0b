"""The group that this process belongs to, from its first message to its last."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from torch import distributed as dist

from orthogan.parallel.environment import Place, place
from orthogan.parallel.heart import Heart
from orthogan.parallel.lost import LostError, noticing_loss
from orthogan.parallel.meeting import connected, join_timeout, meet
from orthogan.parallel.ranks import ALONE, Ranks
from orthogan.parallel.several import SeveralRanks
from orthogan.parallel.store import prefixed

# The beat tells who is gone; a message may wait for as long as a score or a compiler takes.
_PATIENCE = timedelta(days=7)

_current: list[Ranks] = [ALONE]


def current() -> Ranks:
    """This process among those that it trains with."""
    return _current[-1]


@contextmanager
def joined() -> Iterator[Ranks]:
    """Inside, this process belongs to those that the environment tells of.

    However the block ends, the others learn of it.

    Raises:
        ConfigError: the environment is contradictory.
        LostError: others did not come, or were lost.
    """
    found = place()
    if found is None or current() is not ALONE:
        yield current()
        return
    ranks = _joined(found)
    _current.append(ranks)
    try:
        yield ranks
    except LostError as error:
        raise ranks.explained(error) from error
    except BaseException as error:
        ranks.fail(error)
        raise
    finally:
        _current.pop()
        ranks.leave()


def _joined(found: Place) -> SeveralRanks:
    timeout_s = join_timeout()
    by_launcher = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    is_host = found.rank == 0 and not by_launcher
    deadline = time.monotonic() + timeout_s
    store = connected(found, timeout_s, is_host=is_host)
    name = meet(store, found, max(deadline - time.monotonic(), 0.0))
    of_group: Any = prefixed(f"{name}/group", store)
    with noticing_loss():
        dist.init_process_group(
            backend_for(found),
            store=of_group,
            rank=found.rank,
            world_size=found.count,
            timeout=_PATIENCE,
        )
    shared = prefixed(name, store)
    own = prefixed(name, connected(found, timeout_s, is_host=False))
    heart = Heart(own, found.rank, found.count)
    heart.start()
    return SeveralRanks(found, shared, heart)


def backend_for(found: Place) -> str:
    """What carries messages: NCCL between CUDA devices, one a process; else gloo."""
    has_own_device = torch.cuda.is_available() and found.local_count <= torch.cuda.device_count()
    return "cpu:gloo,cuda:nccl" if has_own_device and dist.is_nccl_available() else "gloo"
