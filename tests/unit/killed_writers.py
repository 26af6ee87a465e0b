"""Kills processes that write checkpoints, from one that has imported everything already.

    python tests/unit/killed_writers.py FOLDER moments SEED KILLS
    python tests/unit/killed_writers.py FOLDER calls
    python tests/unit/killed_writers.py FOLDER runs SEED KILLS DATA

`moments`: SIGKILL at random moments; each process goes on where the one before was killed.
`calls`: death ahead of every single flush and rename of three saves, one after the other.
`runs`: SIGKILL of a whole training run at random moments, then on to its end, beside one that
nothing disturbed. Halfway the budget ends, and is extended.
Prints a line of JSON for each kill: what a resumed run would find.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from orthogan.errors import OrthoganError
from orthogan.files import clean_leftovers
from orthogan.gan import api
from orthogan.training.checkpoint import load_checkpoint, save_checkpoint

SAVES = 3
MOST_S = 0.2  # a save takes a few milliseconds


def save(run: Path, images: int) -> None:
    weights = {"w": torch.full((4,), float(images))}
    save_checkpoint(run, images, weights, {"i": images}, keep=2)


def found(run: Path) -> dict[str, Any]:
    """What a resumed run finds, and what is left lying about after it has cleaned up."""
    checkpoints = run / "checkpoints"
    if checkpoints.is_dir():
        clean_leftovers(checkpoints, exclusive=True)
    try:
        checkpoint = load_checkpoint(run)
    except OrthoganError as error:
        return {"images": -1, "note": str(error), "healthy": False, "left": []}
    if checkpoint is None:
        return {"images": 0, "note": "", "healthy": True, "left": []}
    images = checkpoint.images_seen
    healthy = checkpoint.tensors["w"].tolist() == [images] * 4 and checkpoint.state == {"i": images}
    left = [entry.name for entry in checkpoints.iterdir() if entry.name.startswith(".")]
    return {"images": images, "note": checkpoint.note, "healthy": healthy, "left": left}


def kill_at_moments(run: Path, seed: int, kills: int) -> None:
    source = random.Random(seed)
    for _ in range(kills):
        before = found(run)["images"]
        child = os.fork()
        if child == 0:
            for images in range(before + 1, 10**6):
                save(run, images)
        after_s = MOST_S * source.random()
        time.sleep(after_s)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        print(json.dumps({"before": before, "after_s": after_s} | found(run)), flush=True)


def kill_at_calls(folder: Path) -> None:
    start = folder / "start"
    save(start, 1)
    for call in range(1000):
        run = folder / f"killed-{call}"
        shutil.copytree(start, run)
        child = os.fork()
        if child == 0:
            die_before(call)
            for images in range(2, 2 + SAVES):
                save(run, images)
                (folder / f"saved-{call}").write_text(str(images))
            save(run, 1 + SAVES)  # again: the folder is there already
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status == 0:
            return
        progress = folder / f"saved-{call}"
        saved = int(progress.read_text()) if progress.exists() else 1
        print(json.dumps({"call": call, "saved": saved} | found(run)), flush=True)


def die_before(call: int) -> None:
    """From here on the process dies just before flush or rename number `call`."""
    left = [call]

    def counted(deed: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*words: Any) -> Any:
            if left[0] == 0:
                os._exit(9)
            left[0] -= 1
            return deed(*words)

        return counting

    os.fsync = counted(os.fsync)
    Path.replace = counted(Path.replace)  # type: ignore[method-assign]


def kill_runs(folder: Path, seed: int, kills: int, data: Path) -> None:
    source = random.Random(seed)
    begun = time.monotonic()
    os.waitpid(training(folder / "whole", data), 0)
    whole_s = time.monotonic() - begun
    run = folder / "killed"
    for _ in range(kills):
        child = training(run, data)
        after_s = whole_s * source.random()
        time.sleep(after_s)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        checkpoint = load_checkpoint(run)
        seen = 0 if checkpoint is None else checkpoint.images_seen
        note = "" if checkpoint is None else checkpoint.note
        row = {"after_s": after_s, "finished": status == 0, "images": seen, "note": note}
        print(json.dumps(row), flush=True)
    _, status = os.waitpid(training(run, data), 0)
    same = [(run / name).read_bytes() == (folder / "whole" / name).read_bytes() for name in ENDS]
    print(json.dumps({"status": status, "same": same}), flush=True)


ENDS = (
    "bundle/generator.safetensors",
    "checkpoints/000000320/tensors.safetensors",
    "checkpoints/latest",
)


def training(run: Path, data: Path) -> int:
    """The process that trains; 0 is its exit code when it has come to the end."""
    child = os.fork()
    if child == 0:
        settings = ("precision=float32", "batch_size=16", "checkpoint_every_s=0.01", *TINY)
        if not is_extended(run):
            api.train(data, run=run, images=160, threads=1, settings=settings, show_progress=False)
        api.train(run=run, images=320, show_progress=False)
        os._exit(0)
    return child


def is_extended(run: Path) -> bool:
    record = run / "run.json"
    return record.exists() and len(json.loads(record.read_text())["budgets"]) == 2


TINY = (
    "generator.latent_size=8",
    "generator.width=8",
    "generator.channels=4",
    "generator.hidden=16",
    "discriminator.channels=4",
    "discriminator.width=8",
    "discriminator.heads=2",
    "discriminator.hidden=8",
)


if __name__ == "__main__":
    if sys.argv[2] == "runs":
        kill_runs(Path(sys.argv[1]), int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
    elif sys.argv[2] == "moments":
        kill_at_moments(Path(sys.argv[1]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        kill_at_calls(Path(sys.argv[1]))
