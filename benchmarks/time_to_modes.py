"""Stacked-MNIST: how long until all 1000 modes are met, and how even they get.

    python benchmarks/time_to_modes.py                                 # 600 s, one seed
    python benchmarks/time_to_modes.py --models stacked-mnist dcgan --seconds 1200 --seeds 3

The protocol of Metz et al. 2016: 26,000 generated images, each plane read by the digits extractor,
at least one image a mode, and the KL divergence of the class shares from uniform in nats. Sampling
alone adds 0.0193 to that, so it is given beside what as many real images score and corrected for
the sample size (Miller 1955). Training draws fresh triples of digits all the time.

Seconds are training seconds: the clock stands still while images are drawn and scored. A time is
that of the first mark at which the modes were all there, so marks are as fine as the times are.
The diffusion model, which takes many minutes to draw so many images, is scored at the end only.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from provenance import matmul_rate, provenance
from time_to_quality import MODELS, PEERS, RECIPES, Diffusion, Model, OurRecipe, build

from orthogan import data
from orthogan.evaluation import LiveScore, Reading
from orthogan.evaluation.modes import (
    PROTOCOL_SAMPLES,
    corrected_divergence,
    histogram_interval,
    uniform_shares,
)
from orthogan.images.grid import grid

RESULTS = Path(__file__).parent / "results"
MARKS_S = (
    *range(15, 120, 15),
    *range(120, 300, 30),
    *range(300, 600, 60),
    *range(600, 1800, 120),
    *range(1800, 14400, 600),
)
NUM_MODES = 1000
TARGETS = (900, 990, 1000)
CHOICES = ("stacked-mnist", *MODELS)


def kl_facts(reading: Reading, num_fakes: int, seed: int) -> dict[str, Any]:
    """The KL as published, corrected for the sample size, and the interval of the corrected one."""
    target = uniform_shares(NUM_MODES)
    counts = (torch.tensor(reading.class_shares, dtype=torch.float64) * num_fakes).round().long()
    statistic = partial(corrected_divergence, target=target)
    interval = histogram_interval(statistic, counts, seed)
    return {
        "modes": int(reading.modes or 0),
        "kl": reading.mode_kl,
        "kl corrected": statistic(counts),
        "kl corrected low": interval.low,
        "kl corrected high": interval.high,
        "fd": reading.distance,
    }


def run_curve(
    model: Model, seconds: float, score: LiveScore, seed: int, show: Callable[[str], None]
) -> dict[str, Any]:
    """Train for `seconds` and read the modes at each mark."""
    slow = isinstance(model, Diffusion)  # takes many minutes to draw the images of one mark
    marks = sorted({mark for mark in MARKS_S if mark < seconds and not slow} | {seconds})
    curve, trained_s, steps = [], 0.0, 0
    for mark in marks:
        while trained_s < mark:
            start = time.perf_counter()
            model.step(trained_s / seconds)
            trained_s += time.perf_counter() - start
            steps += 1
        start = time.perf_counter()
        fakes = model.sample(score.num_fakes)
        sampling_s = time.perf_counter() - start
        facts = kl_facts(score.read(fakes), score.num_fakes, seed)
        images = steps * model.batch_size
        point = {"seconds": round(trained_s, 2), "images": images}
        curve.append(point | facts | {"sampling_s": round(sampling_s, 2)})
        show(
            f"{trained_s:6.0f} s {images:9,} images  {facts['modes']:4} modes  KL {facts['kl']:.4f}"
        )
    return model.facts() | {
        "seed": seed,
        "curve": curve,
        "step_ms": 1000 * trained_s / steps,
        "images_per_second": steps * model.batch_size / trained_s,
        "seconds to": {str(target): first_time(curve, target) for target in TARGETS},
    }


def first_time(curve: list[dict[str, Any]], modes: int) -> float | None:
    """Seconds of the first point with so many modes; None if there is none."""
    return next((point["seconds"] for point in curve if point["modes"] >= modes), None)


def summarise(results: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Over seeds: how many reached all modes and when, and the last KL."""
    rows = {}
    for name, runs in results.items():
        times = [run["seconds to"][str(NUM_MODES)] for run in runs]
        reached = [seconds for seconds in times if seconds is not None]
        last = [run["curve"][-1] for run in runs]
        rows[name] = {
            "seeds": len(runs),
            "seeds that reached all modes": len(reached),
            # The median over all seeds: those that never arrived are later than any.
            "median seconds to all modes": _median(times),
            "least modes at the end": min(point["modes"] for point in last),
            "median kl at the end": statistics.median(point["kl"] for point in last),
            "median kl at the end, corrected": statistics.median(
                point["kl corrected"] for point in last
            ),
        }
    return rows


