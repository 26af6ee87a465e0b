"""What happens to a tiny run in a process of its own: faults of the disk, signals, bad numbers."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from faulty_calls import FaultyCalls, faults_of
from tiny_runs import BATCH, IMAGES, MILESTONE, ended, start

from orthogan.evaluation import LiveScore
from orthogan.gan import session as gan_session
from orthogan.gan.trainer import Trainer
from orthogan.models.bundle import folder
from orthogan.training import afterwards, checkpoint
from orthogan.training.clock import Clock
from orthogan.training.session import Session

SLOW_S = 8.0  # longer than a stop may take
# Where a run is slow, and how it may end there: a report is no part of the run.
SLOW = {"score": (75, 130), "last score": (75, 130), "verdict": (75, 130), "report": (0, 75, 130)}


@dataclass(frozen=True)
class Scene:
    """The checkpoint whose writing goes wrong: of which kind of run, and which one."""

    kind: str
    is_it: Callable[[Trainer], bool]


SCENES = {
    # Of those after each step: an earlier one is removed.
    "a new one": Scene("plain", lambda trainer: trainer.images_seen == 7 * BATCH),
    "a milestone": Scene("plain", lambda trainer: trainer.images_seen == 2 * MILESTONE),
    # The run has gone back, so that its folder is there already.
    "in place of another": Scene(
        "ill",
        lambda trainer: trainer.remedies.rollbacks == 1 and trainer.images_seen == MILESTONE,
    ),
}


def aim(run: Path, scene: str, at: int | None = None, fault: str = "") -> None:
    """From here on a call of the writing of one checkpoint goes wrong; its calls are listed."""
    calls, found = FaultyCalls(at, fault), Session.checkpoint
    is_due = Clock.is_due
    seen: list[bool] = []

    def counted(session: Session[Any]) -> None:
        if seen or not SCENES[scene].is_it(session.trainer):
            found(session)
            return
        seen.append(True)
        calls.is_counting = True
        try:
            found(session)
        finally:
            calls.is_counting = False
            if at is None:
                Path(f"{run}.calls").write_text(json.dumps(calls.calls))

    Session.checkpoint = counted  # type: ignore[method-assign]
    Clock.is_due = (  # type: ignore[method-assign]
        lambda clock, name, *every: name == "checkpoint" or is_due(clock, name, *every)
    )
    calls.install()


def all_points(run: Path, scene: str) -> list[dict[str, Any]]:
    """Every fault at every call that `aim` has listed."""
    calls = json.loads(Path(f"{run}.calls").read_text())
    return [
        {"scene": scene, "at": at, "fault": fault}
        for at, (name, _) in enumerate(calls)
        for fault in faults_of(name)
    ]


def signalled(
    data: Path, run: Path, kind: str, moment_s: float | None, number: int
) -> dict[str, Any]:
    """A run that is told to stop: the code it leaves with, and how long that takes.

    Args:
        data: The images.
        run: Its folder.
        kind: Of the run.
        moment_s: When; None: in the middle of something that takes long.
        number: Of the signal, by which its kind and the place are chosen.
    """
    place = list(SLOW)[number // 4 % len(SLOW)]
    sent = (signal.SIGTERM, signal.SIGINT)[(number + number // 16) % 2]
    marker = Path(f"{run}.slow")
    child = start(data, run, kind, lambda: _slow_at(place, marker) if moment_s is None else None)
    if moment_s is None:
        while not marker.exists() and not _has_ended(child):
            time.sleep(0.005)
        time.sleep(0.05)
    else:
        time.sleep(moment_s)
    os.kill(child, sent)
    begin = time.monotonic()
    code = ended(child)
    took_s = round(time.monotonic() - begin, 3)
    where = {"after_s": round(moment_s, 3)} if moment_s is not None else {"in": place}
    documented = (0, 75, 130) if moment_s is not None else SLOW[place]
    own = {"signal": sent.name, "first": code, "took_s": took_s, "documented": documented}
    return where | own


def _has_ended(child: int) -> bool:
    """Whether a process has, which is still to be waited for."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _slow_at(place: str, marker: Path) -> None:
    """From here on this takes long, the first time."""
    read, judged = LiveScore.read, gan_session.judged

    def long() -> None:
        marker.touch()
        until = time.monotonic() + SLOW_S
        while time.monotonic() < until:
            torch.ones(64, 64) @ torch.ones(64, 64)

    def slow_read(score: LiveScore, fake: Any) -> Any:
        is_last = _seen.get("images", 0) >= IMAGES
        if not marker.exists() and (is_last if place == "last score" else place == "score"):
            long()
        return read(score, fake)

    def slow_judged(*given: Any) -> Any:
        if place == "verdict":
            long()
        return judged(*given)

    def slow_report(*_: Any) -> None:
        long()

    _count_images()
    LiveScore.read = slow_read  # type: ignore[method-assign]
    gan_session.judged = slow_judged
    if place == "verdict":
        gan_session.UNFOLDED_STEPS = 0  # or there is none in so short a run
    if place == "report":
        afterwards._write = slow_report  # noqa: SLF001 - takes seconds, after longer runs only


