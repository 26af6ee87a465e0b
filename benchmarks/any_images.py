"""Settings on image sets that nobody prepared, at equal processor time: scores and grids.

    python benchmarks/any_sets.py UNPACKED SETS        # once: makes the sets
    python benchmarks/any_images.py SETS --sets emoji icons --variants "" "penalty.gamma_start=2"

A variant is the default recipe with settings, separated by ", "; `""` is `orthogan train FOLDER`.
Each is shown as many images as one thread would be in `--seconds`, by the processor time of
its own steps, timed before: a busy machine makes that an estimate, so images and seconds stand
beside each score. Scores are those of 2,048 images of the averaged generator under the general
extractor; floors are those of real images. Trainings run one after the other on one thread; what
`results/any_images.json` holds is not run again. Grids lie in `--grids`.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from provenance import provenance

from orthogan import data
from orthogan.data import ImageSet
from orthogan.evaluation import evaluate_images
from orthogan.gan.api import resolve
from orthogan.gan.trainer import Trainer
from orthogan.images.encoding import png
from orthogan.images.grid import grid
from orthogan.networks.sampling import sample_pixels

RESULTS = Path(__file__).parent / "results"
CPU = torch.device("cpu")
NUM_FAKES = 2048
GRID_SEEDS = range(100)
TIMED_STEPS = 12


def settings_of(variant: str) -> tuple[str, ...]:
    """The settings of a variant.

    >>> settings_of("batch_size=32, augmentation.policy=cutout,colour")
    ('batch_size=32', 'augmentation.policy=cutout,colour')
    """
    return tuple(part.strip() for part in variant.split(", ") if part.strip())


def images_a_second(trainer: Trainer) -> float:
    """Of one thread's processor time, over steps in the middle of the budget."""
    seconds, batch = [], 0
    for _ in range(TIMED_STEPS):
        before, start = trainer.images_seen, time.process_time()
        trainer.step(0.5)
        seconds.append(time.process_time() - start)
        batch = trainer.images_seen - before
    return batch / statistics.median(seconds[2:])


def train(source: Path, variant: str, seconds: float, seed: int) -> tuple[Trainer, dict[str, Any]]:
    """The trainer at the end of the budget, and how it went."""
    torch.set_num_threads(1)
    settings = settings_of(variant)
    images = data.load(str(source))

    def trainer(budget: int) -> Trainer:
        config = resolve(source, images=budget, seed=seed, settings=settings)
        return Trainer(config, images, CPU)

    rate = images_a_second(trainer(1_000_000))
    budget = round(rate * seconds)
    trained = trainer(budget)
    start = time.process_time()
    while trained.images_seen < budget and not trained.watch.is_saturated:
        record = trained.step(trained.images_seen / budget)
    course = {
        "images": trained.images_seen,
        "images_a_second": round(rate, 1),
        "seconds": round(time.process_time() - start, 1),
        "verdict_of_the_watch": trained.watch.verdict,
        "last_step": record.numbers(),
        "parameters": [
            sum(weight.numel() for weight in network.parameters())
            for network in (trained.generator, trained.discriminator)
        ],
    }
    return trained, course


def scores(trained: Trainer, real: ImageSet) -> dict[str, Any]:
    """Each metric with its interval and floor."""
    fake = sample_pixels(trained.average, range(NUM_FAKES))
    found = evaluate_images(fake, real, extractor="general")
    return {
        name: {"value": score.value, "floor": score.floor} for name, score in found.scores.items()
    }


def save_grid(trained: Trainer, path: Path) -> None:
    """Ten by ten samples."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(grid(sample_pixels(trained.average, GRID_SEEDS))))


def main() -> None:
    """Train what is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+", default=["emoji", "icons", "letters"])
    parser.add_argument("--variants", nargs="+", default=[""])
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "any_images.json")
    parser.add_argument("--grids", type=Path, default=Path("grids"))
    asked = parser.parse_args()
    kept = json.loads(asked.out.read_text()) if asked.out.exists() else {"runs": {}}
    for name in asked.sets:
        (source,) = (p for p in asked.folder.iterdir() if p.stem == name)
        for variant in asked.variants:
            key = f"{name} | {variant or 'default'} | {asked.seconds:g} s | seed {asked.seed}"
            if key in kept["runs"]:
                continue
            trained, course = train(source, variant, asked.seconds, asked.seed)
            file = re.sub(r"[^\w.=+-]+", "_", key) + ".png"
            save_grid(trained, asked.grids / file)
            course["scores"] = scores(trained, data.load(str(source)))
            kept["runs"][key] = course
            kept["provenance"] = provenance()
            asked.out.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
            told = {m: round(s["value"], 3) for m, s in course["scores"].items()}
            print(key, course["images"], course["seconds"], told, flush=True)


if __name__ == "__main__":
    main()