def _median(times: list[float | None]) -> float | None:
    middle = statistics.median_high(float("inf") if t is None else t for t in times)
    return None if middle == float("inf") else middle


def plot(results: dict[str, list[dict[str, Any]]], floors: dict[str, Any], path: Path) -> None:
    """Modes missed and KL against seconds, all logarithmic."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (above, below) = plt.subplots(2, 1, figsize=(8, 8), sharex=True, layout="constrained")
    colours = plt.rcParams["axes.prop_cycle"].by_key()["color"]
    for colour, (name, runs) in zip(colours, results.items(), strict=False):
        for index, run in enumerate(runs):
            seconds = [point["seconds"] for point in run["curve"]]
            style = {"color": colour, "label": name if index == 0 else None, "ms": 3}
            above.plot(seconds, [p["modes"] for p in run["curve"]], "o-", **style)
            below.plot(seconds, [p["kl"] for p in run["curve"]], "o-", **style)
    below.axhline(floors["kl"], color="grey", ls="--", lw=1, label="real images")
    above.axhline(floors["modes"], color="grey", ls="--", lw=1, label="real images")
    above.set(xscale="log", ylabel=f"modes of {NUM_MODES}", title="Stacked-MNIST, 26,000 images")
    below.set(xscale="log", yscale="log", xlabel="training seconds", ylabel="KL from uniform, nats")
    for axes in (above, below):
        axes.grid(visible=True, which="both", alpha=0.2)
        axes.legend()
    figure.savefig(path, dpi=120)


def make(name: str, seconds: float, seed: int, images: data.ImageSet, settings: list[str]) -> Model:
    """A model by name; `settings` are for our recipes."""
    if name in PEERS:
        return build(name, seconds, seed, images)
    recipe, *own = RECIPES.get(name, (name,))
    return OurRecipe(recipe, seconds, seed, images, *own, *settings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["stacked-mnist"], choices=CHOICES)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--fakes", type=int, default=PROTOCOL_SAMPLES)
    parser.add_argument("--set", nargs="*", default=[], help="settings for our recipes")
    parser.add_argument("--out", type=Path, default=RESULTS / "time_to_modes.json")
    asked = parser.parse_args()
    images = data.load("stacked-mnist")
    score = LiveScore(images, num_fakes=asked.fakes)
    floors = kl_facts(score.real, min(asked.fakes, len(images) // 2), 0)
    rates = {str(t).removeprefix("torch."): matmul_rate(t) for t in (torch.float32, torch.bfloat16)}
    results: dict[str, list[dict[str, Any]]] = {}
    for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
        for name in asked.models:
            print(f"{name}, seed {seed}", flush=True)
            model = make(name, asked.seconds, seed, images, asked.set)
            found = run_curve(
                model, asked.seconds, score, seed, lambda line: print(line, flush=True)
            )
            results.setdefault(name, []).append(found)
            picture = asked.out.with_name(f"{asked.out.stem}-{name}-{seed}.png")
            grid(model.sample(100)).save(picture)
            record = {
                "provenance": provenance(),
                "seconds": asked.seconds,
                "metric": score.name,
                "fakes": asked.fakes,
                "real images": floors,
                "matmul_gflops_per_second": rates,
                "summary": summarise(results),
                "models": results,
            }
            asked.out.parent.mkdir(exist_ok=True)
            asked.out.write_text(json.dumps(record, indent=1) + "\n")
    plot(results, floors, asked.out.with_suffix(".png"))
    print(json.dumps(record["summary"], indent=1))


if __name__ == "__main__":
    main()
