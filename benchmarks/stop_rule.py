"""How often the rule that ends a converged run is wrong, on simulated courses.

    python benchmarks/stop_rule.py

The distance is f + a n^-b at share n of the ceiling, read 100 times, with noise that is normal in
its logarithm and follows an autoregression of first order, since readings follow an average of the
weights. A run is ended wrongly where half as many images again would still have brought 10 % or
more; the rule asks for less than 5 %.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from provenance import provenance

from orthogan.gan.course import MORE_IMAGES, Course

RESULTS = Path(__file__).parent / "results" / "stop_rule.json"
READINGS = 100
WRONG = 0.1
COURSES = {
    "falls, b = 0.6": (0.0, 1.0, 0.6),
    "falls slowly, b = 0.3": (0.0, 1.0, 0.3),
    "nearly flat, b = 0.15": (0.0, 1.0, 0.15),
    "flattens": (1.0, 0.02, 2.0),
    "flat": (1.0, 0.0, 1.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200, help="of each kind")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    rows = [
        {"course": name, "noise": noise, "correlation": correlation}
        | outcome(course, noise, correlation, asked.runs)
        for name, course in COURSES.items()
        for noise in (0.02, 0.05)
        for correlation in (0.0, 0.5)
    ]
    asked.out.parent.mkdir(exist_ok=True)
    record = {"provenance": provenance(), "runs": asked.runs, "rows": rows}
    asked.out.write_text(json.dumps(record, indent=1) + "\n")
    for row in rows:
        print(row)


def outcome(
    course: tuple[float, float, float], noise: float, correlation: float, runs: int
) -> dict[str, Any]:
    stops = [stop(course, noise, correlation, seed) for seed in range(runs)]
    shares = [share for share, _ in stops if share < 1]
    return {
        "ended_early": len(shares) / runs,
        "median_share": float(np.median(shares)) if shares else None,
        "wrong": sum(left >= WRONG for share, left in stops if share < 1) / runs,
    }


def stop(
    course: tuple[float, float, float], noise: float, correlation: float, seed: int
) -> tuple[float, float]:
    """The share of the ceiling at which the rule ends a run, and what was still to be had."""
    source = np.random.default_rng(seed)
    floor, scale, power = course

    def distance(share: float) -> float:
        return floor + scale * share**-power

    found, error = Course(), noise * source.standard_normal()
    fresh = math.sqrt(1 - correlation**2)
    for at in range(1, READINGS + 1):
        share = at / READINGS
        found.add(10_000 * at, distance(share) * math.exp(error))
        error = correlation * error + fresh * noise * source.standard_normal()
        if found.is_settled:
            return share, 1 - distance(MORE_IMAGES * share) / distance(share)
    return 1.0, 0.0


if __name__ == "__main__":
    main()
