"""The questions about attention, each answered over seeds: what is lost without a part?

    python benchmarks/studies.py                     # all of them; goes on where it stopped
    python benchmarks/studies.py --studies positions
    python benchmarks/studies.py --studies "key size" --seeds 2 --images 2000 --out try.json
    python benchmarks/studies.py --write             # puts the tables into docs/attention.md

Every variant differs from its study's first one in the settings named, sees as many images, and is
trained once for each seed with the product's own trainers. The same seed draws the same images for
all, so differences are paired by seed; p values are Holm-corrected within a study. Runs take one
thread each, as many in parallel as there are cores: a budget in images does not feel the load.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from marked_block import put
from provenance import provenance

from orthogan import data
from orthogan.classification.api import classify
from orthogan.evaluation import LiveScore
from orthogan.gan.api import resolve
from orthogan.gan.trainer import Trainer
from orthogan.networks.sampling import sample_pixels
from orthogan.statistics.paired import holm, mean_over_seeds, paired_test

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "studies.json"
DOCUMENT = ROOT / "docs" / "attention.md"
NUM_FAKES = 10_000


@dataclass(frozen=True)
class Study:
    """One question: variants that differ in settings, and what all of them share."""

    question: str
    kind: str  # classifier or gan
    source: str
    images: int
    shared: tuple[str, ...]
    variants: dict[str, tuple[str, ...]]

    @property
    def metric(self) -> str:
        return "accuracy" if self.kind == "classifier" else "Frechet distance"


SCORES = {
    name: (f"network.score={name}",)
    for name in ("softmax", "none", "relu", "sigmoid", "cosine", "l2")
}
PATCHES = ("network.stem=patch",)
POSITION_MODES = ("add", "concatenate", "rotate", "untied", "orthogonal")
STUDIES = {
    "scores": Study(
        "What is lost without the softmax? MNIST", "classifier", "mnist", 30_000, PATCHES, SCORES
    ),
    "scores, colour": Study(
        "What is lost without the softmax? Stacked-MNIST's triple label",
        "classifier",
        "stacked-mnist",
        30_000,
        (),
        SCORES,
    ),
    "keys": Study(
        "What are keys needed for? MNIST",
        "classifier",
        "mnist",
        120_000,  # two epochs: at the level of published accuracies, so that costs compare
        PATCHES,
        {
            name: (f"network.keys={name}",)
            for name in ("learned", "values", "queries", "identity", "whitened", "dual")
        },
    ),
    "keys without softmax": Study(
        "Does whitening replace Wk? MNIST, no softmax",
        "classifier",
        "mnist",
        30_000,
        (*PATCHES, "network.score=none"),
        {name: (f"network.keys={name}",) for name in ("learned", "identity", "whitened")},
    ),
    "one head with tied queries": Study(
        "What do tied queries and keys lose, and what gives it back? One head, no dense layers",
        "classifier",
        "mnist",
        30_000,
        (*PATCHES, "network.heads=1", "network.blocks=1", "network.expansion=0"),
        {
            "learned, no positions": ("network.positions=none",),
            "tied, no positions": ("network.positions=none", "network.keys=queries"),
            "learned, positions added": (),
            "tied, positions added": ("network.keys=queries",),
            "tied, positions in the logits": (
                "network.keys=queries",
                "network.position_mode=untied",
            ),
        },
    ),
    "positions": Study(
        "Which code, and how is it injected? MNIST",
        "classifier",
        "mnist",
        30_000,
        PATCHES,
        {"learned, added": (), "none": ("network.positions=none",)}
        | {
            f"sinusoidal, {how}": ("network.positions=sinusoidal", f"network.position_mode={how}")
            for how in POSITION_MODES
        },
    ),
    "read-out": Study(
        "Class token or mean? MNIST",
        "classifier",
        "mnist",
        30_000,
        PATCHES,
        {"class token": (), "mean": ("network.read_out=mean",)},
    ),
    "read-out, colour": Study(
        "Class token or mean? Stacked-MNIST's triple label, in RGB",
        "classifier",
        "stacked-mnist",
        30_000,
        (),
        {
            "class token": (),
            "mean": ("network.read_out=mean",),
            "class token, patches": PATCHES,
            "mean, patches": (*PATCHES, "network.read_out=mean"),
        },
    ),
    "key size": Study(
        "How small may keys be? Key size a head, of values of 24; MNIST, four heads",
        "classifier",
        "mnist",
        30_000,
        PATCHES,
        {"None: that of the values": ()}
        | {str(size): (f"network.key_size={4 * size}",) for size in (1, 2, 4, 8, 24)},
    ),
    "cross-attention": Study(
        "Do keys matter more in cross-attention? Tokens of a generator attend to their class; "
        "MNIST, conditioned on classes",
        "gan",
        "mnist",
        30_000,
        ("generator.kind=cross-attention", "generator.class_width=64"),
        {
            "learned keys": (),
            "keys = values": ("generator.cross_keys=values",),
            "keys = queries": ("generator.cross_keys=queries",),
            "no keys": ("generator.cross_keys=identity",),
        },
    ),
    "stem": Study(
        "Convolutions, patches, or both? MNIST",
        "classifier",
        "mnist",
        30_000,
        (),
        {
            "convolutions": (),
            "patches": ("network.stem=patch",),
            "both": ("network.stem=both",),
            "convolutions, no attention": ("network.blocks=0", "network.read_out=mean"),
        },
    ),
    "start": Study(
        "Does a mimetic start help? MNIST",
        "classifier",
        "mnist",
        30_000,
        PATCHES,
        {"standard": (), "mimetic": ("network.initialization=mimetic",)},
    ),
    "generator": Study(
        "Attention in the generator and the discriminator: MNIST, conditioned on classes",
        "gan",
        "mnist",
        30_000,
        (),
        {
            "as recommended": (),
            "G softmax": ("generator.score=softmax",),
            "G no softmax": ("generator.score=none",),
            "D no softmax": ("discriminator.score=none",),
            "G keys = values": ("generator.keys=values",),
            "G keys = queries": ("generator.keys=queries",),
            "G no keys": ("generator.keys=identity",),
            "no attention": ("generator.blocks=0", "discriminator.blocks=0"),
        },
    ),
    "batches": Study(
        "Does it matter which images share a batch? MNIST, conditioned on classes",
        "gan",
        "mnist",
        30_000,
        (),
        {
            "any images": (),
            "each class in its proportion": ("data.batches=balanced",),
            "decorrelated": ("data.batches=decorrelated",),
            "correlated": ("data.batches=correlated",),
        },
    ),
    "orthogonal positions": Study(
        "Do orthogonal position codes help a generator? MNIST, conditioned on classes",
        "gan",
        "mnist",
        30_000,
        (),
        {
            "sinusoidal, added": (
                "generator.positions=sinusoidal",
                "discriminator.positions=sinusoidal",
            ),
            "sinusoidal, orthogonal": (
                "generator.positions=sinusoidal",
                "discriminator.positions=sinusoidal",
                "generator.position_mode=orthogonal",
                "discriminator.position_mode=orthogonal",
            ),
            "learned": (),
            "learned, decorrelated x 0.1": ("decorrelation=0.1",),
        },
    ),
}


def run_classifier(study: Study, settings: tuple[str, ...], seed: int) -> dict[str, float]:
    """Accuracy on the test set and the number of parameters."""
    with tempfile.TemporaryDirectory() as folder:
        run = classify(
            study.source,
            images=study.images,
            seed=seed,
            threads=1,
            run=Path(folder) / "run",
            settings=(*settings, "score_every_s=100000", "checkpoint_every_s=100000"),
            show_progress=False,
        )
        network = run.load().network
    return {
        "value": run.score["scores"]["accuracy"]["value"],
        "parameters": sum(weight.numel() for weight in network.parameters()),
    }


def run_gan(study: Study, settings: tuple[str, ...], seed: int) -> dict[str, float]:
    """Distance of the averaged generator and the number of its parameters."""
    torch.set_num_threads(1)
    # Here, and not above: who reads the studies' tables wants no generator registered.
    importlib.import_module("cross_attention_gan")
    config = resolve(study.source, images=study.images, seed=seed, settings=settings)
    images = data.load(study.source)
    trainer = Trainer(config, images, torch.device("cpu"))
    while trainer.images_seen < study.images:
        trainer.step(trainer.images_seen / study.images)
    score = LiveScore(images, num_fakes=NUM_FAKES)
    return {
        "value": score.distance(sample_pixels(trainer.average, range(NUM_FAKES))),
        "parameters": sum(weight.numel() for weight in trainer.generator.parameters()),
    }


def run_one(name: str, variant: str, seed: int, images: int | None = None) -> dict[str, float]:
    """One training run; `images` instead of the study's own, for a try."""
    study = replace(STUDIES[name], images=images or STUDIES[name].images)
    settings = (*study.shared, *study.variants[variant])
    run = run_classifier if study.kind == "classifier" else run_gan
    return run(study, settings, seed)


