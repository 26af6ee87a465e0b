"""The table of records in benchmarks/README.md, made from the committed JSON.

    python benchmarks/records.py            # prints it
    python benchmarks/records.py --write    # puts it into benchmarks/README.md

A record without its JSON is shown as not measured. A test holds the table to this.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from marked_block import print_or_write

HERE = Path(__file__).parent
RESULTS = HERE / "results"
HEAD = "| what | record | seeds | date | machine | command |"

# What was measured, what came out, and over how many seeds.
Row = tuple[str, str, str]


def time_to_quality(found: dict[str, Any]) -> Iterator[Row]:
    """Distances of the default recipe, as times below the DCGAN's."""
    ours = found["summary"]["attention-gan"]
    reached, times = ours["seconds to the dcgan's final fd"], ours["times lower at each mark"]
    yield "MNIST: seconds to the DCGAN's 300-second distance", f"{reached:.0f} s", "1"
    for mark in ("60", "300"):
        yield f"MNIST: distance below the DCGAN's at {mark} s", f"{times[mark]:.0f} times", "1"


def one_minute(found: dict[str, Any]) -> Iterator[Row]:
    """The same over seeds."""
    for name, row in found["summary"].items():
        if "times below the dcgan at 60 s" in row:
            spread = row["times below the dcgan at 60 s"]
            value = f"{spread['median']:.0f} times ({spread['low']:.0f} to {spread['high']:.0f})"
            what = f"MNIST: distance below the DCGAN's at 60 s, {name}"
            yield what, value, str(row["seeds"])


def seeds(found: dict[str, Any]) -> Iterator[Row]:
    """Distance after so many seconds: its middle, its worst, and that of real images."""
    middle, worst = found["summary"]["fd median"], found["summary"]["fd worst"]
    value = f"{middle:.3f} (worst {worst:.3f}; real images {real_distance(found):.3f})"
    yield f"MNIST: distance after {found['seconds']:.0f} s", value, str(len(found["runs"]))


def real_distance(found: dict[str, Any]) -> float:
    """The distance of as many held-out real images, from a record of seeds."""
    scores = found["runs"][0]["scores"]
    return next(float(score["floor"]) for name, score in scores.items() if name.startswith("fd["))


def time_to_modes(found: dict[str, Any]) -> Iterator[Row]:
    """Stacked-MNIST: time to all modes, and the last KL."""
    for name, row in found["summary"].items():
        seeds, after = str(row["seeds"]), f"after {found['seconds']:.0f} s"
        seconds = row["median seconds to all modes"]
        value = (
            f"{row['least modes at the end']} {after}" if seconds is None else f"{seconds:.0f} s"
        )
        yield f"Stacked-MNIST: seconds to 1000 of 1000 modes, {name}", value, seeds
        real = found["real images"]["kl"]
        value = f"{row['median kl at the end']:.3f} (real images {real:.3f})"
        yield f"Stacked-MNIST: KL of 26,000 images {after}, {name}", value, seeds


def classifier(found: dict[str, Any]) -> Iterator[Row]:
    """Accuracy of each case."""
    for name, row in found["summary"].items():
        what = f"classifier, {found['seconds']:.0f} s: {name}"
        yield what, f"{row['median']:.2%}", str(row["seeds"])


def step(found: dict[str, Any]) -> Iterator[Row]:
    """What a training step costs beside simpler ones, and beside its own products."""
    for name, bar in found["bars"].items():
        yield f"step of {found['model']}: {name}", f"{bar['value']:.3g}", "-"


def precision(found: dict[str, Any]) -> Iterator[Row]:
    """What training in bfloat16 changes."""
    for mark, row in found["summary"].items():
        low, high = row["interval"]
        value = f"{row['distance in bfloat16 over float32']:.3f} ({low:.3f} to {high:.3f})"
        kind = "bfloat16, emulated," if found["emulated"] else "bfloat16"
        what = f"{found['data']}: distance trained in {kind} / in float32, {int(mark):,} images"
        yield what, value, str(row["seeds"])


