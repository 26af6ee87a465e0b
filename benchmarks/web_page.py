"""How quickly an exported web page draws, and how true: in Chromium, from a file, offline.

    orthogan train icons/ --run runs/icons                       # any folder of colour images
    orthogan train stacked-mnist --model stacked-mnist --run runs/stacked
    npm install --prefix FOLDER playwright-core axe-core
    ORTHOGAN_PLAYWRIGHT=FOLDER python benchmarks/web_page.py --rgb runs/icons \
        --stacked runs/stacked

Trained generators: `mnist-demo`, one of a run on colour images, and one of a run on stacked digits;
and `mnist-demo` once more as an ONNX file, drawn by ONNX Runtime Web. For each: the size of the
file; seconds from opening the page to its first image; images a second, one after the other, with
seed, latent, network and bytes, by WebAssembly's vectors and, of our own kernels, in JavaScript
alone; the furthest pixel from `orthogan sample` over 256 seeds. Rates are counted in tenths of a
second: the best of them and the median. On a machine with other work the best says what the page
can do.
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
from provenance import provenance

from orthogan.export.html import export_html
from orthogan.export.onnx import export_onnx
from orthogan.export.onnx_file import load_exported
from orthogan.models.generator import load

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))
from chromium import Visit, visited

NUM_SEEDS = 256
RESULTS = Path(__file__).parent / "results"
BARS = {
    "megabytes of mnist": 2.0,
    "megabytes of onnx": 6.0,
    "first image, s": 1.5,
    "images a second": 60,
    "steps of 255": 1,
}
BEGUN = ("until", "performance.getEntriesByName('first image').length > 0")
# Milliseconds after the page was opened, when its first image is there.
FIRST = "performance.getEntriesByName('first image')[0].startTime"
# Images in each of `count` tenths of a second.
RATES = """(async (count, isPlain) => {
  const { generator } = orthogan;
  const { heap, plans, kept } = generator.network ?? {};
  const renew = (which) => {
    if (!generator.network) return;
    generator.network.heap = which;
    plans.clear();
    kept.clear();
  };
  if (isPlain) renew(null);
  const rates = [];
  let seed = 0n;
  for (let part = 0; part <= count; part++) {
    const start = performance.now();
    let images = 0;
    while (performance.now() - start < 100) {
      const latent = generator.latent(seed);
      await generator.draw([generator.noise(latent, generator.classOf(latent, seed))]);
      seed += 1n;
      images += 1;
    }
    if (part > 0) rates.push((1000 * images) / (performance.now() - start)); // the first warms up
    await new Promise((done) => setTimeout(done));
  }
  renew(heap);
  return rates;
})"""
DRAWN = f"""(async () => {{
  const {{ generator }} = orthogan;
  const made = [];
  for (let seed = 0n; seed < {NUM_SEEDS}n; seed++) {{
    const latent = generator.latent(seed);
    const given = generator.noise(latent, generator.classOf(latent, seed));
    made.push(Array.from((await generator.draw([given])).pixels[0]));
  }}
  return made;
}})()"""


def measured(source: str, page: Path, loads: int, parts: int) -> dict[str, Any]:
    """The page of a source, and of an ONNX file."""
    made = export_html(source, page)
    opened = visited(*[Visit(file=made.path, steps=(BEGUN, FIRST)) for _ in range(loads)])
    kinds = ["vectors"] if made.has_runtime else ["vectors", "javascript"]
    rates = [f"{RATES}({parts}, {json.dumps(kind == 'javascript')})" for kind in kinds]
    (seen,) = visited(Visit(file=made.path, steps=(BEGUN, *rates, DRAWN)))
    problems = [each for visit in [*opened, seen] for each in (*visit.messages, *visit.requests)]
    wanted = wanted_of(source)
    drawn = np.array(seen.values[-1]).reshape(*wanted.shape[:3], 4)[..., : wanted.shape[3]]
    firsts = [visit.values[1] / 1000 for visit in opened]
    return {
        "bytes": made.size,
        "bits": made.bits,
        "first_image_s": {"median": statistics.median(firsts), "all": firsts},
        "images_per_second": {
            kind: {"best": max(found), "median": statistics.median(found)}
            for kind, found in zip(kinds, seen.values[1:-1], strict=True)
        },
        "steps_of_255": int(np.abs(drawn - wanted).max()),
        "exporter_difference": made.largest_difference,
        "problems": problems,
    }


def wanted_of(source: str) -> np.ndarray:
    """What `orthogan sample` draws: image x row x column x colour."""
    if source.endswith(".onnx"):
        return load_exported(source).sample(range(NUM_SEEDS)).astype(int)
    images = load(source).sample(range(NUM_SEEDS))
    return images.permute(0, 2, 3, 1).int().numpy()


def about(source: str) -> dict[str, Any]:
    """What a run was trained on and for how long; nothing of where it lies."""
    if not Path(source).is_dir():
        return {}
    record = json.loads((Path(source) / "run.json").read_text())
    config = record["config"]
    return {
        "data": Path(config["data"]["source"]).name,
        "recipe": record.get("recipe"),
        "images": record["images_seen"],
        "seconds": round(record["seconds"], 1),
        "network": {
            name: config["generator"][name] for name in ("kind", "size", "colours", "classes")
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rgb", required=True, help="a run on colour images")
    parser.add_argument("--stacked", required=True, help="a run on stacked digits")
    parser.add_argument("--loads", type=int, default=7)
    parser.add_argument("--parts", type=int, default=50, help="tenths of a second per rate")
    parser.add_argument("--out", type=Path, default=RESULTS / "web_page.json")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        onnx = Path(folder) / "mnist-demo.onnx"
        export_onnx("mnist-demo", onnx)
        sources = {"mnist": "mnist-demo", "rgb": asked.rgb, "stacked": asked.stacked}
        sources["onnx"] = str(onnx)
        found = {
            name: about(source)
            | measured(source, Path(folder) / f"{name}.html", asked.loads, asked.parts)
            for name, source in sources.items()
        }
    told = provenance()
    told["command"] = (
        "python benchmarks/web_page.py --rgb runs/icons --stacked runs/stacked "
        f"--loads {asked.loads} --parts {asked.parts}"
    )
    asked.out.write_text(
        json.dumps({"provenance": told, "bars": BARS, "pages": found}, indent=1) + "\n"
    )
    for name, each in found.items():
        print(name, json.dumps(each))


if __name__ == "__main__":
    main()