def missing(record: dict[str, Any], names: list[str], seeds: int) -> Iterator[tuple[str, str, int]]:
    """The runs that are still to do: one seed of everything before the next."""
    for seed in range(seeds):
        for name in names:
            for variant in STUDIES[name].variants:
                if str(seed) not in record["runs"].get(name, {}).get(variant, {}):
                    yield name, variant, seed


def read_record(path: Path = RESULTS) -> dict[str, Any]:
    """What has been run so far."""
    if not path.exists():
        return {"runs": {}, "summary": {}}
    record: dict[str, Any] = json.loads(path.read_text())
    return record


def summarise(name: str, runs: dict[str, dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Means with intervals, and paired differences to the first variant."""
    study = STUDIES[name]
    base = next(iter(study.variants))
    found: dict[str, Any] = {}
    tests: dict[str, float] = {}
    for variant in study.variants:
        each = {seed: run["value"] for seed, run in runs.get(variant, {}).items()}
        if not each:
            continue
        mean = mean_over_seeds(list(each.values()))
        parameters = next(iter(runs[variant].values()))["parameters"]
        row = {"mean": mean.value, "low": mean.low, "high": mean.high, "seeds": mean.n}
        found[variant] = row | {"parameters": parameters}
        shared = [seed for seed in each if seed in runs.get(base, {})]
        if variant != base and len(shared) > 1:
            test = paired_test([each[seed] - runs[base][seed]["value"] for seed in shared])
            found[variant] |= {"difference": vars(test.mean), "p": test.t}
            tests[variant] = 0.0 if test.t is None else test.t
    for variant, value in holm(tests).items():
        found[variant]["p, corrected"] = value
    return found


def tables(record: dict[str, Any]) -> str:
    """The block of docs/attention.md between its two marks, marks included."""
    parts = []
    for name, found in record["summary"].items():
        study = STUDIES[name]
        percent = study.kind == "classifier"
        metric = f"{study.metric.capitalize()}{', %' if percent else ''}"
        shared = ", ".join(f"`{setting}`" for setting in study.shared) or "defaults"
        parts += [
            f"### {study.question}",
            "",
            f"{metric}; {study.images:,} images a run; shared: {shared}.",
            "",
            "| | mean | 95 % interval | difference | p (Holm) | parameters | seeds |",
            "|---|---|---|---|---|---|---|",
            *(_row(variant, row, 100 if percent else 1) for variant, row in found.items()),
            "",
        ]
    return "\n".join(["<!-- studies -->", *parts, "<!-- end of studies -->"])


def _row(variant: str, row: dict[str, Any], scale: float) -> str:
    digits = 2 if scale > 1 else 3
    interval, change = "-", "-"
    if row["low"] is not None:
        interval = f"{scale * row['low']:.{digits}f} .. {scale * row['high']:.{digits}f}"
    if "difference" in row:
        change = f"{scale * row['difference']['value']:+.{digits}f}"
    p = f"{row['p, corrected']:.3f}" if "p, corrected" in row else "-"
    cells = (variant, f"{scale * row['mean']:.{digits}f}", interval, change, p)
    return f"| {' | '.join(cells)} | {row['parameters']:,} | {row['seeds']} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", nargs="+", default=list(STUDIES), choices=list(STUDIES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--images", type=int, help="only a try: fewer images a run; needs --out")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at a time")
    parser.add_argument("--write", action="store_true", help="only write the tables")
    asked = parser.parse_args()
    if asked.write:
        put(tables(read_record()), "studies", DOCUMENT)
        return
    if asked.images and asked.out == RESULTS:
        parser.error("--images is for a try; name another file with --out.")
    record = read_record(asked.out) | {
        "provenance": provenance(),
        "threads a run": 1,
    }
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(asked.jobs, multiprocessing.get_context("spawn")) as pool:
        todo = {
            pool.submit(run_one, *which, asked.images): which
            for which in missing(record, asked.studies, asked.seeds)
        }
        for done in as_completed(todo):
            name, variant, seed = todo[done]
            record["runs"].setdefault(name, {}).setdefault(variant, {})[str(seed)] = done.result()
            record["summary"] = {
                study: summarise(study, record["runs"][study])
                for study in STUDIES
                if study in record["runs"]
            }
            asked.out.write_text(json.dumps(record, indent=1) + "\n")
            print(f"{name} | {variant} | seed {seed}: {done.result()['value']:.4f}", flush=True)


if __name__ == "__main__":
    main()
