"""One minute on MNIST over seeds: our recipes and the plain DCGAN, seed by seed, in one process.

    python benchmarks/one_minute.py                     # 5 seeds; goes on where it stopped
    python benchmarks/one_minute.py --models dcgan attention-gan --seeds 10

Every run has the schedule of a minute and is scored at the marks of `time_to_quality.py`. For each
seed all models are trained one after the other, so that a slower hour of the machine weighs on all.
A ratio is that of the distances of one seed; stated are the median over the seeds and the extremes.
"""

from __future__ import annotations

import argparse
import json
import statistics
from functools import partial
from pathlib import Path
from typing import Any

from provenance import provenance
from time_to_quality import MODELS, NUM_FAKES, build, run_curve

from orthogan import data
from orthogan.evaluation import LiveScore

RESULTS = Path(__file__).parent / "results"
SECONDS = 60.0
PEER = "dcgan"
DEFAULT_MODELS = (PEER, "dcgan, classes", "attention-gan", "attention-gan, clusters")
AT_MARKS = (20, 60)

# By model, by seed: what `run_curve` found.
Runs = dict[str, dict[str, dict[str, Any]]]


def distance_at(run: dict[str, Any], mark: int) -> float:
    """The distance at the first point of a curve that is not before the mark."""
    found: float = next(point["fd"] for point in run["curve"] if point["seconds"] >= mark)
    return found


def spread(values: list[float]) -> dict[str, float]:
    """Median and extremes."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def summarise(runs: Runs) -> dict[str, Any]:
    """Distances at the marks, and how many times below those of the plain DCGAN they are."""
    rows: dict[str, Any] = {}
    for name, seeds in runs.items():
        rows[name] = {"seeds": len(seeds)}
        for mark in AT_MARKS:
            own = {seed: distance_at(run, mark) for seed, run in seeds.items()}
            rows[name][f"fd at {mark} s"] = spread(list(own.values()))
            peers = runs.get(PEER, {})
            ratios = [distance_at(peers[seed], mark) / own[seed] for seed in own if seed in peers]
            if name != PEER and ratios:
                rows[name][f"times below the {PEER} at {mark} s"] = spread(ratios)
    return rows


def read_runs(path: Path) -> Runs:
    """What earlier calls have found."""
    if not path.exists():
        return {}
    runs: Runs = json.loads(path.read_text())["runs"]
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=list(DEFAULT_MODELS), choices=MODELS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS / "one_minute.json")
    asked = parser.parse_args()
    images = data.load("mnist")
    score = LiveScore(images, num_fakes=NUM_FAKES)
    runs = read_runs(asked.out)
    for seed in range(asked.seeds):
        for name in asked.models:
            if str(seed) in runs.setdefault(name, {}):
                continue
            print(f"{name}, seed {seed}", flush=True)
            start = partial(build, name, SECONDS, seed, images)
            runs[name][str(seed)], _ = run_curve(start, SECONDS, score, partial(print, flush=True))
            record = {
                "provenance": provenance(),
                "seconds": SECONDS,
                "metric": score.name,
                "fakes": NUM_FAKES,
                "floor": score.floor,
                "summary": summarise({each: found for each, found in runs.items() if found}),
                "runs": runs,
            }
            asked.out.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(summarise(runs), indent=1))


if __name__ == "__main__":
    main()
