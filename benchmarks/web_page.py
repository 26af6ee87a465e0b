"""How quickly an exported web page draws, and how true: in Chromium, from a file, offline.

    npm install --prefix FOLDER playwright-core axe-core
    ORTHOGAN_PLAYWRIGHT=FOLDER python benchmarks/web_page.py --out benchmarks/results/web_page.json

Three generators: `mnist-demo`, one for colour images of 32 px, and one for stacked digits; the two
were never trained, since images cost the same whatever the weights are. For each: the size of the
file; seconds from opening the page to its first image; images a second, one after the other, with
seed, latent, network and bytes, by WebAssembly's vectors and in JavaScript alone; the furthest
pixel from `orthogan sample` over 256 seeds. Rates are counted in tenths of a second: the best of
them and the median. On a machine with other work the best says what the page can do.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from provenance import provenance

from orthogan import rng
from orthogan.export.html import export_html
from orthogan.models import bundle
from orthogan.models.generator import load
from orthogan.networks import GENERATORS

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))
from chromium import Visit, visited

NUM_SEEDS = 256
BARS = {"megabytes of mnist": 2.0, "first image, s": 1.5, "images a second": 60, "steps of 255": 1}
OTHERS = {
    "rgb": {"size": 32, "colours": 3, "classes": 10},
    "stacked": {"size": 28, "colours": 3, "classes": 0},
}
# Milliseconds after the page was opened, when its first image is there.
FIRST = "performance.getEntriesByName('first image')[0].startTime"
# Images in each of `count` tenths of a second.
RATES = """(async (count, isPlain) => {
  const { generator } = orthogan;
  const { heap, plans, kept } = generator.network;
  if (isPlain) {
    generator.network.heap = null;
    plans.clear();
    kept.clear();
  }
  const rates = [];
  let seed = 0n;
  for (let part = 0; part <= count; part++) {
    const start = performance.now();
    let images = 0;
    while (performance.now() - start < 100) {
      const latent = generator.latent(seed++);
      generator.draw([generator.noise(latent, generator.classOf(latent))]);
      images += 1;
    }
    if (part > 0) rates.push((1000 * images) / (performance.now() - start)); // the first warms up
    await new Promise((done) => setTimeout(done));
  }
  generator.network.heap = heap;
  plans.clear();
  kept.clear();
  return rates;
})"""
DRAWN = f"""[...Array({NUM_SEEDS}).keys()].map((seed) => {{
  const {{ generator }} = orthogan;
  const latent = generator.latent(BigInt(seed));
  return Array.from(generator.draw([generator.noise(latent, generator.classOf(latent))]).pixels[0]);
}})"""


def source_of(name: str, folder: Path) -> str:
    """The shipped model, or a bundle of a network with random weights."""
    if name == "mnist":
        return "mnist-demo"
    config = GENERATORS["attention"](**OTHERS[name])
    with rng.initialization(0, "page"):
        network = config.build()
    with torch.no_grad():  # some parts start at zero, and would hide what they do
        for i, weight in enumerate(network.parameters()):
            weight.add_(0.02 * rng.normal(tuple(weight.shape), rng.stream(0, "wake", i)))
    data = {"source": "none", "size": config.size, "colours": config.colours}
    made = bundle.save_bundle(
        folder / name,
        network_config=config.to_dict(),
        tensors=network.state_dict(),
        data=data,
        card={"title": name},
    )
    return str(made)


def measured(name: str, folder: Path, loads: int, parts: int) -> dict[str, Any]:
    source = source_of(name, folder)
    made = export_html(source, folder / f"{name}.html")
    opened = visited(*[Visit(file=made.path, steps=(FIRST,)) for _ in range(loads)])
    steps = (f"{RATES}({parts}, false)", f"{RATES}({parts}, true)", DRAWN)
    (seen,) = visited(Visit(file=made.path, steps=steps))
    problems = [each for visit in [*opened, seen] for each in (*visit.messages, *visit.requests)]
    wanted = load(source).sample(range(NUM_SEEDS)).permute(0, 2, 3, 1).int().numpy()
    drawn = np.array(seen.values[2]).reshape(*wanted.shape[:3], 4)[..., :3]
    firsts = [visit.values[0] / 1000 for visit in opened]
    return {
        "bytes": made.size,
        "weights": sum(each.numel() for each in made.model.generator.parameters()),
        "bits": made.bits,
        "first_image_s": {"median": statistics.median(firsts), "all": firsts},
        "images_per_second": {
            kind: {"best": max(rates), "median": statistics.median(rates)}
            for kind, rates in zip(("vectors", "javascript"), seen.values[:2], strict=True)
        },
        "steps_of_255": int(np.abs(drawn - wanted).max()),
        "exporter_difference": made.largest_difference,
        "problems": problems,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--loads", type=int, default=7)
    parser.add_argument("--parts", type=int, default=50, help="tenths of a second per rate")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = {
            name: measured(name, Path(folder), asked.loads, asked.parts)
            for name in ("mnist", *OTHERS)
        }
    asked.out.write_text(
        json.dumps({"provenance": provenance(), "bars": BARS, "pages": found}, indent=1) + "\n"
    )
    for name, each in found.items():
        print(name, json.dumps(each))


if __name__ == "__main__":
    main()
