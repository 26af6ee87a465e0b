"""A run that begins where another one stood: from its checkpoint, with settings of its own."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from orthogan.config import flatten
from orthogan.errors import ConfigError, ResumeError
from orthogan.training.budgets import BUDGET, Standing, refuse_used_up
from orthogan.training.checkpoint import Checkpoint, image_counts, load_checkpoint, save_checkpoint
from orthogan.training.launch import EarlierRun, open_run
from orthogan.training.request import Request
from orthogan.training.run import Run
from orthogan.training.run_record import RUN_FILE, TASK, read_record
from orthogan.training.task import TASKS, Launch, train_run

FORKED_FROM = "forked_from"  # the field of `run.json`
# Settings that say what the tensors of a checkpoint are, and what they were learned from.
KEPT = ("generator.", "discriminator.", "network.", "data.", "condition", "unseen")
# Settings of a network that say how it is trained, not what it is made of.
FREE = frozenset({"discriminator.emphasis"})
MOST_SHOWN = 5  # names in a sentence


@dataclass(frozen=True, kw_only=True)
class Fork:
    """Where a run begins.

    Attributes:
        source: Folder of the run that it leaves.
        images_seen: Image count of one of its checkpoints; None: the newest whole one.
    """

    source: Path
    images_seen: int | None = None


def fork_run(fork: Fork, request: Request, launch: Launch) -> Run:
    """Trains a new run from a checkpoint of another, which is left as it is.

    It has the settings of that run where nothing is asked for. Its images and seconds go on from
    those of the checkpoint, so a budget is what both have trained in all.

    Args:
        fork: Where it begins.
        request: What is asked for; no data, which are those of the run, and no recipe.
        launch: Its folder, which must be new.

    Raises:
        ConfigError: a setting that does not fit the checkpoint, or no folder.
        ResumeError: the folder is there, the run has no such checkpoint, or the budget is used up.
        DataError: the data of the run cannot be loaded.
        DivergedError: training broke down; the last healthy checkpoint is kept.
        StorageError: the folder cannot be written.
    """
    if launch.path is None:
        raise ConfigError("A fork needs a folder of its own; name it with --run.")
    path = Path(launch.path)
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        raise ResumeError(
            f"{path}: is there already; a fork begins in a new folder. To go on with a run: "
            "orthogan train --run."
        )
    record = read_record(fork.source)
    task = TASKS[record[TASK]]()
    config = task.requested(request, EarlierRun(fork.source, record))
    _refuse_other_form(fork.source, record["config"], config.to_dict())
    checkpoint = _checkpoint(fork)
    stands = Standing(
        num_seen=checkpoint.images_seen, seconds=float(checkpoint.state.get("elapsed_s", 0.0))
    )
    refuse_used_up(fork.source, config.to_dict()[BUDGET], stands)
    device = torch.device(str(record["provenance"].get("device", "cpu")))
    fingerprint = str(record["provenance"].get("data_fingerprint"))
    recipe = str(record.get("recipe", ""))
    with open_run(path, task.name, config, device, fingerprint, recipe) as folder:
        save_checkpoint(path, checkpoint.images_seen, checkpoint.tensors, checkpoint.state)
        origin = {"run": fork.source.name, "images_seen": checkpoint.images_seen}
        folder.append_metrics({"images_seen": checkpoint.images_seen, "event": "fork"} | origin)
        folder.update_status(
            "interrupted",
            reason=f"Forked from {fork.source.name} at {checkpoint.images_seen:,} {task.unit}.",
            images_seen=checkpoint.images_seen,
            seconds=stands.seconds,
            scores=dict(checkpoint.state.get("scores", {})),
            **{FORKED_FROM: origin},
        )
    try:
        return train_run(task, Request(), launch)
    except ResumeError as error:  # before its first step: nothing is lost with the folder
        shutil.rmtree(path, ignore_errors=True)
        reason = str(error).partition(": ")[2] or str(error)
        raise ConfigError(f"{fork.source} cannot be forked like this: {reason}") from None


def _checkpoint(fork: Fork) -> Checkpoint:
    """The one to begin from.

    Raises:
        ResumeError: there is none such, or it is damaged.
    """
    found = load_checkpoint(fork.source, until=fork.images_seen)
    if found is None or fork.images_seen not in {None, found.images_seen}:
        counts = ", ".join(f"{count:,}" for count in image_counts(fork.source)) or "none"
        at = "" if fork.images_seen is None else f" at {fork.images_seen:,}"
        raise ResumeError(
            f"{fork.source}: has no whole checkpoint{at}; its checkpoints are at {counts}."
        )
    return found


def _refuse_other_form(source: Path, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Refuses settings under which the tensors of the checkpoint would mean something else.

    Raises:
        ConfigError: there are some; a sentence names the first few.
    """
    then, now = dict(flatten(before)), dict(flatten(after))
    changed = [
        f"{name} {then[name]} -> {value}"
        for name, value in now.items()
        if name.startswith(KEPT) and name not in FREE and name in then and then[name] != value
    ]
    if changed:
        raise ConfigError(
            f"{source / RUN_FILE}: a fork keeps the networks, the condition and the data of its "
            f"run, and these would change: {', '.join(changed[:MOST_SHOWN])}. Leave them, or begin "
            "anew with orthogan train."
        )
