"""Which planted failures the watch sees, how soon, and how often it is wrong about healthy runs.

    python benchmarks/sick_runs.py run --seeds 0-3
    python benchmarks/sick_runs.py learn

`run` trains small networks on small sets (`planted_failures.py`) and writes every look of every run
to a file of lines; a run that is there already is skipped, so that it can be stopped and repeated.
Nothing is decided meanwhile: no run is rolled back or restarted. `learn` takes the thresholds from
the runs of even seeds and reports, on the runs of odd seeds, what the watch of
`orthogan.gan.watch` with those thresholds would have found and when.
"""

from __future__ import annotations

import argparse
import json
import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from planted_failures import HEALTHY, PLANTS, SETS, SMALL
from provenance import provenance
from sick_learning import findings, learned, report, with_thresholds

from orthogan import data
from orthogan.data import ImageSet
from orthogan.errors import DivergedError
from orthogan.evaluation.frechet import frechet_distance, moments
from orthogan.evaluation.live import gap_of
from orthogan.gan.recipes import RECIPES
from orthogan.gan.signals import Signals
from orthogan.gan.task import GanTask
from orthogan.gan.trainer import Trainer
from orthogan.gan.watch.geometry_signs import geometry_signs
from orthogan.networks.sampling import sample_pixels

RESULTS = Path(__file__).parent / "results" / "sick_runs.json"
BATCH, STEPS = 16, 192
MIDWAY = 72  # steps before what is planted midway
GEOMETRY_EVERY, READ_EVERY = 24, 48  # steps
NUM_FAKES, NUM_COMPONENTS = 512, 32
FULL, FULL_STEPS = "mnist at full size", 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["run", "full", "learn"])
    parser.add_argument("--seeds", default="0-3")
    parser.add_argument("--part", default="0/1", help="of the runs, for one of several processes")
    parser.add_argument("--lines", type=Path, nargs="+", required=True, help="files of looks")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    first, last = map(int, asked.seeds.split("-"))
    if asked.what != "learn":
        names = runs(range(first, last + 1)) if asked.what == "run" else full_runs(first, last)
        part, of = map(int, asked.part.split("/"))
        run_all(asked.lines[0], names, (part, of))
        return
    found = read_lines(asked.lines)
    record = {"provenance": provenance(), **learn(found)}
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_text(json.dumps(record, indent=1) + "\n")
    for plant, row in record["reported"].items():
        print(plant, row)


