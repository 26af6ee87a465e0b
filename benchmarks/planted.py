"""Planted degradations: what the scores and the verdict say of images whose fault is known.

    python benchmarks/planted.py FOLDERS     # FOLDERS as benchmarks/folders.py makes them
    python benchmarks/planted.py FOLDERS --extractor own --halves 3 --kinds 'group missing' mixed \
        --out planted-own.json               # trained on each reference

Half of each set is the reference, and the other half, unseen, is degraded in every way below. Each
way has a mild and a severe degree and says what a verdict is to name. The unseen half as it is must
be called fine.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from degradations import PLANTED, Halves, Pixels, as_bytes
from provenance import provenance
from scipy.stats import spearmanr
from torch import Tensor
from torch.nn import functional

from orthogan.data import ImageSet, load
from orthogan.evaluation import Extractor, evaluate_images
from orthogan.evaluation.extractors import load_extractor
from orthogan.evaluation.own import OWN, own_extractor

RESULTS = Path(__file__).parent / "results"
# Each set, and the one that strangers are taken from.
OTHERS = {
    "mnist": "letters",
    "letters": "mnist",
    "fashion": "mnist",
    "emoji": "icons",
    "icons": "drawings",
    "drawings": "emoji",
    "sprites": "drawings",
    "textures": "photographs",
    "photographs": "textures",
}


# What a verdict says where it names a finding.
NAMES = {
    "noise": "noisy",
    "blur": "blurred",
    "colour": "colour|red|yellow|green|cyan|blue|magenta",
    "contrast": "faded",
    "missing": "[Gg]roup|[Cc]lass",
    "unreal": "Not realistic|Of real images|too much",
    "collapsed": "Collapsed|variety",
    "memorised": "Memorising",
    "not usable": "^(?!Usable)",
}


# Faults whose degree is a number, and what of it is planted to see whether the distance follows.
GROWING = (
    "noise",
    "blur",
    "resized",
    "colour removed",
    "channels rotated",
    "faded",
    "group missing",
    "mixed",
    "few images",
    "neighbours blended",
)
NUM_DEGREES = 6


class Remembered:
    """An extractor that describes each picture once: most planted sets share most of them."""

    def __init__(self, extractor: Extractor) -> None:
        self._extractor = extractor
        self._known: dict[bytes, Tensor] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._extractor, name)

    def describe(self, pixels: Pixels) -> tuple[Tensor, Tensor]:
        """As the extractor itself."""
        keys = [hashlib.blake2b(one.numpy().tobytes()).digest() for one in pixels]
        new = {key: row for row, key in enumerate(keys) if key not in self._known}
        if new:
            features, _ = self._extractor.describe(pixels[list(new.values())])
            self._known.update(zip(new, features, strict=True))
        return torch.stack([self._known[key] for key in keys]), torch.zeros(len(pixels), 0)


REMEMBERED: dict[str, Remembered] = {}


def judge(name: str, reference: Pixels) -> Extractor:
    """The extractor of that name; `own` is trained on the reference."""
    if name == OWN:
        return own_extractor(ImageSet(reference, name="reference"))
    return REMEMBERED.setdefault(name, Remembered(load_extractor(name)))


def planted_rows(
    name: str, halves: Halves, extractor: Extractor, kinds: list[str]
) -> Iterator[dict[str, Any]]:
    """What the verdict says of every degradation of a set."""
    real = ImageSet(halves.reference, name=name)
    for kind in kinds:
        planted = PLANTED[kind]
        if planted.needs_colour and halves.reference.shape[1] == 1:
            continue
        for degree in ("mild", "severe"):
            fakes = planted.degrade(halves, getattr(planted, degree))
            found = evaluate_images(fakes, real, extractor=extractor)
            named = re.search(NAMES[planted.finding], found.verdict) is not None
            values = {key: round(score.value, 4) for key, score in found.scores.items()}
            facts = {"set": name, "kind": kind, "degree": degree, "named": named}
            yield facts | {"verdict": found.verdict, "scores": values}


def growth(name: str, halves: Halves, extractor: Extractor) -> dict[str, float]:
    """Spearman's correlation of the Frechet distance with the degree, for faults of any degree."""
    real = ImageSet(halves.reference, name=name)
    found = {}
    for kind in GROWING:
        planted = PLANTED[kind]
        if planted.needs_colour and halves.reference.shape[1] == 1:
            continue
        degrees = np.linspace(planted.mild, planted.severe, NUM_DEGREES)
        distances = []
        for degree in degrees:
            scores = evaluate_images(
                planted.degrade(halves, float(degree)), real, extractor=extractor
            ).scores
            distances.append(next(s.value for key, s in scores.items() if key.startswith("fd[")))
        # By the order of the degrees: some count what is left, so that less is worse.
        found[kind] = round(float(spearmanr(range(NUM_DEGREES), distances).statistic), 3)
    return found


