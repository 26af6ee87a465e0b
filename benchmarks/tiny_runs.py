"""Trainings of a second, each in a fork of a process that has everything imported."""

from __future__ import annotations

import gc
import hashlib
import io
import json
import os
import signal
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import adaptive_avg_pool2d

from orthogan.cli import main as command_line
from orthogan.data import ImageSet
from orthogan.evaluation import LiveScore, live
from orthogan.files import is_leftover
from orthogan.gan import session as gan_session
from orthogan.gan import task, trainer, watched_session
from orthogan.gan.trainer import Trainer
from orthogan.gan.watch import saturation
from orthogan.models.bundle.tensors import pack
from orthogan.training import session
from orthogan.training.checkpoint import newest_checkpoint
from orthogan.training.run_folder import read_metrics

SIZE_PX, NUM_IMAGES = 16, 320
BATCH, IMAGES = 16, 192
MILESTONE, ILL_AT = 64, 9 * BATCH
# plain: to the end; ill: a weight that is no number sends it back; extended: the budget ends
# halfway and is raised; clusters: no labels, so that clusters are found and kept.
KINDS = ("plain", "ill", "extended", "clusters")

TINY = (
    "generator.latent_size=8",
    "generator.width=8",
    "generator.channels=4",
    "generator.hidden=16",
    "generator.blocks=1",
    "discriminator.channels=4",
    "discriminator.width=8",
    "discriminator.heads=2",
    "discriminator.hidden=16",
    f"batch_size={BATCH}",
    "checkpoint_every_s=0.02",
    "signals_every=64",
    "precision=float32",
)

# What differs from one session to the next, whatever happens.
OF_THE_CLOCK = {"elapsed_s", "seconds"}
# Whether a step or a checkpoint meets a number that is none first depends on the clock, and the
# reason of a rollback says which it was.
OF_A_ROLLBACK = {"reason"}
OF_A_SESSION = {"resume", "stop"}


