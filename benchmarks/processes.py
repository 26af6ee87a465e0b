"""What several processes cost and gain on this machine, and what more devices would give.

Four questions, asked in turns so that a busy minute meets all answers alike: what does the launcher
add to a command; how do two processes of one thread each compare with one process of two threads;
how long are steps of 1, 2 and 4 processes beside the formula of `process_plan`; what does that
formula say of 8, 64 and 1,024 devices.

    python benchmarks/processes.py     # about three minutes on two idle cores
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from process_parity import in_processes
from process_plan import DEVICES, LINKS, SIZES, Device, fitted, plan
from provenance import provenance
from torch import distributed as dist

from orthogan.data import load
from orthogan.gan import api
from orthogan.gan.trainer import Trainer
from orthogan.parallel import ALONE, Ranks
from orthogan.training.cores import usable_cores

RESULTS = Path(__file__).parent / "results" / "processes.json"
BATCH, BATCHES = 64, (16, 32, 64)
COUNTS = (1, 2, 4)
TURNS, STEPS, WARMUP = 8, 6, 2
LAUNCHES, LAUNCHED_IMAGES = 3, 1280


def trainer_of(batch: int, ranks: Ranks) -> Trainer:
    """The default recipe on MNIST, in float32."""
    settings = (f"batch_size={batch}", "precision=float32", "condition=classes")
    config = api.resolve("mnist", images=10_000, settings=settings)
    return Trainer(config, load("mnist"), torch.device("cpu"), ranks=ranks)


def timed(step: Callable[[], object], steps: int = STEPS) -> float:
    """Seconds of a step."""
    started = time.perf_counter()
    for _ in range(steps):
        step()
    return (time.perf_counter() - started) / steps


class Led:
    """Takes steps in the first process, which the others follow.

    Args:
        ranks: This process among them.
        threads: Of each process.
    """

    def __init__(self, ranks: Ranks, threads: int) -> None:
        self.trainer, self.ranks, self.threads = trainer_of(BATCH, ranks), ranks, threads

    def __call__(self) -> None:
        torch.set_num_threads(self.threads)
        with self.ranks.step(self.trainer, 0.5):
            self.trainer.step(0.5)


def measure(ranks_of: Callable[[], Ranks], threads: int, path: Path) -> None:
    """In the first process: steps of all beside those of one alone, and the sum of gradients.

    Args:
        ranks_of: Makes this process one of several.
        threads: Of the process that is alone.
        path: Where it is written, as JSON.
    """
    ranks = ranks_of()
    together = Led(ranks, 1)
    parameters = [
        sum(weight.numel() for weight in network.parameters())
        for network in (together.trainer.generator, together.trainer.discriminator)
    ]
    flat = torch.zeros(sum(parameters) // 2)
    sums_s = [_sum_s(flat) for _ in range(TURNS)]
    if not ranks.is_first:
        torch.set_num_threads(1)
        ranks.follow(together.trainer)
        return
    alone = Led(ALONE, threads)
    for _ in range(WARMUP):
        together()
        alone()
    turns = [(timed(together), timed(alone)) for _ in range(TURNS)]
    ranks.end({})
    found = {
        "processes": ranks.count,
        "step_s": statistics.median(own for own, _ in turns),
        f"step_s, one process of {threads} threads": statistics.median(each for _, each in turns),
        "speed beside one process": statistics.median(each / own for own, each in turns),
        "turns": turns,
        "sum of one network's gradients_s": statistics.median(sums_s),
        "parameters of each network": parameters,
    }
    path.write_text(json.dumps(found), encoding="utf-8")


def _sum_s(flat: torch.Tensor) -> float:
    dist.barrier()
    return timed(lambda: dist.all_reduce(flat))


def several(count: int, threads: int) -> dict[str, Any]:
    """What `measure` finds with so many processes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found.json"
        in_processes(count, measure, (threads, path))
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def device_here() -> Device:
    """One core of this machine, from steps of several batches in turns."""
    trainers = {batch: trainer_of(batch, ALONE) for batch in BATCHES}
    torch.set_num_threads(1)
    for trainer in trainers.values():
        trainer.step(0.5)
    turns = [
        [timed(lambda trainer=trainer: trainer.step(0.5), 3) for trainer in trainers.values()]
        for _ in range(TURNS // 2)
    ]
    seconds = [statistics.median(each) for each in zip(*turns, strict=True)]
    return fitted(list(BATCHES), seconds)


def launches() -> dict[str, float]:
    """Seconds of a command, started plainly and by the launcher with one process, in turns."""
    spent: dict[str, list[float]] = {"plain": [], "launcher": []}
    steps: dict[str, list[float]] = {"plain": [], "launcher": []}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(LAUNCHES):
            for kind, more in (("plain", []), ("launcher", ["--processes", "1"])):
                run = f"{folder}/{kind}{turn}"
                words = ["train", "mnist", "--images", str(LAUNCHED_IMAGES), "--run", run]
                words += ["--threads", "1", "--json", *more]
                started = time.perf_counter()
                done = subprocess.run(
                    [sys.executable, "-m", "orthogan", *words],
                    capture_output=True,
                    check=True,
                    env=os.environ | {"ORTHOGAN_CACHE": folder},
                )
                spent[kind].append(time.perf_counter() - started)
                steps[kind].append(float(json.loads(done.stdout)["seconds"]))
    before = statistics.median(
        (launched - launched_run) - (plain - plain_run)
        for launched, launched_run, plain, plain_run in zip(
            spent["launcher"], steps["launcher"], spent["plain"], steps["plain"], strict=True
        )
    )
    within = statistics.median(
        launched / plain for launched, plain in zip(steps["launcher"], steps["plain"], strict=True)
    )
    return {
        "start, more seconds": before,
        "start, fraction of a run of 5 minutes": before / 300,
        "seconds of training beside the plain command": within,
    }


def predicted(device: Device, found: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """Measured steps beside the formula; processes share the cores, and sums are as measured."""
    cores, rows = usable_cores(), []
    for each in found:
        count = each["processes"]
        turns_a_core = max(1.0, count / cores)
        own = turns_a_core * device.seconds(BATCH / count)
        expected = own + 2 * each["sum of one network's gradients_s"] * (count > 1)
        rows.append(
            {
                "processes": count,
                "measured_s": each["step_s"],
                "formula_s": expected,
                "measured beside formula": each["step_s"] / expected,
            }
        )
    return rows


def plans(device: Device, parameters: float) -> dict[str, dict[str, list[dict[str, float]]]]:
    """For each size of the model and each link, what more devices like this core give."""
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    for size, times in SIZES.items():
        grown = Device(fixed_s=device.fixed_s * times, image_s=device.image_s * times)
        found[size] = {
            name: plan(grown, link, parameters * times, BATCH, DEVICES)
            for name, link in LINKS.items()
        }
    return found


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=RESULTS)

    asked = parser.parse_args()
    torch.set_num_threads(1)  # a process that has had threads cannot be forked into one that has
    found = [several(count, threads=2) for count in COUNTS if count > 1]
    device = device_here()
    one = {
        "processes": 1,
        "step_s": device.seconds(BATCH),
        "sum of one network's gradients_s": 0.0,
    }
    parameters = statistics.mean(found[0]["parameters of each network"])
    record = {
        "provenance": provenance(),
        "batch": BATCH,
        "launcher": launches(),
        "steps": found,
        "one core": vars(device),
        "formula": predicted(device, [one, *found]),
        "bytes a step and network": parameters * 4,
        "links": {name: vars(link) for name, link in LINKS.items()},
        "plan": plans(device, parameters),
    }
    summary = {
        "two processes beside one of two threads": found[0]["speed beside one process"],
        **record["launcher"],
    }
    text = json.dumps(record | {"summary": summary}, indent=2)
    asked.out.write_text(text + "\n", encoding="utf-8")
    print(json.dumps(summary, indent=2))


if __name__ == "__main__":
    main()
