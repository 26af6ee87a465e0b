"""What a training step costs from 28 to 128 pixels, grey and RGB.

    python benchmarks/resolution.py

Every recipe is timed at every size with the patches that suit it, and at 64 pixels with the finest
patches too, which it would have without growing (`grown` is their time over ours; at 128 pixels
there would be 1,024 tokens, whose attention maps take gigabytes). Sizes take turns, so that a
machine that slows down slows all of them; of the rounds, the median and quartiles.

- `ms`: wall clock of a step. `cpu_ms`: processor time, which other work on the machine moves less.
- `over_28`: `cpu_ms` over that of 28 pixels, grey, beside the number of pixels over 28 x 28.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from provenance import provenance

from orthogan.data import ImageSet
from orthogan.gan.config import TrainingConfig
from orthogan.gan.recipes import RECIPES
from orthogan.gan.trainer import Trainer

OUT = Path(__file__).parent / "results" / "resolution.json"
SIZES = (28, 32, 64, 96, 128)
COLOURS = {1: "grey", 3: "RGB"}
NUM_IMAGES = 256
PROGRESS = 0.1
COMPARED = 64  # px
UNGROWN = "finest patches"


def config_for(recipe: str, size: int, colours: int, is_grown: bool) -> TrainingConfig:
    """A recipe for such images, its patches grown with them or as fine as for small ones."""
    config = RECIPES[recipe]().evolve("condition=none")
    networks = {"generator": config.generator, "discriminator": config.discriminator}
    if not is_grown:
        networks = {name: part.evolve(patch=part.FINEST) for name, part in networks.items()}
    return config.evolve(
        **{name: part.fitted(size, colours).to_dict() for name, part in networks.items()}
    )


def timed(trainer: Trainer, steps: int) -> tuple[float, float]:
    """Wall clock and processor time of a step, ms."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(steps):
        trainer.step(PROGRESS)
    return (
        1e3 * (time.perf_counter() - wall) / steps,
        1e3 * (time.process_time() - cpu) / steps,
    )


def row(trainer: Trainer, spans: list[tuple[float, float]]) -> dict[str, Any]:
    """What is known of one size."""
    config = trainer.config
    size, patch = config.generator.size, config.generator.spacing
    wall, cpu = zip(*spans, strict=True)
    return {
        "size": size,
        "colours": config.generator.colours,
        "patches": {"generator": patch, "discriminator": config.discriminator.spacing},
        "tokens": {
            "generator": (-(-size // patch)) ** 2,
            "discriminator": (-(-size // config.discriminator.spacing)) ** 2,
        },
        "weights": {
            "generator": sum(part.numel() for part in trainer.generator.parameters()),
            "discriminator": sum(part.numel() for part in trainer.discriminator.parameters()),
        },
        "ms": spread(wall),
        "cpu_ms": spread(cpu),
    }


def spread(values: tuple[float, ...]) -> dict[str, float]:
    """Median and quartiles."""
    low, median, high = statistics.quantiles(values, n=4)
    return {"median": round(median, 2), "low": round(low, 2), "high": round(high, 2)}


def measured(recipe: str, asked: argparse.Namespace) -> list[dict[str, Any]]:
    """A row a size, number of colours and kind of patches."""
    forms = [
        (size, colours, is_grown)
        for size in asked.sizes
        for colours in COLOURS
        for is_grown in ((True, False) if size == COMPARED else (True,))
    ]
    trainers, spans = {}, {form: [] for form in forms}
    for size, colours, is_grown in forms:
        pixels = torch.randint(0, 256, (NUM_IMAGES, colours, size, size), dtype=torch.uint8)
        config = config_for(recipe, size, colours, is_grown)
        trainers[size, colours, is_grown] = Trainer(config, ImageSet(pixels), torch.device("cpu"))
        timed(trainers[size, colours, is_grown], 1)
    for _ in range(asked.rounds):
        for form in forms:
            spans[form].append(timed(trainers[form], asked.steps))
    rows = {form: row(trainers[form], spans[form]) for form in forms}
    base = rows[forms[0]]["cpu_ms"]["median"]
    for (size, colours, is_grown), one in rows.items():
        one["over_28"] = round(one["cpu_ms"]["median"] / base, 2)
        one["pixels_over_28"] = round((size / 28) ** 2, 2)
        if not is_grown:
            one["kind"] = UNGROWN
            ours = rows[size, colours, True]["cpu_ms"]["median"]
            one["grown"] = round(one["cpu_ms"]["median"] / ours, 2)
    return list(rows.values())


def table(record: dict[str, Any]) -> str:
    """The record for people."""
    lines = []
    for recipe, rows in record["recipes"].items():
        lines += [f"{recipe}, {record['batch_size']} images a step, {record['precision']}"]
        lines += [
            f"  {one['size']:4} px {COLOURS[one['colours']]:4} {one['ms']['median']:8.0f} ms "
            f"(processor {one['cpu_ms']['median']:6.0f}), {one['over_28']:5.1f} times 28 px; "
            f"{one['tokens']['generator']:4} and {one['tokens']['discriminator']:3} tokens "
            f"{one.get('kind', '')}"
            for one in rows
        ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipes", nargs="*", default=["attention-gan", "transformer-gan"])
    parser.add_argument("--sizes", nargs="*", type=int, default=SIZES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2, help="steps a turn")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    recipes = {recipe: measured(recipe, asked) for recipe in asked.recipes}
    first = Trainer(
        config_for(asked.recipes[0], 28, 1, is_grown=True),
        ImageSet(torch.zeros(16, 1, 28, 28, dtype=torch.uint8)),
        torch.device("cpu"),
    )
    record = {
        "provenance": provenance(),
        "batch_size": first.config.batch_size,
        "precision": str(first.precision).removeprefix("torch."),
        "recipes": recipes,
    }
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_text(json.dumps(record, indent=1) + "\n")
    print(table(record))


if __name__ == "__main__":
    main()
