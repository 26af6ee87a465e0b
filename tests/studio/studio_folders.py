"""Run folders that were never trained, and what lies in a folder to the last byte."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from PIL import Image

from orthogan.gan.recipes import RECIPES
from orthogan.training.metrics_file import append_metrics
from orthogan.training.run_record import new_record, now

NUM_LINES = 6
PORT = 8484
OWN = f"http://127.0.0.1:{PORT}"


def make_run(root: Path, name: str, *, lines: int = NUM_LINES, **changes: Any) -> Path:
    """A run folder with curves and two grids; `changes` go into `run.json`."""
    folder = root / name
    (folder / "samples").mkdir(parents=True)
    (folder / "checkpoints" / "000000640").mkdir(parents=True)
    config = RECIPES["attention-gan"]().to_dict()
    record = new_record("gan", "attention-gan", config, {"command": "orthogan train mnist"})
    record |= {"status": "done", "reason": "Done: so it was.", "images_seen": 640,
               "seconds": 10.0, "updated": now()}  # fmt: skip
    (folder / "run.json").write_text(json.dumps(record | changes))
    for number in range(1, lines + 1):
        place = {"images_seen": 100 * number, "elapsed_s": 1.5 * number}
        losses = {"discriminator_loss": 1.0 / number, "generator_loss": 0.5, "penalty": 0.01}
        append_metrics(folder / "metrics.jsonl", place | {"event": "step"} | losses)
        if number % 2 == 0:
            scores = {"fd[digits-cls@0]": 9.0 / number, "floor": 0.04}
            append_metrics(folder / "metrics.jsonl", place | {"event": "score"} | scores)
    for at in (200, 400):
        Image.new("L", (16, 16), at // 2).save(folder / "samples" / f"{at:09d}.png")
    return folder


def everything(root: Path) -> dict[str, str]:
    """Every file below a folder, with its checksum."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*")) if path.is_file() and path.name != ".lock"
    }  # fmt: skip
