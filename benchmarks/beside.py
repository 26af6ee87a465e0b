"""This tree beside an earlier one, in turns: the step, an evaluation, drawing, starting.

    git worktree add ../earlier v0.1.0 && python benchmarks/beside.py ../earlier

Every measurement is a process of its own with the sources of one tree; the trees take turns, and
the ratios new / old are medians over the rounds with their quartiles. The first losses of the
default recipe, in float64, are compared bit for bit.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from provenance import provenance

HERE = Path(__file__).parent
RESULTS = HERE / "results"
# Runs in either tree: modules that have moved are looked for in both places.
PROGRAM = """
import contextlib, importlib, json, sys, time
import torch
import orthogan as og
from orthogan.data import load

def module(*names):
    for name in names:
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    raise ImportError(names)

Trainer = module("orthogan.gan.trainer", "orthogan.training.trainer").Trainer
images, cpu, what = load("mnist"), torch.device("cpu"), sys.argv[1]
if what == "step":
    trainer = Trainer(og.resolve("mnist"), images, cpu)
    for _ in range(10):
        trainer.step(0.1)
    spans = []
    for _ in range(60):
        start = time.perf_counter()
        trainer.step(0.1)
        spans.append(time.perf_counter() - start)
    print(sorted(spans)[len(spans) // 2])
if what == "evaluation":
    from orthogan.evaluation import evaluate_images
    fake = load("mnist", split="test").images
    start = time.perf_counter()
    evaluate_images(fake, images, held_out=None)
    print(time.perf_counter() - start)
if what == "drawing":
    model = og.load("mnist-demo")
    model.sample(range(64))
    start = time.perf_counter()
    model.sample(range(1920))
    print(time.perf_counter() - start)
if what == "losses":
    trainer = Trainer(og.resolve("mnist", settings=["precision=float32"]), images, cpu)
    for network in (trainer.generator, trainer.discriminator, trainer.average):
        network.double()
        network.register_forward_pre_hook(lambda _, inputs: (inputs[0].double(), *inputs[1:]))
    print(json.dumps([trainer.step(0.1).numbers() for _ in range(8)]))
"""
PICTURE = str(Path(tempfile.gettempdir()) / "beside.png")
COMMANDS = {
    "help": ["-m", "orthogan.cli", "--help"],
    "import": ["-c", "import orthogan"],
    "cold start of 64 images": ["-m", "orthogan.cli", "sample", "mnist-demo", "--out", PICTURE],
}


def measured(tree: Path, what: str) -> float:
    """Seconds of one measurement with the sources of a tree."""
    return float(output(tree, ["-c", PROGRAM, what]))


def output(tree: Path, words: list[str]) -> str:
    environment = os.environ | {"PYTHONPATH": str(tree / "src")}
    done = subprocess.run(
        [sys.executable, *words], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def started(tree: Path, words: list[str]) -> float:
    """Seconds of one command with the sources of a tree."""
    start = time.perf_counter()
    output(tree, words)
    return time.perf_counter() - start


def ratios(old: list[float], new: list[float]) -> dict[str, Any]:
    """Both medians, and the ratio pair by pair."""
    pairs = sorted(b / a for a, b in zip(old, new, strict=True))
    low, _, high = statistics.quantiles(pairs, n=4)
    return {
        "old_s": statistics.median(old),
        "new_s": statistics.median(new),
        "new / old": statistics.median(pairs),
        "quartiles": [low, high],
        "rounds": len(pairs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("earlier", type=Path, help="a checkout of the earlier tree")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=RESULTS / "beside.json")
    asked = parser.parse_args()
    trees = (asked.earlier.resolve(), HERE.parent)
    losses = [json.loads(output(tree, ["-c", PROGRAM, "losses"])) for tree in trees]
    record: dict[str, Any] = {
        "provenance": provenance(),
        "earlier": output(trees[0], ["-c", "import orthogan; print(orthogan.__version__)"]).strip(),
        "first losses are the same bits": losses[0] == losses[1],
        "ratios": {},
    }
    print(f"first losses are the same bits: {losses[0] == losses[1]}", flush=True)
    tasks = {what: (measured, what) for what in ("step", "evaluation", "drawing")}
    tasks |= {name: (started, words) for name, words in COMMANDS.items()}
    for name, (measure, argument) in tasks.items():
        spans: tuple[list[float], list[float]] = ([], [])
        for turn in range(asked.rounds):
            # Who goes first changes from round to round: the machine's speed drifts.
            for place in (0, 1) if turn % 2 == 0 else (1, 0):
                spans[place].append(measure(trees[place], argument))
        record["ratios"][name] = ratios(*spans)
        print(name, record["ratios"][name], flush=True)
    asked.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
