"""The table of results in the README, made from the committed JSON.

    python benchmarks/readme_table.py            # prints it
    python benchmarks/readme_table.py --write    # puts it into README.md

A test holds the README to it. All rows are scored alike: 10,000 images against the training images
of MNIST, in the features of the digits extractor.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from marked_block import print_or_write

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
COLUMNS = ("fd[", "precision", "recall", "coverage")
OURS = {"ten_seeds": "60 s", "five_minutes": "5 min", "half_hour": "30 min"}
PEERS = {"dcgan, classes": "DCGAN, class-conditional", "dcgan": "DCGAN"}

Scores = dict[str, dict[str, float]]


def table() -> str:
    """The block between the two marks, marks included."""
    lines = [
        "| | trained for | Frechet distance | precision | recall | coverage | seeds |",
        "|---|---|---|---|---|---|---|",
        *rows(),
    ]
    return "\n".join(["<!-- results -->", *lines, "<!-- end of results -->"])


def rows() -> Iterator[str]:
    """One line of the table after the other."""
    for name, trained in OURS.items():
        scores = [run["scores"] for run in read(name)["runs"]]
        yield row("**attention GAN**", trained, scores)
    # A peer has a row once its full scores were measured; its distances alone are in the race.
    race = read("race") if (RESULTS / "race.json").exists() else {"models": {}}
    for name, title in PEERS.items():
        if name in race["models"]:
            result = race["models"][name]
            trained = f"{result['curve'][-1]['seconds'] / 60:.0f} min"
            yield row(title, trained, [result["scores at the end"]])
    mixture = read("mixture")["runs"]
    seconds = statistics.median(run["seconds"] for run in mixture)
    scores = [run["scores"] for run in mixture]
    yield row("Gaussian mixture in PCA space", f"fitted in {seconds:.0f} s", scores)
    floors = [{name: {"value": score["floor"]} for name, score in scores[0].items()}]
    yield row("*held-out real images*", "", floors)


def row(title: str, trained: str, scores: list[Scores]) -> str:
    """The medians over seeds."""
    cells = [f"{statistics.median(of(one, column) for one in scores):.3f}" for column in COLUMNS]
    seeds = str(len(scores)) if trained else ""
    return f"| {title} | {trained} | {' | '.join(cells)} | {seeds} |"


def of(scores: Scores, column: str) -> float:
    """The score whose name begins so."""
    return next(score["value"] for name, score in scores.items() if name.startswith(column))


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return found


def main() -> None:
    print_or_write(__doc__.splitlines()[0], table(), "results", ROOT / "README.md")


if __name__ == "__main__":
    main()