def sampling(found: dict[str, Any]) -> Iterator[Row]:
    """Images a second, and the first ones."""
    whole, torch = (found["cold"][part]["median_s"] for part in ("sample", "import torch"))
    value = f"{whole:.2f} s (importing torch alone: {torch:.2f} s)"
    yield "sampling: 64 images from a cold start", value, "-"
    exported = found["cold"].get("sample exported")
    value = "not measured" if exported is None else f"{exported['median_s']:.2f} s"
    yield "sampling: 64 images from a cold start, exported to ONNX", value, "-"
    best = max(found["bulk"], key=lambda row: row["images_per_second"])
    value = f"{best['images_per_second']:,.0f} images/s"
    yield f"sampling in bulk, {_batches(best)}", value, "-"
    best = max(found["bulk"], key=lambda row: row["share of 1024 x 1024"]["median"])
    share = best["share of 1024 x 1024"]
    value = f"{share['median']:.2f} (quartiles {share['low']:.2f} and {share['high']:.2f})"
    yield f"sampling: fraction of the rate of 1024 x 1024 products, {_batches(best)}", value, "-"


def _batches(row: dict[str, Any]) -> str:
    side = f"{row['passes']} batches in parallel, " if row["passes"] > 1 else ""
    return f"{row['precision']}, {side}batch {row['batch']}"


def attention_cost(found: dict[str, Any]) -> Iterator[Row]:
    """Softmax-free against softmax; our layer against PyTorch's."""
    for name, goal in found["goals"].items():
        measured = goal["measured"]
        parts = measured if isinstance(measured, dict) else {"": measured}
        yield f"attention: {name}", ", ".join(f"{v:g} {k}".strip() for k, v in parts.items()), "-"


def census(found: dict[str, Any]) -> Iterator[Row]:
    """Seconds of the exact flip count."""
    for run in found["runs"]:
        what = f"exact flip count of {found['tokens']:,} tokens x {found['positions']} positions"
        yield f"{what}, codes x {run['scale']:g}", f"{run['seconds']:.1f} s", "-"


def words(found: dict[str, Any]) -> Iterator[Row]:
    """Seconds of the analysis of word vectors."""
    for name, row in found["sources"].items():
        yield f"analysis of {row['tokens']:,} words ({name})", f"{row['seconds']:.0f} s", "-"


def gpu(found: dict[str, Any]) -> Iterator[Row]:
    """Throughput on a GPU."""
    best = max(found["throughput"], key=lambda row: row["images_per_second"])
    yield "GPU: images a second", f"{best['images_per_second']:,.0f}", "-"


RECORDS: dict[str, Callable[[dict[str, Any]], Iterator[Row]]] = {
    "time_to_quality": time_to_quality,
    "time_to_quality-avx2": time_to_quality,
    "one_minute": one_minute,
    "one_minute-avx2": one_minute,
    "ten_seeds": seeds,
    "five_minutes": seeds,
    "half_hour": seeds,
    "half_hour-avx2": seeds,
    "time_to_modes": time_to_modes,
    "time_to_modes-five-seeds": time_to_modes,
    "time_to_modes-forty-minutes": time_to_modes,
    "time_to_modes-avx2": time_to_modes,
    "classifier": classifier,
    "classifier-softmax-free": classifier,
    "classifier-stacked": classifier,
    "classifier-stacked-softmax-free": classifier,
    "step": step,
    "step-avx512": step,
    "step-stacked-mnist": step,
    "precision": precision,
    "sampling": sampling,
    "attention_cost": attention_cost,
    "census": census,
    "words": words,
    "gpu": gpu,
}


def table() -> str:
    """The block between the two marks, marks included."""
    lines = ["<!-- records -->", HEAD, "|---|---|---|---|---|---|"]
    for name, rows in RECORDS.items():
        path = RESULTS / f"{name}.json"
        if not path.exists():
            lines.append(f"| {name} | not measured | - | - | - | `python benchmarks/{name}.py` |")
            continue
        found = json.loads(path.read_text())
        made = found["provenance"]
        kind = ", ".join(made[fact] for fact in ("processor", "instructions") if fact in made)
        machine = f"{kind}, {made['threads']} of {made['cores']} cores"
        for what, value, seeds in rows(found):
            cells = (
                what,
                value,
                seeds,
                made["date"].split()[0],
                machine,
                f"`{made['command'].strip()}`",
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "<!-- end of records -->"])


def main() -> None:
    print_or_write(__doc__.splitlines()[0], table(), "records", HERE / "README.md")


if __name__ == "__main__":
    main()
