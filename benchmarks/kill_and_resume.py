"""Kills a training run at random moments and compares it with one that nothing disturbed.

    python benchmarks/kill_and_resume.py --kills 20

Trains once without a disturbance. Then trains again in another folder, sends SIGKILL at moments
drawn from a fixed seed (from right after the start of the process, through its imports and
loading, into training and, by chance, into the writing of a checkpoint), repeats the same command
each time and lets the last one finish. The weights of both must agree in every bit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from provenance import provenance

RESULTS = Path(__file__).parent / "results"
# Share of the training that the killed sittings are meant to get through in all; the rest is
# left to the last one, so that the run does not finish before the last kill.
SHARE_BEFORE_LAST = 0.5
POLL_S = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--images", type=int, default=40_000)
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--model", default="attention-gan")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="of the run and of the moments")
    parser.add_argument("--set", action="append", default=[], help="more settings of the run")
    parser.add_argument("--out", type=Path, default=RESULTS / "kill_and_resume.json")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)  # this process computes nothing, but is asked about it
    with tempfile.TemporaryDirectory() as folder:
        record = compare(asked, Path(folder))
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps({name: record[name] for name in ("identical", "num_kills", "seconds")}))
    sys.exit(0 if record["identical"] else 1)


def compare(asked: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The record of both runs."""
    begin = time.monotonic()
    # Cached by the first run ever; without this the first sitting would be longer than the rest.
    sit(command(asked, folder / "warm", images=1))
    whole = folder / "whole"
    startup_s, total_s = sit(command(asked, whole, asked.images))
    print(
        f"undisturbed: {total_s:.1f} s, of which {startup_s:.1f} s until training begins",
        flush=True,
    )
    kills = kill_all(asked, folder, startup_s, total_s - startup_s)
    names = ["whole", *sorted({kill["run"] for kill in kills})]
    weights = {name: fingerprints(folder / name) for name in names}
    made_by = provenance()
    return {
        "provenance": made_by,
        "run": " ".join(command(asked, Path("RUN"), asked.images)[3:]),
        "seed": asked.seed,
        "images": asked.images,
        "identical": all(found == weights["whole"] for found in weights.values()),
        "sha256": weights,
        "num_kills": len(kills),
        "before_a_new_checkpoint": sum(not kill["new_checkpoint"] for kill in kills),
        "half_written_checkpoints": sum(kill["half_written"] for kill in kills),
        "undisturbed_s": round(total_s, 2),
        "startup_s": round(startup_s, 2),
        "seconds": round(time.monotonic() - begin, 1),
        "kills": kills,
    }


def command(asked: argparse.Namespace, run: Path, images: int) -> list[str]:
    """The command line that is started, killed and repeated."""
    words = [sys.executable, "-m", "orthogan.cli", "train", asked.data, "--model", asked.model]
    words += ["--images", str(images), "--threads", str(asked.threads), "--seed", str(asked.seed)]
    for setting in ("checkpoint_every_s=1", *asked.set):
        words += ["--set", setting]
    return [*words, "--run", str(run)]


def sit(words: list[str]) -> tuple[float, float]:
    """Runs a command to its end; seconds until its first checkpoint, and in all."""
    begin = time.monotonic()
    latest = Path(words[-1]) / "checkpoints" / "latest"
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while child.poll() is None and not latest.exists():
        time.sleep(POLL_S)
    startup_s = time.monotonic() - begin
    if child.wait() != 0:
        sys.exit(f"exit code {child.returncode}: {' '.join(words)}")
    return startup_s, time.monotonic() - begin


def kill_all(
    asked: argparse.Namespace, folder: Path, startup_s: float, training_s: float
) -> list[dict[str, Any]]:
    """Kills a run again and again, and lets it end; what each kill met."""
    source = random.Random(asked.seed)
    longest_s = startup_s + window(startup_s, SHARE_BEFORE_LAST * training_s / max(asked.kills, 1))
    # One moment in each of as many equal spans, in random order: early and late ones for sure.
    spans = source.sample(range(asked.kills), asked.kills)
    moments = [longest_s * (span + source.random()) / asked.kills for span in spans]
    kills: list[dict[str, Any]] = []
    run = folder / "killed-1"
    while len(kills) < asked.kills:
        words = command(asked, run, asked.images)
        after_s = moments[len(kills)]
        child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            code = child.wait(after_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            kills.append({"run": run.name, "after_s": round(after_s, 3)} | traces(run, kills))
            print(f"kill {len(kills)}: {kills[-1]}", flush=True)
            continue
        if code != 0:
            sys.exit(f"exit code {code}: {' '.join(words)}")
        # The machine got quicker since it was timed, and the run came to its end: another one.
        run = folder / f"killed-{int(run.name.partition('-')[2]) + 1}"
    sit(command(asked, run, asked.images))
    return kills


def window(startup_s: float, progress_s: float) -> float:
    """How far past the start the moments reach, so that a sitting trains `progress_s` on average.

    A moment is uniform on [0, s + w], so training lasts w^2 / (2 (s + w)) in the mean.
    """
    return progress_s + math.sqrt(progress_s**2 + 2 * progress_s * startup_s)


def traces(run: Path, earlier: list[dict[str, Any]]) -> dict[str, Any]:
    """What a killed process left behind: how far it came and whether it was writing."""
    checkpoints = run / "checkpoints"
    latest = checkpoints / "latest"
    images = int(latest.read_text()) if latest.exists() else -1
    same = [kill["checkpoint"] for kill in earlier if kill["run"] == run.name]
    before = same[-1] if same else -1
    half = checkpoints.is_dir() and any(entry.suffix == ".new" for entry in checkpoints.iterdir())
    return {"checkpoint": images, "new_checkpoint": images > before, "half_written": bool(half)}


def fingerprints(run: Path) -> dict[str, str]:
    """SHA-256 of the trained generator and of everything in the last checkpoint."""
    last = run / "checkpoints" / (run / "checkpoints" / "latest").read_text()
    files = {
        "generator": run / "bundle" / "generator.safetensors",
        "checkpoint": last / "tensors.safetensors",
    }
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


if __name__ == "__main__":
    main()
