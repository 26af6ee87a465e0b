"""Planted copies: how many `organize` finds, how many it finds that are none, and how fast.

    python benchmarks/duplicates.py FOLDERS     # FOLDERS as benchmarks/folders.py makes them

A twentieth of the images of each set is replaced by copies of others, a quarter of them each exact,
moved by 1 or 2 pixels in either direction (over the colour of a corner), brighter or darker by a
tenth, and mirrored. Copies that the set had before are counted first: precision is of what is found
beside those. At the end the whole of MNIST is searched against the clock.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from planted import OTHERS
from provenance import provenance
from torch import Tensor

from orthogan.data import load
from orthogan.organizing.api import organize
from orthogan.organizing.duplicates import Duplicates, find_duplicates

RESULTS = Path(__file__).parent / "results"
NATIVE = ("mnist", "letters", "fashion")  # the other sets are made 32 px
KINDS = ("exact", "moved", "brighter or darker", "mirrored")


def moved(image: Tensor, source: np.random.Generator) -> Tensor:
    """Moved by 1 or 2 pixels in at least one direction."""
    rows, columns = 0, 0
    while rows == columns == 0:
        rows, columns = (int(draw) for draw in source.integers(-2, 3, 2))
    ground = image[:, :1, :1].expand_as(image).clone()
    side = image.shape[-1]
    ground[:, max(0, rows) : side + min(0, rows), max(0, columns) : side + min(0, columns)] = image[
        :, max(0, -rows) : side + min(0, -rows), max(0, -columns) : side + min(0, -columns)
    ]
    return ground


def planted(pixels: Tensor, seed: int) -> tuple[Tensor, list[tuple[int, int, str]]]:
    """The set with copies, and (copy, original, kind) of each."""
    source = np.random.default_rng(seed)
    order = source.permutation(len(pixels))
    count = len(pixels) // 20
    changed, facts = pixels.clone(), []
    for number in range(count):
        place, original = int(order[number]), int(order[count + number])
        kind = KINDS[number % len(KINDS)]
        image = pixels[original]
        if kind == "moved":
            image = moved(image, source)
        elif kind == "mirrored":
            image = image.flip(-1)
        elif kind != "exact":
            factor = float(source.choice([0.9, 1.1]))
            image = (image.float() * factor).round().clamp(0, 255).to(torch.uint8)
        changed[place] = image
        facts.append((place, original, kind))
    return changed, facts


def groups(found: Duplicates) -> dict[int, int]:
    """The original of every image that is a copy or has one."""
    named = {copy.index: copy.original for copy in found.copies}
    return named | {copy.original: copy.original for copy in found.copies}


def measured(pixels: Tensor, seed: int) -> dict[str, Any]:
    """Recall by kind, and precision beside the copies that the set had."""
    before = len(find_duplicates(pixels).copies)
    changed, facts = planted(pixels, seed)
    start = time.process_time()
    found = find_duplicates(changed)
    seconds = time.process_time() - start
    of = groups(found)
    hits = {kind: [] for kind in KINDS}
    for place, original, kind in facts:
        hits[kind].append(place in of and of[place] == of.get(original))
    right = sum(map(sum, hits.values()))
    beyond = max(0, len(found.copies) - right - before)
    return {
        "images": len(pixels),
        "copies before": before,
        "planted": len(facts),
        "recall": round(right / len(facts), 4),
        "recall by kind": {kind: round(sum(each) / len(each), 4) for kind, each in hits.items()},
        "precision": round(right / (right + beyond), 4),
        "processor seconds": round(seconds, 2),
    }


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path)
    parser.add_argument("--sets", nargs="+", default=list(OTHERS), choices=OTHERS)
    parser.add_argument("--images", type=int, default=4000, help="of each set at most")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS / "duplicates.json")
    asked = parser.parse_args()
    record: dict[str, Any] = {"provenance": provenance(), "sets": {}}
    for name in asked.sets:
        size = None if name in NATIVE else 32
        images = load("mnist") if name == "mnist" else load(asked.folders / name, size=size)
        order = torch.from_numpy(np.random.default_rng(0).permutation(len(images)))
        pixels = images.images[order[: asked.images]]
        record["sets"][name] = [measured(pixels, seed) for seed in range(asked.seeds)]
        print(name, record["sets"][name][0], flush=True)
        asked.out.write_text(json.dumps(record, indent=1) + "\n")
    start, used = time.perf_counter(), time.process_time()
    organize("mnist")
    record["organize mnist, 60,000 images"] = {
        "seconds": round(time.perf_counter() - start, 1),
        "processor seconds": round(time.process_time() - used, 1),
    }
    print(record["organize mnist, 60,000 images"])
    asked.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
