"""How much penalty pays: the weight and the fraction of pairs penalised, at equal time.

    python benchmarks/penalty.py                     # goes on where it stopped
    python benchmarks/penalty.py --data stacked-mnist --model stacked-mnist --images 20000 --seeds 3

A step with a smaller share is quicker, so a variant is shown as many more images as its step is
quicker than that of the first variant, timed in turns before the first training. Each variant is
trained once for each seed with the product's own trainer and the schedule of its own budget; the
distance is that of 10,000 images of the averaged generator. Seeds are paired: a variant is tested
by the logarithm of its distance over that of the first variant, one-sided, over seeds. Trainings
take one thread each, as many in parallel as there are cores: a budget in images does not feel the
load.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from pathlib import Path
from typing import Any

import torch
from attention_cost import compare
from one_thread_each import Runs, train_missing
from provenance import provenance

from orthogan import data
from orthogan.evaluation import LiveScore
from orthogan.gan.api import resolve
from orthogan.gan.trainer import Trainer
from orthogan.networks.sampling import sample_pixels
from orthogan.statistics.paired import paired_test

RESULTS = Path(__file__).parent / "results"
NUM_FAKES = 10_000
PROGRESS = 0.1
CPU = torch.device("cpu")
DEFAULT_VARIANTS = ("1 x 10", "0.5 x 10", "0.5 x 5")


def settings_of(variant: str) -> tuple[str, ...]:
    """The settings of `SHARE x WEIGHT` or `SHARE x WEIGHT to WEIGHT`.

    >>> settings_of("0.5 x 5 to 10")
    ('penalty.share=0.5', 'penalty.gamma_start=5', 'penalty.gamma_end=10')
    """
    share, weights = variant.split(" x ")
    start, _, end = weights.partition(" to ")
    return (
        f"penalty.share={share}",
        f"penalty.gamma_start={start}",
        f"penalty.gamma_end={end or start}",
    )


def speeds(asked: argparse.Namespace) -> dict[str, float]:
    """How many times quicker the step of each variant is than that of the first, in turns."""
    images = data.load(asked.data)
    trainers = {
        variant: Trainer(
            resolve(asked.data, model=asked.model, settings=settings_of(variant)), images, CPU
        )
        for variant in asked.variants
    }
    base = asked.variants[0]
    found = compare(
        {variant: lambda t=t: t.step(PROGRESS) for variant, t in trainers.items()}, asked
    )
    return {
        variant: 1.0 if variant == base else found[f"{base}_over"][variant]["median"]
        for variant in asked.variants
    }


def train(source: str, model: str, variant: str, images: int, seed: int) -> dict[str, float]:
    """The distance after so many images."""
    torch.set_num_threads(1)
    asked = resolve(source, model=model, images=images, seed=seed, settings=settings_of(variant))
    shown = data.load(source)
    trainer = Trainer(asked, shown, CPU)
    while trainer.images_seen < images:
        trainer.step(trainer.images_seen / images)
    score = LiveScore(shown, num_fakes=NUM_FAKES)
    return {
        "images": trainer.images_seen,
        "fd": score.distance(sample_pixels(trainer.average, range(NUM_FAKES))),
    }


def summarise(runs: Runs) -> dict[str, Any]:
    """Middle and extremes, and the ratio to the first variant with its one-sided p."""
    base, *_ = runs
    rows: dict[str, Any] = {}
    for variant, seeds in runs.items():
        distances = {seed: run["fd"] for seed, run in seeds.items()}
        rows[variant] = {
            "seeds": len(distances),
            "median": statistics.median(distances.values()),
            "low": min(distances.values()),
            "high": max(distances.values()),
        }
        shared = [seed for seed in distances if seed in runs[base]]
        if variant == base or len(shared) < 2:
            continue
        logs = [math.log(distances[seed] / runs[base][seed]["fd"]) for seed in shared]
        test = paired_test(logs)
        # Lower is better; the two-sided p is halved on the side that was hoped for.
        if test.t is not None:
            rows[variant]["p, one-sided"] = test.t / 2 if test.mean.value < 0 else 1 - test.t / 2
        rows[variant][f"distance over that of {base}"] = math.exp(test.mean.value)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variants", nargs="+", default=list(DEFAULT_VARIANTS))
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--model", default="attention-gan")
    parser.add_argument("--images", type=int, default=36_000, help="of the first variant")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=15, help="turns of the timing")
    parser.add_argument("--span", type=float, default=0.5, help="seconds a turn, at least")
    parser.add_argument("--out", type=Path, default=RESULTS / "penalty.json")
    asked = parser.parse_args()
    record: dict[str, Any] = json.loads(asked.out.read_text()) if asked.out.exists() else {}
    known, runs = record.get("speeds", {}), record.get("runs", {})
    if set(known) != set(asked.variants):
        known = speeds(asked)

    def save() -> None:
        record.update(
            provenance=provenance(),
            data=asked.data,
            model=asked.model,
            fakes=NUM_FAKES,
            speeds=known,
            summary=summarise({each: found for each, found in runs.items() if found}),
            runs=runs,
        )
        asked.out.write_text(json.dumps(record, indent=1) + "\n")

    jobs = {
        (variant, str(seed)): (
            asked.data,
            asked.model,
            variant,
            round(asked.images * known[variant]),
            seed,
        )
        for seed in range(asked.seeds)
        for variant in asked.variants
    }
    train_missing(train, jobs, runs, save)
    print(json.dumps(record["summary"], indent=1))


if __name__ == "__main__":
    main()
