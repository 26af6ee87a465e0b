"""The model of a run that is not done: its newest healthy checkpoint, read while it may go on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from orthogan.config import check_shape
from orthogan.errors import BundleError, ResumeError
from orthogan.models.bundle.folder import (
    GENERATOR,
    Bundle,
    CardFacts,
    DataFacts,
    Role,
    is_bundle,
    load_bundle,
    refuse_other_role,
)
from orthogan.models.bundle.names import UNTRAINED
from orthogan.models.bundle.tensors import digest, pack
from orthogan.training.checkpoint import Checkpoint, load_checkpoint
from orthogan.training.lock import FolderLock
from orthogan.training.run_record import described_part, read_record
from orthogan.training.state_tensors import part_of

ROLES: dict[str, Role] = {"gan": "generator", "classify": "classifier", "language": "language"}
PARTS: dict[str, str] = {"generator": "average", "classifier": "average", "language": "network"}
# A training process replaces and removes checkpoints: what looks damaged is looked at again.
PAUSES_S = (0.05, 0.2)
STATES = {"running": "was interrupted", "done": "is done", "diverged": "diverged"}


class _Described(BaseModel):
    """What a checkpoint says of its model, besides the weights."""

    model_config = ConfigDict(extra="ignore")

    role: Role
    part: str
    network_config: dict[str, Any]
    data: DataFacts
    card: CardFacts
    vocabulary: dict[str, Any] = {}


def role_of_run(run: Path) -> Role:
    """What kind of network a run trains.

    Raises:
        BundleError: the record of the run is damaged.
    """
    return _role(_record(run), run)


def newest_model(run: Path, role: Role) -> Bundle:
    """The model of the newest healthy checkpoint of a run, which may still be running.

    Args:
        run: Run folder.
        role: What kind of network is asked for.

    Raises:
        BundleError: the run trains another kind, has no trained model yet, or none that can be
            read.
    """
    record = _record(run)
    refuse_other_role(run, _role(record, run), role)
    checkpoint, note = healthy_checkpoint(run)
    described = _described(run, record, checkpoint, role)
    tensors = part_of(described["part"], checkpoint.tensors)
    return Bundle(
        path=run,
        network_config=described["network_config"],
        tensors=tensors,
        data=described["data"],
        card=described["card"],
        sha256=digest(pack(tensors)),
        version=str(record["provenance"].get("orthogan", "")),
        vocabulary=described.get("vocabulary", {}),
        note=note,
    )


def healthy_checkpoint(run: Path) -> tuple[Checkpoint, str]:
    """The newest healthy checkpoint of a run, and a sentence on which it is.

    Args:
        run: Run folder; the run may be going on.

    Returns:
        The sentence is empty where the run is done and this is its end.

    Raises:
        BundleError: the run has no trained network yet, or none that can be read.
    """
    record = _record(run)
    is_running = FolderLock.is_held(run / ".lock")
    try:
        checkpoint, remark = _healthy(run, str(record["status"]), is_running)
    except ResumeError as error:
        raise BundleError(str(error)) from None
    if checkpoint is None or checkpoint.images_seen == 0:
        raise BundleError(f"{run}: {_no_model(is_running)}")
    is_end = record["status"] == "done" and not (is_running or remark or checkpoint.problem)
    return checkpoint, "" if is_end else _note(run, record, is_running, checkpoint, remark)


def _record(run: Path) -> dict[str, Any]:
    try:
        return read_record(run)
    except ResumeError as error:
        raise BundleError(str(error)) from None


def _role(record: dict[str, Any], run: Path) -> Role:
    role = ROLES.get(record["task"])
    if role is None:
        raise BundleError(f"{run}: trains a '{record['task']}', of which no model can be loaded.")
    return role


def _healthy(run: Path, status: str, is_running: bool) -> tuple[Checkpoint | None, str]:
    """The checkpoint to use, and what has to be said about it."""
    newest = _whole(run)
    healthy = None if newest is None else newest.state.get("healthy")
    # A run that has diverged has already gone back to where it was healthy.
    if newest is None or type(healthy) is not int or (status == "diverged" and not is_running):
        return newest, ""
    earlier = _whole(run, healthy) if healthy else None
    if earlier is None or earlier.images_seen == 0:
        return newest, "; its images show signs of a collapse, and no earlier one is without them"
    return earlier, ", from before signs of a collapse"


def _whole(run: Path, until: int | None = None) -> Checkpoint | None:
    for pause_s in PAUSES_S:
        try:
            found = load_checkpoint(run, until)
        except ResumeError:
            found = None
        if found is not None and not found.problem:
            return found
        time.sleep(pause_s)
    return load_checkpoint(run, until)


def _no_model(is_running: bool) -> str:
    if is_running:
        return "this run has no trained model yet; it is running, so wait for its first checkpoint."
    return UNTRAINED


def _described(
    run: Path, record: dict[str, Any], checkpoint: Checkpoint, role: Role
) -> dict[str, Any]:
    """What the model has besides its weights, as `_Described` lists it."""
    described: dict[str, Any] | None = checkpoint.state.get("model")
    if described is not None:
        where = f"{run}: checkpoint {checkpoint.images_seen}"
        check_shape(_Described, described, where, BundleError, "; repeat the run's command.")
        return described
    # A checkpoint of version 0.1 holds tensors and counts alone.
    card = {"title": run.name, f"{_unit(role)} seen": checkpoint.images_seen}
    card |= {"command": record["provenance"].get("command", "")}
    found: dict[str, Any] = {"part": PARTS[role], "card": card}
    if is_bundle(run / "bundle"):
        kept = load_bundle(run / "bundle", role)
        found |= {"network_config": kept.network_config, "data": kept.data}
        return found | {"vocabulary": kept.vocabulary}
    if role != GENERATOR:
        raise BundleError(
            f"{run}: its checkpoints are of version 0.1 and do not say what the network answers; "
            "repeat its command, and it can be used from the next checkpoint on."
        )
    try:
        network, data = described_part(record, role, run), described_part(record, "data", run)
    except ResumeError as error:
        raise BundleError(str(error)) from None
    facts = {"source": data.get("source", ""), "class_names": []}
    return found | {"network_config": network, "data": facts}


def _unit(role: Role) -> str:
    return "tokens" if role == "language" else "images"


def _note(
    run: Path, record: dict[str, Any], is_running: bool, checkpoint: Checkpoint, remark: str
) -> str:
    status = str(record["status"])
    state = "is still running" if is_running else STATES.get(status, f"was {status}")
    unit = _unit(_role(record, run))
    damaged = f" A newer one is damaged: {checkpoint.problem}" if checkpoint.problem else ""
    count = f"{checkpoint.images_seen:,} {unit}"
    return f"{run} {state}: the checkpoint at {count} is used{remark}.{damaged}"
