"""A packed set beside a set in memory: time to the first step, memory, time of a step.

    python benchmarks/packed.py                   # 5,000,000 images of 32 x 32 RGB: 15.4 GB
    python benchmarks/packed.py --images 200000   # the same, smaller

The set is made of random bytes in a temporary folder, and removed at the end. Each measurement is
a process of its own. Steps of the two kinds take turns, so that both feel the same load; the cold
ones come first, after the system was told to forget the shards.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from provenance import provenance

from orthogan.data import ImageSet, load
from orthogan.data.facts import Facts
from orthogan.data.packed.images import MOST_SAMPLED
from orthogan.data.packed.writing import CHUNK, packing
from orthogan.files import write_json
from orthogan.gan.recipes import RECIPES
from orthogan.gan.task import GanTask
from orthogan.gan.trainer import Trainer

SIZE, COLOURS, CLASSES = 32, 3, 10
IN_MEMORY = 20_000  # images of the set that is held in memory
WARM_UP, PROGRESS = 5, 0.1


def make(out: Path, num_images: int) -> float:
    """Writes the set; the seconds that takes."""
    start, draws = time.perf_counter(), np.random.default_rng(0)
    names = [f"class {number}" for number in range(CLASSES)]
    with packing(out, SIZE, COLOURS) as writer:
        for begin in range(0, num_images, CHUNK):
            count = min(CHUNK, num_images - begin)
            pixels = draws.integers(0, 256, (count, COLOURS, SIZE, SIZE), dtype=np.uint8)
            writer.add(torch.from_numpy(pixels))
        writer.finish(torch.arange(num_images) % CLASSES, names, [], Facts())
    return time.perf_counter() - start


def forget(folder: Path) -> None:
    """Takes the files of a folder out of the memory of the system."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def trainer_of(images: ImageSet) -> Trainer:
    """A default run of these images; nothing is held out, so that both kinds do the same."""
    config = RECIPES["attention-gan"]().evolve("augmentation.policy=none", "condition=classes")
    return Trainer(GanTask().fit(config, images), images, torch.device("cpu"))


def step_times(trainer: Trainer, count: int) -> list[float]:
    """Seconds of each of so many steps."""
    found = []
    for _ in range(count):
        start = time.perf_counter()
        trainer.step(PROGRESS)
        found.append(time.perf_counter() - start)
    return found


def measure(path: Path, steps: int) -> dict[str, Any]:
    """What this process, which has done nothing else, finds of a packed set."""
    torch.set_num_threads(1)
    bare = memory_mb()
    forget(path)
    start = time.perf_counter()
    images = load(path)
    loaded = time.perf_counter()
    trainer = trainer_of(images)
    built = time.perf_counter()
    trainer.step(PROGRESS)
    first = time.perf_counter()
    cold = step_times(trainer, steps)
    index = trainer.order.batch(0, 64)
    reading = []
    for place in range(200):
        index = trainer.order.batch(64 * place, 64)
        begin = time.perf_counter()
        images.take(index)
        reading.append(time.perf_counter() - begin)
    return {
        "images": images.num_images,
        "load_s": loaded - start,
        "to_first_step_s": built - start,
        "first_step_s": first - built,
        "memory_of_imports_mb": bare,
        "memory_mb": memory_mb(),
        "step_cold_ms": 1e3 * float(np.median(cold)),
        "read_batch_ms": 1e3 * float(np.median(reading)),
    }


def compare(path: Path, steps: int) -> dict[str, Any]:
    """Steps on the packed set and on images in memory, in turns."""
    torch.set_num_threads(1)
    packed = load(path)
    held = packed.only(torch.arange(min(IN_MEMORY, packed.num_images)))
    both = {"packed": trainer_of(packed), "in_memory": trainer_of(held)}
    times: dict[str, list[float]] = {name: [] for name in both}
    for trainer in both.values():
        step_times(trainer, WARM_UP)
    for _ in range(steps):
        for name, trainer in both.items():
            times[name] += step_times(trainer, 1)
    medians = {name: 1e3 * float(np.median(values)) for name, values in times.items()}
    pairs = np.array(times["packed"]) / np.array(times["in_memory"])
    return {
        "step_packed_ms": medians["packed"],
        "step_in_memory_ms": medians["in_memory"],
        "ratio_of_medians": medians["packed"] / medians["in_memory"],
        "median_ratio_of_pairs": float(np.median(pairs)),
        "steps": steps,
    }


def memory_mb() -> float:
    """The most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=5_000_000)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results/packed.json")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--compare", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if path := given.measure or given.compare:
        print(json.dumps((measure if given.measure else compare)(path, given.steps)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set.orthogan"
        seconds = make(path, given.images)
        print(f"made in {seconds:.0f} s", flush=True)
        found: dict[str, Any] = {"pack_s": seconds}
        found["gigabytes"] = sum(each.stat().st_size for each in path.iterdir()) / 1e9
        for kind in ("--measure", "--compare"):
            words = [sys.executable, __file__, kind, str(path), "--steps", str(given.steps)]
            done = subprocess.run(words, check=True, capture_output=True, text=True)
            found |= json.loads(done.stdout.splitlines()[-1])
            print(json.dumps(found, indent=1), flush=True)
    write_json(given.out, {"provenance": provenance(), "sampled": MOST_SAMPLED, **found})


if __name__ == "__main__":
    main()
