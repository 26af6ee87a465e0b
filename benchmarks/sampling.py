"""How quickly images come out: from a cold start, in bulk, and by ONNX Runtime.

    python benchmarks/sampling.py
    pip install '.[export]'   # for the exported generator; without it the script says so

- `cold`: `orthogan sample mnist-demo` for 64 images as a fresh process, from start to exit; the
  same of that generator exported (`orthogan export`); and the share that importing torch takes.
- `bulk`: images a second of the bare generator by batch size and precision, its operations a second
  as a share of the rate of large matrix products in that precision, and as a share of what its own
  products reach alone. Generator and large product take turns: a share is the median of the shares
  within a round, with its quartiles, so that a slower minute of the machine weighs on both.
  Batches of 64 in parallel, one per thread, are what `sample` does; `product` is its whole way from
  seeds to bytes.
- `onnx`: the same generator exported, first compared with PyTorch, then timed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from attention_cost import compare
from products import Products, roofline
from provenance import provenance
from torch import Tensor, nn

from orthogan.cli.process import keep_pages
from orthogan.export.onnx import export_onnx
from orthogan.export.onnx_file import LABELS, LATENTS, OWN_CLASS, load_exported
from orthogan.inference_batches import INFERENCE_BATCH_SIZE
from orthogan.models import generator as models
from orthogan.networks.sampling import sample_pixels, side_by_side
from orthogan.streams import normal_rows
from orthogan.training.precision import autocast, has_native_bfloat16

RESULTS = Path(__file__).parent / "results"
CPU = torch.device("cpu")
NUM_COLD_IMAGES = 64
BARS = {"cold": 1.5, "share": 0.6}
BATCH_SIZES = (1, 16, 64, 128, 256, 1024)
SIDE_BY_SIDE = 32  # passes
SQUARE = 1024
ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def missing() -> list[str]:
    """Packages of the export that are not installed."""
    return [name for name in ONNX_PACKAGES if importlib.util.find_spec(name) is None]


def cold_start(source: str, repeats: int) -> dict[str, Any]:
    """Seconds of the whole command, and of importing torch alone, each in fresh processes."""
    with tempfile.TemporaryDirectory() as folder:
        sources = {"sample": source}
        if not missing():
            file = Path(folder) / "exported.onnx"
            export_onnx(source, file)
            sources["sample exported"] = str(file)
        target = str(Path(folder) / "grid.png")
        words = ["--seeds", f"0-{NUM_COLD_IMAGES - 1}", "--out", target]
        runs = {
            name: [sys.executable, "-m", "orthogan.cli", "sample", where, *words]
            for name, where in sources.items()
        }
        runs["import torch"] = [sys.executable, "-c", "import torch"]
        spans: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(repeats + 1):  # the first fills the caches of the disk
            for name, words in runs.items():
                start = time.perf_counter()
                subprocess.run(words, check=True, capture_output=True)
                spans[name].append(time.perf_counter() - start)
    return {
        name: {"median_s": statistics.median(found[1:]), "best_s": min(found[1:])}
        for name, found in spans.items()
    }


def heavy_imports() -> list[dict[str, Any]]:
    """The ten modules whose own code takes longest to import on the way to the first image."""
    program = "from orthogan.models import generator; from orthogan.cli import app, sample_files"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", program],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    rows = []
    for line in done.stderr.splitlines():
        own, _, rest = line.removeprefix("import time:").partition("|")
        whole, _, name = rest.partition("|")
        if own.strip().isdigit():
            rows.append({"module": name.strip(), "own_ms": int(own) / 1e3, "ms": int(whole) / 1e3})
    return sorted(rows, key=lambda row: -row["own_ms"])[:10]


def bulk(generator: nn.Module, asked: argparse.Namespace) -> list[dict[str, Any]]:
    """The bare generator by precision and batch size, in turns with a large product."""
    rows = []
    for precision in ["float32"] + ["bfloat16"] * has_native_bfloat16(CPU):
        square = torch.randn(SQUARE, SQUARE).to(getattr(torch, precision))
        for size in BATCH_SIZES:
            latents = torch.randn(size, generator.config.latent_size)
            row = _bulk_row(generator, latents, 1, square, precision, asked)
            rows.append({"precision": precision} | row)
        latents = torch.randn(INFERENCE_BATCH_SIZE, generator.config.latent_size)
        row = _bulk_row(generator, latents, SIDE_BY_SIDE, square, precision, asked)
        rows.append({"precision": precision} | row)
    return rows


def _bulk_row(
    generator: nn.Module,
    latents: Tensor,
    passes: int,
    square: Tensor,
    precision: str,
    asked: argparse.Namespace,
) -> dict[str, Any]:
    def draw(given: Tensor) -> Tensor:
        with torch.inference_mode(), autocast(precision, CPU):
            return generator(given)

    def many() -> object:
        return side_by_side(draw, [latents] * passes, asked.threads)

    alone = passes == 1
    found = compare(
        {"square": lambda: square @ square, "generator": partial(draw, latents) if alone else many},
        asked,
    )
    with autocast(precision, CPU), Products() as products:
        generator(latents)  # as when recorded: every product by itself
    span, flops = found["ms"]["generator"] / 1e3, passes * products.flops
    images, ratio = passes * len(latents), found["square_over"]["generator"]
    own = roofline(products.found, CPU)
    return {
        "batch": len(latents),
        "passes": passes,
        "images_per_second": images / span,
        "ms": 1e3 * span,
        "mflop_per_image": flops / images / 1e6,
        "gflops_per_second": flops / span / 1e9,
        "share of 1024 x 1024": {
            name: flops / (2 * SQUARE**3) * value for name, value in ratio.items()
        },
        "share of its own products": passes * own["us"] / 1e6 / span,
    }


def best_time(run: Callable[[], object], seconds: float) -> float:
    """The median time of a run, after one to warm up."""
    run()
    spans, stop = [], time.perf_counter() + seconds
    while len(spans) < 3 or time.perf_counter() < stop:
        start = time.perf_counter()
        run()
        spans.append(time.perf_counter() - start)
    return statistics.median(spans)


def product(generator: Any, num_images: int) -> dict[str, float]:
    """From seeds to bytes."""
    sample_pixels(generator, range(64))
    start = time.perf_counter()
    sample_pixels(generator, range(num_images))
    span = time.perf_counter() - start
    return {"images": num_images, "seconds": span, "images_per_second": num_images / span}


def onnx_runtime(source: str, threads: int, seconds: float) -> dict[str, Any]:
    """The exported generator: how far from PyTorch, and how fast."""
    if missing():
        return {"not measured": f"pip install {' '.join(missing())}"}
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        made = export_onnx(source, Path(folder) / "exported.onnx")
        generator = load_exported(made.generator.path, threads)
    rows = []
    for size in BATCH_SIZES:
        feed = {LATENTS: normal_rows(range(size), LATENTS, generator.latent_size)}
        if generator.classes:
            feed[LABELS] = np.full(size, OWN_CLASS, dtype=np.int64)
        span = best_time(lambda feed=feed: generator.session.run(None, feed), seconds)
        rows.append({"batch": size, "images_per_second": size / span, "ms": 1e3 * span})
    return {
        "version": onnxruntime.__version__,
        "largest difference": made.largest_difference,
        "rows": rows,
    }


def bars(record: dict[str, Any]) -> dict[str, Any]:
    """What was aimed at beside what was reached."""
    colds = {
        f"cold start, {name}, s": _at_most(found["median_s"], BARS["cold"])
        for name, found in record["cold"].items()
        if name != "import torch"
    }
    share = max(row["share of 1024 x 1024"]["median"] for row in record["bulk"])
    return colds | {
        "share of the matmul rate": {
            "value": share,
            "bar": f">= {BARS['share']}",
            "met": share >= BARS["share"],
        },
    }


def _at_most(value: float, bar: float) -> dict[str, Any]:
    return {"value": value, "bar": f"<= {bar}", "met": value <= bar}


def table(record: dict[str, Any]) -> str:
    """The record for people."""
    cold = record["cold"]
    lines = [f"{found['median_s']:8.2f} s  {name}" for name, found in cold.items()]
    lines += [
        f"{row['own_ms']:8.0f} ms {row['module']} alone ({row['ms']:.0f} ms with its imports)"
        for row in record["heavy_imports"]
    ]
    lines += [
        f"{row['images_per_second']:10,.0f} images/s  {row['precision']:8} "
        f"{row['passes']:2} x {row['batch']:4}  "
        f"{row['share of 1024 x 1024']['median']:5.1%} of matmul  "
        f"{row['share of its own products']:5.1%} of its own products"
        for row in record["bulk"]
    ]
    lines.append(f"{record['product']['images_per_second']:10,.0f} images/s  from seeds to bytes")
    onnx = record["onnx"]
    lines += [
        f"{row['images_per_second']:10,.0f} images/s  ONNX Runtime batch {row['batch']:4}"
        for row in onnx.get("rows", [])
    ] or [f"ONNX Runtime not measured: {onnx['not measured']}"]
    lines += [
        f"{'met   ' if bar['met'] else 'MISSED'} {name}: {bar['value']:.3g} (bar {bar['bar']})"
        for name, bar in record["bars"].items()
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", default="mnist-demo")
    parser.add_argument("--cold", type=int, default=7, help="fresh processes of each kind")
    parser.add_argument("--rounds", type=int, default=15, help="of the turns")
    parser.add_argument("--span", type=float, default=0.2, help="seconds a turn, at least")
    parser.add_argument("--seconds", type=float, default=1.0, help="a throughput of ONNX Runtime")
    parser.add_argument("--images", type=int, default=10_000, help="of the whole way")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=RESULTS / "sampling.json")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    keep_pages()  # as `sample` does
    generator = models.load(asked.source).generator
    record: dict[str, Any] = {
        "provenance": provenance(),
        "source": asked.source,
        "parameters": sum(p.numel() for p in generator.parameters()),
        "cold": cold_start(asked.source, asked.cold),
        "heavy_imports": heavy_imports(),
        "bulk": bulk(generator, asked),
        "product": product(generator, asked.images),
        "onnx": onnx_runtime(asked.source, asked.threads, asked.seconds),
    }
    record["bars"] = bars(record)
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_text(json.dumps(record, indent=1) + "\n")
    print(table(record))


if __name__ == "__main__":
    main()
