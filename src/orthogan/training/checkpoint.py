"""Checkpoints: the whole state of a run at an image count, as safetensors and JSON.

A checkpoint is a folder `checkpoints/<images>` that appears complete or not at all; the file
`checkpoints/latest` names the one to resume from and is written last.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field
from torch import Tensor

from orthogan.config import check_shape
from orthogan.errors import BundleError, ConfigError, ResumeError, StorageError, shortened
from orthogan.files import committed_folder, read_json, storage_errors, write_atomic
from orthogan.models.bundle.tensors import digest, pack, unpack
from orthogan.training.budgets import Standing

FORMAT = 1

_ASIDE = "aside-"
# Not isdigit: that also holds for superscripts, which are no numbers to `int`.
_NAME = re.compile(r"[0-9]{1,18}")
_MAX_POINTER_BYTES = 64


class _Record(BaseModel):
    """What stands in `state.json`."""

    format: int
    images_seen: int = Field(ge=0)
    sha256: str
    state_sha256: str
    state: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The state of a run at an image count; `problem` says what is wrong with a newer one."""

    images_seen: int
    tensors: dict[str, Tensor]
    state: dict[str, Any]
    problem: str = ""

    @property
    def note(self) -> str:
        """That an earlier checkpoint takes the place of a damaged one; often empty."""
        instead = f" Resuming from {self.images_seen} images instead."
        return f"{self.problem}{instead}" if self.problem else ""


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
        tensors: Everything that is a tensor: weights, averages, optimizer moments.
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


def image_counts(run: Path) -> list[int]:
    """The image counts of the checkpoints of a run, the first one first."""
    return sorted(map(_images, _folders(run / "checkpoints")))


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


def load_checkpoint(run: Path, until: int | None = None) -> Checkpoint | None:
    """The newest whole checkpoint of a run, or None if there is none yet.

    Args:
        run: Run folder.
        until: Only those up to this image count; None: all.

    Raises:
        ResumeError: there are checkpoints and every one is damaged.
    """
    folders, problem = _candidates(run / "checkpoints")
    folders = [folder for folder in folders if until is None or _images(folder) <= until]
    for folder in folders:
        try:
            return _read(folder, problem)
        except (BundleError, StorageError) as error:
            problem = problem or str(error)
    if folders:
        raise ResumeError(
            f"{run}: no checkpoint can be read: {problem} Start again with another --run."
        )
    return None


def standing(run: Path) -> Standing:
    """How far a run has come that goes on from its newest whole checkpoint.

    The tensors are not read.
    """
    for folder in _candidates(run / "checkpoints")[0]:
        try:
            record = _read_record(folder)
        except (BundleError, StorageError):
            continue
        seconds = record["state"].get("elapsed_s")
        spent = float(seconds) if isinstance(seconds, int | float) else 0.0
        return Standing(num_seen=record["images_seen"], seconds=spent)
    return Standing(num_seen=0, seconds=0.0)


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
    record = _read_record(folder)
    tensors = unpack(folder / "tensors.safetensors", record["sha256"])
    return Checkpoint(
        images_seen=record["images_seen"], tensors=tensors, state=record["state"], problem=problem
    )


def _read_record(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = read_json(folder / "state.json")
    form = record.get("format", FORMAT) if isinstance(record, dict) else FORMAT
    if form != FORMAT:
        raise BundleError(f"{folder}: format {shortened(form)}, this version reads {FORMAT}.")
    check_shape(_Record, record, folder / "state.json", BundleError, ".")
    if record["images_seen"] != _images(folder):
        raise BundleError(f"{folder}: is of {record['images_seen']} images, so it was moved.")
    if _digest_json(record["state"]) != record["state_sha256"]:
        raise BundleError(f"{folder}: state.json is damaged: its checksum differs.")
    return record


def _digest_json(state: object) -> str:
    return digest(json.dumps(state).encode())


def _candidates(checkpoints: Path) -> tuple[list[Path], str]:
    """Checkpoint folders, the one to try first coming first; and what is wrong with `latest`."""
    folders = sorted(_folders(checkpoints), key=_images, reverse=True)
    file = checkpoints / "latest"
    try:
        with file.open("rb") as opened:
            pointer = opened.read(_MAX_POINTER_BYTES).decode("ascii", errors="replace").strip()
    except FileNotFoundError:  # killed before the first one was pointed to
        return folders, ""
    except OSError as error:
        return folders, f"{file}: cannot be read: {error.strerror}."
    if not _NAME.fullmatch(pointer):
        return folders, f"{file}: names no checkpoint, so it is damaged."
    # A later folder than the pointer's was committed and then abandoned: the last resort.
    latest = checkpoints / pointer
    earlier = [folder for folder in folders if _images(folder) < _images(latest)]
    later = [folder for folder in folders if _images(folder) > _images(latest)]
    return [latest, *earlier, *later], ""


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
    entries = checkpoints.iterdir()
    return [entry for entry in entries if _NAME.fullmatch(entry.name) and entry.is_dir()]


def _images(folder: Path) -> int:
    return int(folder.name)
