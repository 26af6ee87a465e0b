"""The table of the race in benchmarks/README.md, made from the committed JSON.

    python benchmarks/race_table.py            # prints it
    python benchmarks/race_table.py --write    # puts it into benchmarks/README.md

A test holds the document to it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from marked_block import print_or_write

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
MARKS_S = (20, 60, 300)
SLACK_S = 1.5
PEERS = {"dcgan": "plain DCGAN", "ddpm": "small DDPM"}


def table() -> str:
    """The block between the two marks, marks included."""
    run = json.loads((RESULTS / "time_to_quality.json").read_text())
    minute = json.loads((RESULTS / "one_minute.json").read_text())["summary"]["attention-gan"]
    head = " | ".join(f"{mark} s" for mark in MARKS_S)
    made = run["provenance"]
    caption = (
        f"Frechet distance to MNIST after so many seconds of training on {made['threads']} cores "
        f"(`{run['metric']}`, {run['fakes']:,} images; the same number of real images scores "
        f"{run['floor']:.3f}; one run, seed {run['seed']}):"
    )
    times = minute["times below the dcgan at 60 s"]
    race = (
        f"Beside that DCGAN in a race of a minute, with classes, over {minute['seeds']} seeds: "
        f"{minute['fd at 20 s']['median']:.2f} after 20 s, "
        f"{minute['fd at 60 s']['median']:.2f} after 60 s, {times['median']:.0f} times below it "
        f"({times['low']:.0f} to {times['high']:.0f})."
    )
    lines = [
        caption,
        "",
        f"| | conditioned on | {head} | seconds to the DCGAN's distance at 300 s | images/s |",
        "|---|" + "---|" * (len(MARKS_S) + 3),
        *(_row(name, result, run["summary"]) for name, result in _best_first(run["models"])),
        "",
        race,
        "",
        "![distance against seconds](results/time_to_quality.png)",
    ]
    return "\n".join(["<!-- race -->", *lines, "<!-- end of race -->"])


def _row(name: str, result: dict[str, Any], summary: dict[str, Any]) -> str:
    cells = [_at(result["curve"], mark) for mark in MARKS_S]
    reached = summary.get(name, {}).get("seconds to the dcgan's final fd")
    cells += ["-" if reached is None else f"{reached:.0f}", f"{result['images_per_second']:,.0f}"]
    kind = result.get("told", "none")
    condition = {"none": "unconditional"}.get(kind, kind)
    model = name.split(",", maxsplit=1)[0]
    return f"| {PEERS.get(model, f'`{model}`')} | {condition} | {' | '.join(cells)} |"


def _at(curve: list[dict[str, Any]], seconds: float) -> str:
    # A mark is passed by a step or two; a model scored at fewer marks has no point near some.
    points = [point for point in curve if -0.01 <= point["seconds"] - seconds < SLACK_S]
    return f"{points[0]['fd']:.2f}" if points else "-"


def _best_first(models: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted(models.items(), key=lambda item: item[1]["curve"][-1]["fd"])


def main() -> None:
    print_or_write(__doc__.splitlines()[0], table(), "race", ROOT / "benchmarks" / "README.md")


if __name__ == "__main__":
    main()