def learn(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Thresholds from even seeds, and what they find in odd ones."""
    whole = list({tuple(each["run"]): each for each in found}.values())
    once = [each for each in whole if each["run"][1] != FULL]
    full = [each for each in whole if each["run"][1] == FULL]
    halves = [[each for each in once if each["run"][3] % 2 == half] for half in (0, 1)]
    thresholds = learned(halves[0])
    rows = with_thresholds(thresholds)
    return {
        "setup": {
            "batch": BATCH,
            "steps": STEPS,
            "planted_midway_at": MIDWAY,
            "sets": list(SETS),
            "seeds": [sorted({each["run"][3] for each in half}) for half in halves],
            "runs": [len(half) for half in halves],
        },
        "thresholds": thresholds,
        "full_size": {
            "steps": FULL_STEPS,
            "runs": [" ".join(map(str, each["run"][2:])) for each in full],
            "findings": [findings(each, rows) for each in full],
        },
        "learned_from": report(halves[0], rows, MIDWAY, BATCH),
        "reported": report(halves[1], rows, MIDWAY, BATCH),
    }


def run_all(
    lines: Path, names: Iterable[tuple[str, str, str, int]], parts: tuple[int, int]
) -> None:
    done = {tuple(each["run"]) for each in read_lines([lines])}
    for name in names:
        if name in done or zlib.crc32(repr(name).encode()) % parts[1] != parts[0]:
            continue
        done.add(name)
        start = time.perf_counter()
        looked = healthy_of_full_size if name[1] == FULL else trained
        record = {"run": name, **looked(*name), "seconds": round(time.perf_counter() - start, 1)}
        with lines.open("a") as file:
            file.write(json.dumps(record) + "\n")
        print(*name, record["ended"], record["readings"][-1:], record["seconds"], flush=True)


def read_lines(files: list[Path]) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for file in files
        if file.exists()
        for line in file.read_text().splitlines()
    ]


def runs(seeds: range) -> Iterator[tuple[str, str, str, int]]:
    """What is planted, the set, the recipe and the seed of each run; all recipes if healthy.

    Two seeds at a time, one to learn from and one to report; and turn by turn another set for each
    plant, so that a grid that was stopped has something of everything.
    """
    kinds = [(HEALTHY, recipe) for recipe in SMALL]
    kinds += [(plant, "attention-gan") for plant in PLANTS if plant != HEALTHY]
    sets = list(SETS)
    for first in range(seeds.start, seeds.stop, 2):
        pair = range(first, min(first + 2, seeds.stop))
        yield from ((HEALTHY, of, "attention-gan", seed) for of in sets for seed in pair)
        for turn in range(len(sets)):
            for at, (plant, recipe) in enumerate(kinds):
                yield from ((plant, sets[(at + turn) % len(sets)], recipe, seed) for seed in pair)


def full_runs(first: int, last: int) -> list[tuple[str, str, str, int]]:
    """Healthy runs of the recipes as they are, on MNIST."""
    seeds = range(first, last + 1)
    return [(HEALTHY, FULL, recipe, seed) for seed in seeds for recipe in SMALL]


def healthy_of_full_size(_plant: str, _of: str, recipe: str, seed: int) -> dict[str, Any]:
    """The looks of the first steps of a recipe at its defaults."""
    images, unseen = data.load("mnist"), data.load("mnist", split="test")
    config = RECIPES[recipe]().evolve(f"seed={seed}", "budget={images: 100000}")
    trainer = Trainer(GanTask().fit(config, images), images, torch.device("cpu"), unseen=unseen)
    looks = []
    for _ in range(FULL_STEPS):
        trainer.step(trainer.images_seen / 100_000)
        if trainer.watch.has_measured:
            looks.append({"step": trainer.watch.steps} | rounded(trainer.eyes.latest))
    empty: dict[str, Any] = {"geometry": [], "readings": [], "saturated": None, "gap": 1.0}
    return empty | {"looks": looks, "ended": "done", "steps": FULL_STEPS}


def trained(plant: str, of: str, recipe: str, seed: int) -> dict[str, Any]:
    """Every look of one run, its readings, and how it ended."""
    planted, (images, unseen) = PLANTS[plant], SETS[of](seed)
    images = planted.images(images)
    config = RECIPES[recipe]().evolve(
        *SMALL[recipe],
        f"batch_size={BATCH}",
        f"budget={{images: {STEPS * BATCH}}}",
        *("precision=float32", f"seed={seed}", *planted.settings),
    )
    config = GanTask().fit(config, images)
    trainer = Trainer(config, images, torch.device("cpu"), unseen=unseen)
    planted.at_start(trainer)
    signals, score = Signals(config, images, trainer.precision), Distance(images, unseen)
    found: dict[str, list[Any]] = {"looks": [], "geometry": [], "readings": []}
    saturated, ended = None, "done"
    for step in range(STEPS):
        if step == MIDWAY and planted.midway is not None:
            planted.midway(trainer)
        try:
            trainer.step(step / STEPS)
        except DivergedError:
            ended = "not finite"
            break
        place = {"step": step + 1}
        if trainer.watch.has_measured:
            found["looks"].append(place | rounded(trainer.eyes.latest))
            if saturated is None and trainer.watch.is_saturated:
                saturated = step + 1
        if (step + 1) % GEOMETRY_EVERY == 0:
            look = signals.measure(trainer.generator, trainer.discriminator)
            found["geometry"].append(place | rounded(geometry_signs(look)))
        if (step + 1) % READ_EVERY == 0:
            found["readings"].append(place | rounded(score.read(trainer)))
    return found | {"gap": score.gap, "saturated": saturated, "ended": ended, "steps": step + 1}


def rounded(signs: dict[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.4g}") for name, value in signs.items()}


class Distance:
    """Frechet distance in the principal components of real pixels.

    Cheap, and blind to nothing that is planted here but labels.
    """

    def __init__(self, images: ImageSet, unseen: ImageSet) -> None:
        pixels = _rows(unseen.images)
        _, vectors = torch.linalg.eigh(pixels.T.cov())
        self.directions = vectors[:, -NUM_COMPONENTS:]
        trained = _rows(images.images) @ self.directions
        self.unseen, self.trained = moments(pixels @ self.directions), moments(trained)
        self.gap = gap_of(trained, pixels @ self.directions)

    def read(self, trainer: Trainer) -> dict[str, float]:
        fakes = sample_pixels(trainer.average, range(NUM_FAKES))
        trainer.average.train()
        found = moments(_rows(fakes) @ self.directions)
        return {
            "distance": frechet_distance(found, self.unseen),
            "to_trained": frechet_distance(found, self.trained),
        }


def _rows(pixels: torch.Tensor) -> torch.Tensor:
    return pixels.flatten(1).float() / 127.5 - 1


if __name__ == "__main__":
    main()
