"""Accuracy of the class-token classifier on MNIST and on Stacked-MNIST's triple label.

    python benchmarks/classifier.py --seconds 600

Each case is one run of the product's own `classify`, scored on the test set that it never sees:
10,000 images, of which a stacked one counts as right if all three of its digits are. The cases
differ from the defaults in the settings listed with them: softmax against softmax-free attention,
the class token against the mean of all tokens, patches against convolutions in front, and no
attention at all.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import torch
from provenance import matmul_rate, provenance

from orthogan.classification.api import classify
from orthogan.training.run import Run
from orthogan.training.run_folder import read_metrics

RESULTS = Path(__file__).parent / "results"
# Three digits an image, each in its own colour: features for three.
WIDE = ("network.channels=64", "network.width=128")
CASES: dict[str, tuple[str, tuple[str, ...]]] = {
    "mnist": ("mnist", ()),
    "mnist softmax-free": ("mnist", ("network.score=none",)),
    "mnist mean read-out": ("mnist", ("network.read_out=mean",)),
    "mnist patches only": ("mnist", ("network.stem=patch",)),
    "mnist patches and convolutions": ("mnist", ("network.stem=both",)),
    "mnist without attention": ("mnist", ("network.blocks=0", "network.read_out=mean")),
    "stacked-mnist": ("stacked-mnist", ()),
    "stacked-mnist softmax-free": ("stacked-mnist", ("network.score=none",)),
    "stacked-mnist mean read-out": ("stacked-mnist", ("network.read_out=mean",)),
    "stacked-mnist wide": ("stacked-mnist", WIDE),
    "stacked-mnist wide softmax-free": ("stacked-mnist", ("network.score=none", *WIDE)),
}
DEFAULT_CASES = ("mnist", "mnist softmax-free", "stacked-mnist", "stacked-mnist softmax-free")


def run_case(name: str, asked: argparse.Namespace, seed: int, folder: Path) -> dict[str, Any]:
    """One run and what it reached."""
    source, settings = CASES[name]
    run = classify(
        source,
        minutes=asked.seconds / 60,
        seed=seed,
        run=folder,
        settings=(*settings, *asked.set),
        show_progress=False,
    )
    return facts(run, seed)


def facts(run: Run, seed: int) -> dict[str, Any]:
    """What a finished run reached, how fast, and its curve of live scores."""
    trained = run.load()
    curve = [
        {"seconds": round(line["elapsed_s"], 1), "images": line["images_seen"]}
        | {"accuracy": line["accuracy"], "test images": line["test images"]}
        for line in read_metrics(run.path / "metrics.jsonl")
        if line["event"] == "score"
    ]
    record = json.loads((run.path / "run.json").read_text())
    return {
        "seed": seed,
        "accuracy": run.score["scores"]["accuracy"],
        "label accuracies": run.score["label_accuracies"],
        "worst": run.score["worst"],
        "images": run.images_seen,
        "seconds": run.seconds,
        "images_per_second": run.images_seen / run.seconds,
        "parameters": sum(p.numel() for p in trained.network.parameters()),
        "config": record["config"],
        "curve": curve,
    }


def summarise(results: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The middle and the worst accuracy of each case over its seeds."""
    values = {name: [run["accuracy"]["value"] for run in runs] for name, runs in results.items()}
    return {
        name: {"median": statistics.median(found), "worst": min(found), "seeds": len(found)}
        for name, found in values.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=list(DEFAULT_CASES), choices=list(CASES))
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", nargs="*", default=[], help="settings for every case")
    parser.add_argument("--out", type=Path, default=RESULTS / "classifier.json")
    asked = parser.parse_args()
    results: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.cases:
            for seed in range(asked.seeds):
                place = Path(folder) / f"{name.replace(' ', '-')}-{seed}"
                results.setdefault(name, []).append(run_case(name, asked, seed, place))
                score = results[name][-1]["accuracy"]
                print(f"{name}, seed {seed}: {score['value']:.2%} of {score['n']}", flush=True)
                if (place / "look.png").exists():
                    picture = asked.out.with_name(f"{asked.out.stem}-{place.name}.png")
                    picture.write_bytes((place / "look.png").read_bytes())
                record = {
                    "provenance": provenance(),
                    "seconds": asked.seconds,
                    "matmul_gflops_per_second": matmul_rate(torch.bfloat16),
                    "summary": summarise(results),
                    "cases": results,
                }
                asked.out.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record["summary"], indent=1))


if __name__ == "__main__":
    main()
