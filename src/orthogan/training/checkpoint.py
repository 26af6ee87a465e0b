"""Checkpoints: the whole state of a run at an image count, as safetensors and JSON.

A checkpoint is a folder `checkpoints/<images>` that appears complete or not at all; the file
`checkpoints/latest` names the one to resume from and is written last.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from orthogan.bundle.tensors import digest, pack, unpack
from orthogan.errors import BundleError, ConfigError, ResumeError, StorageError
from orthogan.files import committed_folder, read_json, storage_errors, write_atomic

FORMAT = 1

_ASIDE = "aside-"
_FIELDS = {"format", "images_seen", "sha256", "state_sha256", "state"}


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The state of a run at an image count; `note` says so if a newer one was damaged."""

    images_seen: int
    tensors: dict[str, Tensor]
    state: dict[str, Any]
    note: str = ""


def save_checkpoint(
    run: Path,
    images_seen: int,
    tensors: Mapping[str, Tensor],
    state: dict[str, Any],
    keep: int = 3,
    spared: Collection[int] = (),
) -> Path:
    """The folder of a new checkpoint, which the run now resumes from.

    Args:
        run: Run folder.
        images_seen: Progress, which names the checkpoint.
        tensors: Everything that is a tensor: weights, averages, optimiser moments.
        state: Everything else; whatever JSON can hold.
        keep: How many checkpoints stay. Those of a later image count are gone after this,
            since they belong to a course that was given up.
        spared: Image counts; the newest checkpoint up to each of them stays as well.

    Raises:
        ConfigError: `keep` is less than 1.
        StorageError: the disk is full or unwritable; the earlier checkpoints are intact.
    """
    if keep < 1:
        raise ConfigError(f"At least 1 checkpoint must stay, got keep={keep}.")
    folder = run / "checkpoints" / f"{images_seen:09d}"
    data = pack(tensors)
    record = {
        "format": FORMAT,
        "images_seen": images_seen,
        "sha256": digest(data),
        "state_sha256": _digest_json(state),
        "state": state,
    }
    with committed_folder(folder) as new:
        (new / "tensors.safetensors").write_bytes(data)
        (new / "state.json").write_text(json.dumps(record), encoding="utf-8")
    write_atomic(folder.parent / "latest", folder.name.encode())
    _rotate(folder, keep, spared)
    return folder


def resume_from(run: Path, images_seen: int) -> None:
    """Has the run go on from its checkpoint at an image count, whatever was made after it.

    Raises:
        StorageError: the pointer cannot be written.
    """
    write_atomic(run / "checkpoints" / "latest", f"{images_seen:09d}".encode())


def newest_until(run: Path, images_seen: int) -> int:
    """The image count of the newest checkpoint up to one; 0 if there is none but the start."""
    counts = map(_images, _folders(run / "checkpoints"))
    return max((count for count in counts if count <= images_seen), default=0)


def set_aside(run: Path, images_seen: int) -> None:
    """Keeps the checkpoint at an image count out of the way of a run that starts again.

    At most one is kept so; none at 0, the start.

    Raises:
        StorageError: it cannot be moved.
    """
    checkpoints = run / "checkpoints"
    if images_seen == 0:
        return
    with storage_errors(checkpoints):
        for earlier in checkpoints.glob(f"{_ASIDE}*"):
            shutil.rmtree(earlier)
        (checkpoints / f"{images_seen:09d}").rename(checkpoints / f"{_ASIDE}{images_seen:09d}")


def taken_back(run: Path) -> int:
    """The image count of the checkpoint that was set aside, which is back again; 0 without one.

    Raises:
        StorageError: it cannot be moved.
    """
    checkpoints = run / "checkpoints"
    for aside in checkpoints.glob(f"{_ASIDE}*"):
        place = checkpoints / aside.name.removeprefix(_ASIDE)
        with storage_errors(checkpoints):
            shutil.rmtree(place, ignore_errors=True)
            aside.rename(place)
        return _images(place)
    return 0


def load_checkpoint(run: Path) -> Checkpoint | None:
    """The newest healthy checkpoint of a run, or None if there is none yet.

    Raises:
        ResumeError: there are checkpoints and every one is damaged.
    """
    problem = ""
    for folder in _candidates(run / "checkpoints"):
        try:
            return _read(folder, problem)
        except (BundleError, StorageError) as error:
            problem = problem or str(error)
    if problem:
        raise ResumeError(
            f"{run}: no checkpoint can be read: {problem} Start again with another --run."
        )
    return None


def newest_checkpoint(run: Path) -> Checkpoint:
    """The same for a run that must have one.

    Raises:
        ResumeError: there is none, or every one is damaged.
    """
    checkpoint = load_checkpoint(run)
    if checkpoint is None:
        raise ResumeError(f"{run}: this run has no checkpoint yet; repeat its command.")
    return checkpoint


def _read(folder: Path, problem: str) -> Checkpoint:
    record = read_json(folder / "state.json")
    if not isinstance(record, dict) or not record.keys() >= _FIELDS:
        raise BundleError(f"{folder}: state.json is not a checkpoint's.")
    if record["format"] != FORMAT:
        raise BundleError(f"{folder}: format {record['format']}, this version reads {FORMAT}.")
    if _digest_json(record["state"]) != record["state_sha256"]:
        raise BundleError(f"{folder}: state.json is damaged: its checksum differs.")
    tensors = unpack(folder / "tensors.safetensors", record["sha256"])
    images_seen = record["images_seen"]
    note = f"{problem} Resuming from {images_seen} images instead." if problem else ""
    return Checkpoint(images_seen=images_seen, tensors=tensors, state=record["state"], note=note)


def _digest_json(state: object) -> str:
    return digest(json.dumps(state).encode())


def _candidates(checkpoints: Path) -> list[Path]:
    """Checkpoint folders, the one to try first coming first."""
    folders = sorted(_folders(checkpoints), key=_images, reverse=True)
    try:
        pointer = (checkpoints / "latest").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return folders
    if not pointer.isdigit():
        return folders
    # A later folder than the pointer's was committed and then abandoned: the last resort.
    latest = checkpoints / pointer
    earlier = [folder for folder in folders if _images(folder) < _images(latest)]
    return [latest, *earlier, *(folder for folder in folders if _images(folder) > _images(latest))]


def _rotate(current: Path, keep: int, spared: Collection[int]) -> None:
    folders = sorted(_folders(current.parent), key=_images, reverse=True)
    earlier = [folder for folder in folders if _images(folder) < _images(current)]
    stay = {current, *earlier[: keep - 1]}
    for mark in spared:
        stay.update([folder for folder in folders if _images(folder) <= mark][:1])
    for folder in folders:
        if folder not in stay:
            shutil.rmtree(folder, ignore_errors=True)


def _folders(checkpoints: Path) -> list[Path]:
    if not checkpoints.is_dir():
        return []
    return [entry for entry in checkpoints.iterdir() if entry.name.isdigit() and entry.is_dir()]


def _images(folder: Path) -> int:
    return int(folder.name)
