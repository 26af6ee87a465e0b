"""What the looks at the geometry cost: their share of the time of the steps between them.

    python benchmarks/signals.py

For each recipe one trainer at its defaults takes turns: `--steps` steps, then a look, `--rounds`
times over. The share is the time of a look over that of all steps from one look to the next,
`signals_every / batch_size` of them, at the median over the rounds; beside it the quartiles of
the share within a round, so that a slower minute of the machine weighs on both. The first round
warms up and is left out. On a GPU every span ends with a synchronisation. `watch_share` is the time
of the watch over the steps (`orthogan.gan.watch.eyes`) within those steps, over all of theirs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from provenance import matmul_rate, provenance

from orthogan import data
from orthogan.gan import api
from orthogan.gan.recipes import RECIPES
from orthogan.gan.signals import Signals
from orthogan.gan.trainer import Trainer

RESULTS = Path(__file__).parent / "results"
GOAL = 0.01
IMAGES = 1_000_000  # of the schedules; no run gets so far


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    parser.add_argument("--rounds", type=int, default=12, help="including the first, left out")
    parser.add_argument("--steps", type=int, default=20, help="steps a round")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=RESULTS / "signals.json")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    rows = {name: measure(name, asked) for name in asked.recipes}
    record = {
        "provenance": provenance(),
        "device": asked.device,
        "matmul_gflops": round(matmul_rate(torch.float32), 1),
        "rounds": asked.rounds - 1,
        "steps": asked.steps,
        "recipes": rows,
        "goal": {"share": GOAL, "met": all(row["share"] < GOAL for row in rows.values())},
    }
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record["goal"]))


def measure(recipe: str, asked: argparse.Namespace) -> dict[str, Any]:
    config = api.resolve("mnist", model=recipe, images=IMAGES)
    trainer = Trainer(config, data.load("mnist"), torch.device(asked.device))
    signals = Signals(config, trainer.images, trainer.precision)
    between = config.signals_every / config.batch_size

    watch_at = trainer._look  # noqa: SLF001 - the watch sits inside the step
    in_watch: list[float] = []

    def watch(*given: Any) -> None:
        in_watch.append(timed(lambda: watch_at(*given)))

    trainer._look = watch  # type: ignore[method-assign]  # noqa: SLF001

    def steps() -> None:
        for _ in range(asked.steps):
            trainer.step(trainer.images_seen / IMAGES)

    def look() -> None:
        signals.measure(trainer.generator, trainer.discriminator)

    pairs = []
    for _ in range(asked.rounds):
        if len(pairs) == 1:
            in_watch.clear()  # the first round warms up
        pairs.append((timed(steps) / asked.steps, timed(look)))
    pairs = pairs[1:]
    step_s, look_s = (statistics.median(column) for column in zip(*pairs, strict=True))
    low, _, high = statistics.quantiles([one / (between * step) for step, one in pairs], n=4)
    row = {
        "precision": trainer.precision,
        "step_ms": round(1e3 * step_s, 2),
        "look_ms": round(1e3 * look_s, 2),
        "steps_between_looks": between,
        "share": round(look_s / (between * step_s), 5),
        "share_quartiles": [round(low, 5), round(high, 5)],
        "watch_share": round(sum(in_watch) / sum(asked.steps * step for step, _ in pairs), 5),
    }
    print(recipe, row, flush=True)
    return row


def timed(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