_seen: dict[str, int] = {}


def _count_images() -> None:
    step = Trainer.step

    def stepped(trainer: Trainer, progress: float) -> Any:
        found = step(trainer, progress)
        _seen["images"] = trainer.images_seen
        return found

    Trainer.step = stepped  # type: ignore[method-assign]


PLACES = (
    *("generator", "discriminator", "average"),
    *("generator_optimizer", "discriminator_optimizer"),
    *("images", "latents"),
)


def nan_at(
    source: random.Random, run: Path, number: int
) -> tuple[dict[str, Any], Callable[[], None]]:
    """Where a number is no longer one, and what makes it so in the process of the run."""
    place = PLACES[number % len(PLACES)]
    step, share = source.randrange(1, IMAGES // BATCH), source.random()
    value = source.choice([float("nan"), float("inf"), -float("inf")])
    row = {"in": place, "step": step, "value": str(value)}

    def before() -> None:
        _watch_saving(run)
        made = Trainer.step

        def stepped(trainer: Trainer, progress: float) -> Any:
            is_there = trainer.images_seen == step * BATCH and not trainer.remedies.rollbacks
            if is_there and not trainer.attempt:
                _plant(trainer, place, share, value)
            return made(trainer, progress)

        Trainer.step = stepped  # type: ignore[method-assign]

    return row, before


@torch.no_grad()
def _plant(trainer: Trainer, place: str, share: float, value: float) -> None:
    if place == "images":
        take = trainer._take  # noqa: SLF001 - inside the step

        def spoilt(index: Any) -> Any:
            images, labels = take(index)
            images.view(-1)[int(share * images.numel())] = value
            trainer._take = take  # type: ignore[method-assign]  # noqa: SLF001 - once
            return images, labels

        trainer._take = spoilt  # type: ignore[method-assign]  # noqa: SLF001
        return
    if place == "latents":
        generate = trainer.backend.generate

        def spoilt_latents(generator: Any, latents: Any, labels: Any) -> Any:
            trainer.backend.generate = generate  # type: ignore[method-assign]
            latents = latents.clone()
            latents.view(-1)[int(share * latents.numel())] = value
            return generate(generator, latents, labels)

        trainer.backend.generate = spoilt_latents  # type: ignore[method-assign]
        return
    tensors = [
        tensor
        for name, tensor in _all_tensors(trainer).items()
        if name.startswith(f"{place}/") and tensor.numel() and not name.endswith("/step")
    ]
    tensor = tensors[int(share * len(tensors))]
    tensor.view(-1)[int(share * tensor.numel())] = value


def _all_tensors(trainer: Trainer) -> dict[str, torch.Tensor]:
    """As a checkpoint names them, but those that training works with and not copies."""
    found = {}
    for part in ("generator", "discriminator", "average"):
        for name, tensor in getattr(trainer, part).state_dict().items():
            found[f"{part}/{name}"] = tensor
    for part in ("generator_optimizer", "discriminator_optimizer"):
        optimizer = getattr(trainer, part)
        for number, state in enumerate(optimizer.state.values()):
            for name, tensor in state.items():
                found[f"{part}/{number}/{name}"] = tensor
    return {name: tensor for name, tensor in found.items() if tensor.is_floating_point()}


def _watch_saving(run: Path) -> None:
    """From here on a file beside the run says whether anything was saved that is not finite."""
    for module in (checkpoint, folder):
        packed = module.pack  # type: ignore[attr-defined]

        def pack(tensors: Any, packed: Callable[..., bytes] = packed) -> bytes:
            if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
                Path(f"{run}.poisoned").touch()
            return packed(tensors)

        module.pack = pack  # type: ignore[attr-defined]
