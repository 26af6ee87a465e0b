"""Bits per character of small language Transformers on a text, by attention score and positions.

    python benchmarks/language.py emma.txt --tokens 4M --seeds 3

Each case is one run of the product's own `train_language` with equal tokens, scored on the last
tenth of the text, which it never learns from. The cases differ from the defaults in the settings
listed with them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import torch
from provenance import matmul_rate, provenance

from orthogan.cli.amounts import parse_count
from orthogan.language.api import train_language
from orthogan.training.run import Run
from orthogan.training.run_folder import read_metrics

RESULTS = Path(__file__).parent / "results"
CASES: dict[str, tuple[str, ...]] = {
    "softmax, rotary": (),
    "no softmax": ("network.score=none",),
    "relu": ("network.score=relu",),
    "cosine": ("network.score=cosine",),
    "keys tied to the values": ("network.keys=values",),
    "keys without a matrix": ("network.keys=identity",),
    "untied positions": ("network.positions=untied",),
    "learned positions": ("network.positions=learned",),
    "sinusoidal positions": ("network.positions=sinusoidal",),
    "no positions": ("network.positions=none",),
    "adamw": ("optimizer.kind=adamw", "optimizer.learning_rate=3e-3"),
}


def run_case(name: str, asked: argparse.Namespace, seed: int, folder: Path) -> dict[str, Any]:
    """One run and what it reached."""
    run = train_language(
        asked.text,
        tokens=parse_count(asked.tokens),
        seed=seed,
        run=folder,
        settings=(*CASES[name], *asked.set),
        show_progress=False,
    )
    return facts(run, seed)


def facts(run: Run, seed: int) -> dict[str, Any]:
    """What a finished run reached, how fast, and its curve of live scores."""
    name = next(iter(run.score["scores"]))
    curve = [
        {"seconds": round(line["elapsed_s"], 1), "tokens": line["tokens_seen"], name: line[name]}
        for line in read_metrics(run.path / "metrics.jsonl")
        if line["event"] == "score"
    ]
    config = json.loads((run.path / "run.json").read_text())["config"]
    config["data"]["source"] = Path(config["data"]["source"]).name
    return {
        "seed": seed,
        name: run.score["scores"][name],
        "tokens": run.tokens_seen,
        "seconds": run.seconds,
        "tokens_per_second": run.tokens_seen / run.seconds,
        "parameters": sum(p.numel() for p in run.load().network.parameters()),
        "sample": (run.path / "sample.txt").read_text(),
        "config": config,
        "curve": curve,
    }


def main() -> None:
    """Runs the cases asked for and writes benchmarks/results/language.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", help="a text file, a folder of .txt files, or a named corpus")
    parser.add_argument("--tokens", default="4M")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--out", type=Path, default=RESULTS / "language.json")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    results: dict[str, Any] = {}
    for name in asked.cases:
        runs = []
        for seed in range(asked.seeds):
            with tempfile.TemporaryDirectory() as folder:
                runs.append(run_case(name, asked, seed, Path(folder) / "run"))
        score = next(key for key in runs[0] if key.startswith(("bits", "perplexity")))
        values = [run[score]["value"] for run in runs]
        mean = statistics.mean(values)
        results[name] = {"settings": CASES[name], f"mean {score}": mean, "runs": runs}
        print(f"{name}: {score} {mean:.3f} ({min(values):.3f} to {max(values):.3f})", flush=True)
    record = {
        "provenance": provenance(),
        "text": {"bytes": _size(asked.text), "sha256": _digest(asked.text)},
        "matmul_gflops_per_second": matmul_rate(torch.bfloat16),
        "results": results,
    }
    asked.out.write_text(json.dumps(record, indent=2) + "\n")


def _size(text: str) -> int | None:
    return Path(text).stat().st_size if Path(text).is_file() else None


def _digest(text: str) -> str | None:
    path = Path(text)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


if __name__ == "__main__":
    main()
