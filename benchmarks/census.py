"""Times the exact flip count of a BERT-sized table and checks it against brute force.

    python benchmarks/census.py

The table is drawn from a seed: clusters of tokens, a few directions of large variance, a common
mean, lengths of unequal size and a block of near duplicates (unused tokens), as in trained tables.
The roofline is the Gram product at the best rate of matrix products in the same process: half of
it, since it is symmetric. The whole product in plain strips is timed beside it. A sub-table is
counted again in float64 by brute force: every other token at every position.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import torch
from provenance import matmul_rate, provenance

from orthogan.geometry import count_flips
from orthogan.rng import stream

RESULTS = Path(__file__).parent / "results"
NEAR_DUPLICATES = 1 / 30  # share of the tokens; 994 of BERT's 30,522 are unused
STRIP_ROWS = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=30_522)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--positions", type=int, default=512)
    parser.add_argument("--checked", type=int, default=2000, help="tokens counted by brute force")
    parser.add_argument("--scales", type=float, nargs="+", default=[1.0, 4.0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "census.json")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    record = measure(asked)
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_text(json.dumps(record, indent=1) + "\n")
    print(
        json.dumps(
            {name: record[name] for name in ("equal", "roofline_s", "gram_s", "peak_gib", "runs")}
        )
    )
    sys.exit(0 if record["equal"] else 1)


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """The flip count at each scale of the codes, the roofline beside it, the check."""
    tokens = token_table(asked.tokens, asked.width, asked.seed)
    codes = position_codes(asked.positions, asked.width, asked.seed)
    runs = [time_count(tokens, scale * codes, scale) for scale in asked.scales]
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    gram_s = time_gram(tokens)
    rate = matmul_rate(torch.float32)
    roofline_s = asked.tokens * (asked.tokens + 1) * asked.width / rate / 1e9
    for run in runs:
        run["achieved_fraction"] = round(roofline_s / run["seconds"], 3)
    rows = torch.linspace(0, asked.tokens - 1, min(asked.checked, asked.tokens)).long()
    checks = [check(tokens[rows], scale * codes, scale) for scale in asked.scales]
    return {
        "provenance": provenance(),
        "tokens": asked.tokens,
        "width": asked.width,
        "positions": asked.positions,
        "pairs": asked.tokens * asked.positions,
        "seed": asked.seed,
        "matmul_gflops": round(rate, 1),
        "roofline_s": round(roofline_s, 2),
        "gram_s": round(gram_s, 2),
        "peak_gib": round(peak_gib, 2),
        "equal": all(one["equal"] for one in checks),
        "runs": runs,
        "checks": checks,
    }


def token_table(num: int, width: int, seed: int) -> torch.Tensor:
    """Clustered and anisotropic, with a common mean and a block of near duplicates; |e| near 1."""
    source = stream(seed, "benchmark-tokens")

    def normal(*shape: int) -> torch.Tensor:
        return torch.from_numpy(source.standard_normal(shape)).float()

    centres = normal(max(num // 20, 1), width)
    member = torch.from_numpy(source.integers(len(centres), size=num))
    table = centres[member] + normal(num, width)
    table *= torch.linspace(0, 1, width).mul(-3).exp().sqrt()  # variances fall twentyfold
    table /= table.norm(dim=1).mean()
    table += 0.4 * normal(width) / width**0.5
    table *= 1 + 0.15 * normal(num, 1).clamp(-3, 3)
    unused = int(NEAR_DUPLICATES * num)
    table[:unused] = table[:1] + 0.1 * normal(unused, width) / width**0.5
    return table


def position_codes(num: int, width: int, seed: int) -> torch.Tensor:
    """A random walk that returns to its mean: neighbours alike, lengths near 0.4."""
    source = stream(seed, "benchmark-codes")
    steps = torch.from_numpy(source.standard_normal((num, width))).float()
    steps *= torch.linspace(0, 1, width).mul(-6).exp().sqrt()
    codes = torch.empty_like(steps)
    place = steps[0]
    for t, step in enumerate(steps):
        place = 0.98 * place + 0.2 * step
        codes[t] = place
    return 0.4 * codes / codes.norm(dim=1).mean()


def time_gram(tokens: torch.Tensor) -> float:
    """Seconds of the whole Gram product in strips, into the same memory each time."""
    out = torch.empty(STRIP_ROWS, len(tokens))
    begin = time.perf_counter()
    for rows in tokens.split(STRIP_ROWS):
        torch.mm(rows, tokens.T, out=out[: len(rows)])
    return time.perf_counter() - begin


def time_count(tokens: torch.Tensor, codes: torch.Tensor, scale: float) -> dict[str, Any]:
    begin = time.perf_counter()
    found = count_flips(tokens, codes)
    seconds = time.perf_counter() - begin
    print(f"scale {scale}: {found.flips} flips in {seconds:.1f} s", file=sys.stderr, flush=True)
    return {
        "scale": scale,
        "seconds": round(seconds, 2),
        "flips": found.flips,
        "kept": found.kept,
        "certified": found.certified,
        "tolerance": found.tolerance,
    }


def check(tokens: torch.Tensor, codes: torch.Tensor, scale: float) -> dict[str, Any]:
    """The flip count of a sub-table, and the same count by all float64 margins of all tokens."""
    begin = time.perf_counter()
    table = tokens.double()
    gaps = torch.cdist(table, table, compute_mode="donot_use_mm_for_euclid_dist").square() / 2
    gaps.fill_diagonal_(torch.inf)
    pulls = table @ codes.double().T
    flips = torch.zeros(len(table), len(codes), dtype=torch.bool)
    closest, leads = torch.inf, torch.empty_like(gaps)
    for t, pull in enumerate(pulls.T.contiguous()):
        best = torch.sub(pull, gaps, out=leads).amax(1) - pull
        flips[:, t] = best > 0
        closest = min(closest, float(best.abs().min()))
    seconds = time.perf_counter() - begin
    found = count_flips(tokens, codes)
    same = torch.equal(found.flips_per_token, flips.sum(1))
    same = same and torch.equal(found.flips_per_position, flips.sum(0))
    # Were the closest call within float64 rounding, brute force itself would be in doubt.
    return {
        "scale": scale,
        "tokens": len(table),
        "flips": found.flips,
        "brute_force": int(flips.sum()),
        "brute_force_s": round(seconds, 2),
        "closest_call": closest,
        "equal": same,
    }


if __name__ == "__main__":
    main()