class Coarse:
    """Describes an image by the means of its squares of 2 x 2."""

    name, sha256, domain = "coarse", "0" * 64, "anything"
    channels, size, num_features, num_components, num_classes = 1, None, 64, None, 0

    def knows(self, _images: ImageSet) -> bool:
        return True

    def describe(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = adaptive_avg_pool2d(pixels.float() / 255, 8).flatten(1)
        return features, torch.zeros(len(pixels), 0)


def prepare(folder: Path) -> Path:
    """Makes everything quick, and a set of images: a bright blob each, in four classes."""
    os.environ["ORTHOGAN_CACHE"] = str(folder / "cache")
    torch.set_num_threads(1)
    # A real extractor takes longer than these runs.
    task.LiveScore = partial(LiveScore, extractor=Coarse())  # type: ignore[misc, assignment]
    live.NUM_FAKES = 128
    watched_session.LEAST_MILESTONE = MILESTONE
    # Networks as small as these take longer to unfold than the runs last.
    saturation.SUSPICIOUS_SPREAD = gan_session.SUSPICIOUS_SPREAD = 0.0  # type: ignore[attr-defined]
    trainer.GEOMETRY = ()  # looks at the geometry are made, and find nothing
    session.METRICS_EVERY_S = 0.0  # every step
    source = np.random.default_rng(5)
    centres = source.uniform(3, SIZE_PX - 3, (NUM_IMAGES, 2))
    rows, cols = np.mgrid[:SIZE_PX, :SIZE_PX]
    far = (rows - centres[:, 0, None, None]) ** 2 + (cols - centres[:, 1, None, None]) ** 2
    kinds = (centres > SIZE_PX / 2) @ np.array([2, 1])
    np.savez(folder / "blobs.npz", images=(255 * np.exp(-far / 6)).astype(np.uint8), labels=kinds)
    # What is imported late or set up by a first run, each fork would have to do anew.
    with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
        command_line(words(folder / "blobs.npz", folder / "warm", "plain", IMAGES))
    gc.collect()
    gc.freeze()  # or a fork copies every page that its collector looks at
    return folder / "blobs.npz"


def start(data: Path, run: Path, kind: str, before: Callable[[], object] = lambda: None) -> int:
    """A process that trains a run to its end, or as far as it comes; its number.

    Args:
        data: The images.
        run: The folder; what is written to stderr goes beside it.
        kind: One of `KINDS`.
        before: What is done in that process first.
    """
    run.parent.mkdir(parents=True, exist_ok=True)
    child = os.fork()
    if child:
        return child
    code = 1
    # Whoever starts a process in the background may have it ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        log = os.open(f"{run}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        if kind == "ill":
            _fall_ill()
        before()
        for images in (IMAGES // 2, IMAGES) if kind == "extended" else (IMAGES,):
            if images == IMAGES or not is_extended(run):
                code = command_line(words(data, run, kind, images))
                if code:
                    break
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(code)


def words(data: Path, run: Path, kind: str, images: int) -> list[str]:
    """The command line of a run."""
    said = ["train", str(data), "--run", str(run), "--images", str(images), "--threads", "1"]
    own = ("condition=clusters", "clusters=4") if kind == "clusters" else ()
    return [*said, *(word for each in (*TINY, *own) for word in ("--set", each))]


def ended(child: int) -> int:
    """Waits for a process; its exit code, negative for the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed(child: int) -> int:
    """Kills a process at once."""
    os.kill(child, signal.SIGKILL)
    return ended(child)


def is_extended(run: Path) -> bool:
    record = run / "run.json"
    return record.exists() and len(json.loads(record.read_text())["budgets"]) == 2


def _fall_ill() -> None:
    """From here on a weight of the generator is no number after the ninth step, once."""
    step = Trainer.step

    def stepped(trainer: Trainer, progress: float) -> Any:
        found = step(trainer, progress)
        if trainer.images_seen == ILL_AT and not trainer.remedies.rollbacks:
            with torch.no_grad():
                next(trainer.generator.parameters()).view(-1)[0] = float("nan")
        return found

    Trainer.step = stepped  # type: ignore[method-assign]


def fingerprints(run: Path) -> dict[str, str]:
    """SHA-256 of all that a run leaves, but for times: alike exactly where all of it is alike."""
    checkpoint = newest_checkpoint(run)
    parts: dict[str, dict[str, torch.Tensor]] = {"weights": {}, "average": {}, "optimizers": {}}
    for name, tensor in checkpoint.tensors.items():
        player = name.partition("/")[0]
        part = "optimizers" if player.endswith("optimizer") else "weights"
        parts["average" if player == "average" else part][name] = tensor
    metrics = [
        _timeless(_without_its_finder(line))
        for line in read_metrics(run / "metrics.jsonl")
        if line.get("event") not in OF_A_SESSION
    ]
    samples = {path.name: _digest(path.read_bytes()) for path in (run / "samples").iterdir()}
    return {
        **{part: _digest(pack(tensors)) for part, tensors in parts.items()},
        "state": _digest(_timeless(checkpoint.state)),
        "metrics": _digest(metrics),
        "samples": _digest(samples),
        "model": _digest((run / "bundle" / "generator.safetensors").read_bytes()),
        "leftovers": str(sorted(path.name for path in run.rglob("*") if is_leftover(path.name))),
        "status": json.loads((run / "run.json").read_text())["status"],
    }


def _without_its_finder(line: dict[str, Any]) -> dict[str, Any]:
    if line.get("event") != "rollback":
        return line
    return {key: value for key, value in line.items() if key not in OF_A_ROLLBACK}


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(each) for key, each in value.items() if key not in OF_THE_CLOCK}
    return [_timeless(each) for each in value] if isinstance(value, list) else value


def _digest(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value, sort_keys=True).encode()
    return hashlib.sha256(data).hexdigest()
