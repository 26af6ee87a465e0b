"""Trainings in parallel, one thread each: a budget in images does not feel the load."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

# What a training found, by variant and seed.
Runs = dict[str, dict[str, Any]]


def train_missing(
    train: Callable[..., Any],
    jobs: dict[tuple[str, str], tuple[Any, ...]],
    runs: Runs,
    save: Callable[[], None],
) -> None:
    """Trains what `runs` lacks, as many at a time as there are cores.

    Args:
        train: Of a module; called with a job in a process of its own.
        jobs: By variant and seed.
        runs: Where results are put, and `save` called after each.
        save: Writes them down, so that a run that was stopped goes on.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        todo = {
            pool.submit(train, *job): (variant, seed)
            for (variant, seed), job in jobs.items()
            if seed not in runs.setdefault(variant, {})
        }
        for done in as_completed(todo):
            variant, seed = todo[done]
            runs[variant][seed] = done.result()
            save()
            print(f"{variant}, seed {seed}: {done.result()}", flush=True)
