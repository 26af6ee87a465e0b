"""Ten seeds of the default recipe, 60 seconds each, through the product's own `train`.

    python benchmarks/ten_seeds.py
    python benchmarks/ten_seeds.py --seeds 5 --seconds 300 --out RESULTS/five_minutes.json
    python benchmarks/ten_seeds.py --seeds 1 --seconds 1800 --out RESULTS/half_hour.json

For each seed: the evaluation of 10,000 images, its verdict, the share of each digit class, and how
many times the distance of as many real images its distance is. A grid of each generator is written
beside the JSON, to be looked at.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from provenance import provenance

import orthogan
from orthogan.images.grid import grid

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--model", default="attention-gan")
    parser.add_argument("--keep", type=Path, help="folder for the runs; otherwise they are deleted")
    parser.add_argument("--out", type=Path, default=RESULTS / "ten_seeds.json")
    asked = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(asked.seeds):
            run = orthogan.train(
                model=asked.model,
                minutes=asked.seconds / 60,
                seed=seed,
                run=(asked.keep or Path(folder)) / str(seed),
                show_progress=False,
            )
            evaluation = orthogan.evaluate(run).to_dict()
            picture = grid(run.sample(range(100)))
            picture.save(asked.out.with_name(f"{asked.out.stem}-{seed}.png"))
            row = {"seed": seed, "images": run.images_seen, "seconds": run.seconds} | evaluation
            rows.append(row)
            shares = evaluation["class_shares"]
            print(f"seed {seed}: {evaluation['verdict']} {min(shares):.3f}..{max(shares):.3f}")
    frechet = [score for row in rows for name, score in row["scores"].items() if "fd[" in name]
    distances = [score["value"] for score in frechet]
    record = {
        "provenance": provenance(),
        "model": asked.model,
        "seconds": asked.seconds,
        "summary": {
            "fd median": statistics.median(distances),
            "fd worst": max(distances),
            "fd over its floor, median": statistics.median(
                score["value"] / score["floor"] for score in frechet
            ),
            "least class share": min(min(row["class_shares"]) for row in rows),
            "largest class share": max(max(row["class_shares"]) for row in rows),
        },
        "runs": rows,
    }
    asked.out.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record["summary"], indent=1))


if __name__ == "__main__":
    main()
