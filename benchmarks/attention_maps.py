"""What training does to attention maps: every head before and after, over seeds, on MNIST.

    python benchmarks/attention_maps.py                    # 5 seeds of the default recipe
    python benchmarks/attention_maps.py --images 20000 --seeds 3 --variant-seeds 0

Runs are kept in a folder and not trained twice. A generator is seen over the images of seeds 0-255,
a discriminator over 256 training images; `untrained` is the network of the same configuration and
seed before the first step. Each statistic is the mean over the heads of one network; differences
are paired by seed, with 95 % intervals over seeds (Student). `moved` is the total variation
distance of the mean maps from those before training; in its row of the summary, `before` is its
floor: the distance of the trained network from itself over 256 other images.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from provenance import provenance

import orthogan as og
from orthogan.analysis.attention_sheet import sheet_of
from orthogan.analysis.attention_statistics import HeadStatistics, moved_fraction
from orthogan.analysis.look_result import LayerLook, Look, NetworkLook
from orthogan.data import load
from orthogan.images.encoding import png
from orthogan.statistics import mean_interval

RESULTS = Path(__file__).parent / "results"
NUM_SEEN = 256
SHOWN = 3  # images in the pictures of the documents
VARIANTS = {
    "default": (),
    "softmax-free": ("generator.score=none", "discriminator.score=none"),
    "keyless": ("generator.keys=values", "discriminator.keys=values"),
}
BORDER = "border_lift"  # attention on the patches at the border, times even
STATISTICS = (
    "entropy_fraction", "attended", "position_fraction", "place_fraction", "offset_fraction",
    "distance", "detail_lift", "negative_fraction",
)  # fmt: skip


def train(folder: Path, variant: str, seed: int, images: int) -> Path:
    """A run of that variant; the one that is there already if it is done."""
    run = folder / f"{variant}-{seed}"
    found = og.train("mnist", run=run, seed=seed, images=images, settings=list(VARIANTS[variant]))
    if found.status != "done":  # stopped: the same command goes on
        raise SystemExit(found.reason)
    return run


def heads_of(network: NetworkLook, *, untrained: bool = False) -> list[HeadStatistics]:
    """All heads of all layers."""
    layers = network.untrained if untrained else network.layers
    return [head for layer in layers for head in layer.heads]


def received(layers: tuple[LayerLook, ...]) -> torch.Tensor:
    """What each patch gets from all patches, as a multiple of even attention: rows x columns."""
    maps = [layer.attention.mean((0, 1)) for layer in layers]
    grid = layers[0].patches.grid
    mean = torch.stack(maps).mean(0)[layers[0].patches.num_class :]
    return (mean / mean.mean()).unflatten(0, grid)


def border_lift(layers: tuple[LayerLook, ...]) -> float:
    """The mean of `received` over the patches at the border."""
    gets = received(layers)
    is_border = torch.ones_like(gets, dtype=torch.bool)
    is_border[1:-1, 1:-1] = False
    return float(gets[is_border].mean())


def mean_of(heads: list[HeadStatistics], name: str) -> float | None:
    """The mean of a statistic over heads; None if no head has it."""
    values = [value for head in heads if (value := getattr(head, name)) is not None]
    return sum(values) / len(values) if values else None


def measured(run: Path) -> dict[str, Any]:
    """Both networks of a run: statistics after and before, and how far the maps have moved."""
    first = og.look(run, seeds=range(NUM_SEEN))
    others = look_at_others(run)
    found = {}
    for network in first.networks:
        moved = [far for layer in network.moved() for far in layer]
        pairs = zip(network.layers, others[network.role].layers, strict=True)
        floor = [
            far for one, other in pairs for far in moved_fraction(one.attention, other.attention)
        ]
        after = {name: mean_of(heads_of(network), name) for name in STATISTICS}
        before = {name: mean_of(heads_of(network, untrained=True), name) for name in STATISTICS}
        found[network.role] = {
            "trained": after | {BORDER: border_lift(network.layers)},
            "untrained": before | {BORDER: border_lift(network.untrained)},
            "received": received(network.layers).tolist(),
            "uniform_distance": heads_of(network)[0].uniform_distance,
            "moved": sum(moved) / len(moved),
            "moved_floor": sum(floor) / len(floor),
            "heads": network.to_dict()["layers"],
        }
    return found


def look_at_others(run: Path) -> dict[str, NetworkLook]:
    """The same networks over other images: other seeds, test images."""
    test = load("mnist", split="test").images[:NUM_SEEN]
    maker = og.look(run, network="generator", seeds=range(NUM_SEEN, 2 * NUM_SEEN))
    judge = og.look(run, network="discriminator", images=test)
    return {"generator": maker.networks[0], "discriminator": judge.networks[0]}


def summarise(runs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """By network: means over seeds, and paired differences from before training."""
    summary: dict[str, Any] = {}
    for role in ("generator", "discriminator"):
        rows: dict[str, Any] = {"seeds": len(runs)}
        for name in (*STATISTICS, BORDER):
            after = [run[role]["trained"][name] for run in runs.values()]
            before = [run[role]["untrained"][name] for run in runs.values()]
            rows[name] = compared(after, before)
        moved = [run[role]["moved"] for run in runs.values()]
        floor = [run[role]["moved_floor"] for run in runs.values()]
        rows["moved"] = compared(moved, floor)
        summary[role] = rows
    return summary


def compared(after: list[float | None], before: list[float | None]) -> dict[str, Any]:
    """Means of both, and of their difference with its interval over seeds."""
    pairs = [(a, b) for a, b in zip(after, before, strict=True) if a is not None and b is not None]
    if not pairs:
        return {"after": None, "before": None, "difference": None, "interval": None}
    table = torch.tensor(pairs, dtype=torch.float64)
    differences = table[:, 0] - table[:, 1]
    interval = list(mean_interval(differences)) if len(pairs) > 1 else None
    return {
        "after": float(table[:, 0].mean()),
        "before": float(table[:, 1].mean()),
        "difference": float(differences.mean()),
        "interval": interval,
        "same sign in": int((differences.sign() == differences.mean().sign()).sum()),
    }


ROWS = {
    "attended": "attended to, patches",
    "position_fraction": "same in every image",
    "place_fraction": "of that, by patch",
    "offset_fraction": "of that, by offset",
    "detail_lift": "detail",
    "distance": "distance, patches",
    BORDER: "attention on the border, times even",
    "moved": "moved (before: its floor)",
}


def table(record: dict[str, Any]) -> str:
    """The summary of the default recipe as docs/look.md shows it."""
    lines = [
        "| | network | before | after | difference | 95 % interval |",
        "|---|---|---|---|---|---|",
    ]
    for name, words in ROWS.items():
        for role, rows in record["summary"]["default"].items():
            row = rows[name]
            low, high = row["interval"]
            lines.append(
                f"| {words} | {role} | {row['before']:.2f} | {row['after']:.2f} "
                f"| {row['difference']:+.2f} | {low:+.2f} to {high:+.2f} |"
            )
    return "\n".join(lines)


def draw(run: Path, out: Path, variant: str) -> None:
    """A picture of each network; of a variant, of the discriminator, where they differ most."""
    seen: Look = og.look(run, seeds=range(NUM_SEEN), shown=SHOWN)
    for network in seen.networks if variant == "default" else seen.networks[1:]:
        alone = Look(source=seen.source, networks=(network,))
        name = network.role if variant == "default" else f"{network.role}-{variant}"
        (out / f"attention_maps-{name}.png").write_bytes(png(sheet_of([alone])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--variant-seeds", type=int, default=1)
    parser.add_argument("--images", type=int, default=40_000, help="training images of each run")
    parser.add_argument("--runs", type=Path, default=Path("runs/attention-maps"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    record: dict[str, Any] = {"provenance": provenance(), "images": asked.images, "seen": NUM_SEEN}
    record |= {"summary": {}, "runs": {}}
    for variant in VARIANTS:
        count = asked.seeds if variant == "default" else asked.variant_seeds
        runs = record["runs"][variant] = {}
        for seed in range(count):
            run = train(asked.runs, variant, seed, asked.images)
            runs[str(seed)] = measured(run)
            if seed == 0:
                draw(run, asked.out, variant)
            record["summary"][variant] = summarise(runs)
            (asked.out / "attention_maps.json").write_text(json.dumps(record, indent=1) + "\n")
            print(f"{variant}, seed {seed}: measured", flush=True)


if __name__ == "__main__":
    main()