def halves_called_fine(pixels: Pixels, rounds: int, extractor: str) -> list[str]:
    """The verdicts on random halves of a set, each beside the other half."""
    verdicts = []
    for number in range(rounds):
        order = torch.from_numpy(np.random.default_rng(number).permutation(len(pixels)))
        first, second = order.tensor_split(2)
        real = ImageSet(pixels[second], name="half")
        net = judge(extractor, real.images)
        verdicts.append(evaluate_images(pixels[first], real, extractor=net).verdict)
    return verdicts


def loaded(folder: Path, size: int | None, most: int) -> Pixels:
    """Images of a set in random order."""
    images = load("mnist") if folder.name == "mnist" else load(folder, size=size)
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(images)))
    return images.images[order[:most]]


def fitted(pixels: Pixels, like: Pixels) -> Pixels:
    """Pictures in the size and with the channels of others."""
    if pixels.shape[1] > like.shape[1]:
        pixels = as_bytes(pixels.double().mean(1, keepdim=True))
    pixels = pixels.expand(-1, like.shape[1], -1, -1)
    if pixels.shape[2:] == like.shape[2:]:
        return pixels
    size = like.shape[2:]
    return as_bytes(
        functional.interpolate(pixels.double(), size=size, mode="bilinear", antialias=True)
    )


def summary(rows: list[dict[str, Any]], halves: dict[str, list[str]]) -> dict[str, Any]:
    """Fractions named rightly, by degree and set; and of halves that are not called fine."""
    sets = sorted({row["set"] for row in rows})

    def fraction(degree: str, **facts: str) -> float:
        chosen = [
            row["named"]
            for row in rows
            if row["degree"] == degree and all(row[key] == value for key, value in facts.items())
        ]
        return round(sum(chosen) / max(1, len(chosen)), 3)

    return {
        "named": {degree: fraction(degree) for degree in ("mild", "severe")},
        "named by set": {
            name: {degree: fraction(degree, set=name) for degree in ("mild", "severe")}
            for name in sets
        },
        "named by kind": {
            kind: {degree: fraction(degree, kind=kind) for degree in ("mild", "severe")}
            for kind in PLANTED
        },
        "false alarms": {
            name: sum(not verdict.startswith("Usable") for verdict in found) / len(found)
            for name, found in halves.items()
        },
    }


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path)
    parser.add_argument("--sets", nargs="+", default=list(OTHERS), choices=OTHERS)
    parser.add_argument("--images", type=int, default=800, help="in each half")
    parser.add_argument("--halves", type=int, default=25)
    parser.add_argument("--kinds", nargs="+", default=list(PLANTED), choices=PLANTED)
    parser.add_argument("--extractor", default="general")
    parser.add_argument("--out", type=Path, default=RESULTS / "planted.json")
    asked = parser.parse_args()
    rows: list[dict[str, Any]] = []
    halves: dict[str, list[str]] = {}
    orders: dict[str, dict[str, float]] = {}
    for name in asked.sets:
        size = None if name in {"mnist", "letters", "fashion"} else 32
        pixels = loaded(asked.folders / name, size, 2 * asked.images)
        other = fitted(loaded(asked.folders / OTHERS[name], 32, asked.images), pixels)
        half = len(pixels) // 2
        REMEMBERED.clear()
        source = np.random.default_rng(0)
        parts = Halves(pixels[:half], pixels[half : 2 * half], other, source)
        extractor = judge(asked.extractor, parts.reference)
        rows += planted_rows(name, parts, extractor, asked.kinds)
        orders[name] = growth(name, parts, extractor)
        halves[name] = halves_called_fine(pixels, asked.halves, asked.extractor)
        facts = summary(rows, halves)
        print(name, half, facts["named by set"][name], facts["false alarms"][name], flush=True)
        facts["rank correlation of distance and degree"] = orders
        record = {"provenance": provenance(), "summary": facts, "rows": rows, "halves": halves}
        asked.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
