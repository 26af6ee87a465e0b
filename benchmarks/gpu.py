"""What a GPU makes of the trainer: throughput, waiting, gradients, and Stacked-MNIST on it.

    python benchmarks/gpu.py                    # with a CUDA device
    python benchmarks/gpu.py --small            # anywhere, in seconds: shows that the script works

- `throughput`: images a second by batch size and precision, eager and compiled, the share
  of the time in which the device was at work, and the roofline of the step's own products.
- `waiting`: steps taken while PyTorch forbids every call that makes the host wait for the device.
- `gradients`: gradients of both networks in float32 against the CPU's.
- `records`: `stacked-mnist` for a while, modes and KL of 26,000 images.

Without a device every part that needs one says 'not measured'.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from products import Products, roofline
from provenance import provenance
from time_to_modes import kl_facts
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from orthogan import data
from orthogan.evaluation import LiveScore
from orthogan.gan.api import resolve
from orthogan.gan.trainer import Trainer
from orthogan.gan.watch.saturation import STEPS_BETWEEN_MEASUREMENTS
from orthogan.networks.sampling import sample_pixels

RESULTS = Path(__file__).parent / "results"
CPU = torch.device("cpu")
PROGRESS = 0.1
BATCH_SIZES = (64, 256, 1024, 4096)
PARITY_BAR = 1e-4  # relative, of a gradient in float32 whose sums run in another order
NOT_MEASURED = "not measured"


def make(images: data.ImageSet, device: torch.device, *settings: str, model: str = "attention-gan"):
    config = resolve(images.name, model=model, settings=settings)
    return Trainer(config, images, device)


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def step_seconds(trainer: Trainer, steps: int) -> float:
    """Seconds a step, over so many steps without waiting between them."""
    for _ in range(min(steps, 2 * STEPS_BETWEEN_MEASUREMENTS)):
        trainer.step(PROGRESS)
    wait(trainer.device)
    start = time.perf_counter()
    for _ in range(steps):
        trainer.step(PROGRESS)
    wait(trainer.device)
    return (time.perf_counter() - start) / steps


def busy_share(trainer: Trainer, steps: int) -> float | str:
    """The share of the time in which a kernel ran on the device; 'not measured' without one."""
    if trainer.device.type != "cuda":
        return NOT_MEASURED
    with profile(activities=[ProfilerActivity.CUDA]) as record:
        start = time.perf_counter()
        for _ in range(steps):
            trainer.step(PROGRESS)
        wait(trainer.device)
        whole_us = 1e6 * (time.perf_counter() - start)
    return sum(row.self_device_time_total for row in record.key_averages()) / whole_us


def throughput(images: data.ImageSet, device: torch.device, asked: Any) -> list[dict[str, Any]]:
    """Every batch size and precision, with and without compilation."""
    rows = []
    for size in asked.batch_sizes:
        for precision in ("float32", "bfloat16"):
            for compiled in (False, True) if asked.compile else (False,):
                row = {"batch": size, "precision": precision, "compiled": compiled}
                rows.append(row | _attempt(lambda r=row: _throughput(images, device, asked, r)))
                print(json.dumps(rows[-1]), flush=True)
    return rows


def _throughput(
    images: data.ImageSet, device: torch.device, asked: Any, row: dict[str, Any]
) -> dict[str, Any]:
    settings = (f"batch_size={row['batch']}", f"precision={row['precision']}")
    trainer = make(images, device, *settings)
    if row["compiled"]:
        trainer.compile()
    span = step_seconds(trainer, asked.steps)
    found = {
        "ms": 1e3 * span,
        "images_per_second": row["batch"] / span,
        "device busy": busy_share(trainer, asked.steps),
    }
    if row["compiled"]:
        return found
    with Products() as products:
        trainer.step(PROGRESS)
    own = roofline(products.found, device)
    return found | {
        "gflop": products.flops / 1e9,
        "gflops_per_second": products.flops / span / 1e9,
        "share of its own products": 1e-6 * own["us"] / span,
    }


def _attempt(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the work finds, or why it could not be done: no compiler, or not enough memory."""
    try:
        return work()
    except (RuntimeError, torch.cuda.OutOfMemoryError) as error:
        return {NOT_MEASURED: " ".join(str(error).split())[:200]}


def waiting(images: data.ImageSet, device: torch.device) -> dict[str, Any]:
    """Whether the steps between two looks of the watch make the host wait."""
    if device.type != "cuda":
        return {"waits": NOT_MEASURED}
    found: dict[str, Any] = {}
    for penalty in ("exact", "finite-difference"):
        trainer = make(images, device, f"penalty.kind={penalty}")
        for _ in range(STEPS_BETWEEN_MEASUREMENTS):  # ends with a look
            trainer.step(PROGRESS)
        torch.cuda.set_sync_debug_mode("error")
        try:
            for _ in range(STEPS_BETWEEN_MEASUREMENTS - 1):
                trainer.step(PROGRESS)
            found[penalty] = "never waits"
        except RuntimeError as error:
            found[penalty] = f"waits: {' '.join(str(error).split())[:200]}"
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return {"waits": found, "looks": f"one step in {STEPS_BETWEEN_MEASUREMENTS} waits, to look"}


def gradients(images: data.ImageSet, device: torch.device, batch: int) -> dict[str, Any]:
    """The largest difference of a gradient from the CPU's, relative to its own largest entry."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    trainer = make(images, CPU, "precision=float32", f"batch_size={batch}")
    real = images.floats(trainer.order.batch(0, batch))
    latents = torch.randn(batch, trainer.config.generator.latent_size)
    ours = _gradients(trainer.generator, trainer.discriminator, real, latents, device)
    theirs = _gradients(trainer.generator, trainer.discriminator, real, latents, CPU)
    worst = max(
        float((ours[name].cpu() - there).abs().max() / there.abs().max().clamp_min(1e-12))
        for name, there in theirs.items()
    )
    return {"largest difference": worst, "bar": f"<= {PARITY_BAR}", "met": worst <= PARITY_BAR}


def _gradients(
    generator: nn.Module,
    discriminator: nn.Module,
    real: Tensor,
    latents: Tensor,
    device: torch.device,
) -> dict[str, Tensor]:
    """Of both networks, penalty included, on a device."""
    networks = nn.ModuleDict({"G": copy.deepcopy(generator), "D": copy.deepcopy(discriminator)}).to(
        device
    )
    fake = networks["G"](latents.to(device))
    images = torch.cat([real.to(device), fake.detach()]).requires_grad_()
    logits = networks["D"](images)
    (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    pairs = nn.functional.softplus(logits[len(real) :] - logits[: len(real)]).mean()
    loss = pairs + 30 * slope.square().sum((1, 2, 3)).mean()
    for parameter, gradient in zip(
        networks["D"].parameters(),
        torch.autograd.grad(loss, list(networks["D"].parameters())),
        strict=True,
    ):
        parameter.grad = gradient
    networks["D"].requires_grad_(False)
    nn.functional.softplus(-networks["D"](fake)).mean().backward()
    return {name: p.grad for name, p in networks.named_parameters() if p.grad is not None}


def records(device: torch.device, asked: Any) -> dict[str, Any]:
    """The recipe for Stacked-MNIST on the device."""
    images = data.load("stacked-mnist")
    score = LiveScore(images, num_fakes=asked.fakes)
    settings = tuple(asked.set)
    trainer = make(images, device, *settings, model="stacked-mnist")
    start = time.perf_counter()
    while (spent := time.perf_counter() - start) < asked.seconds:
        trainer.step(spent / asked.seconds)
    wait(device)
    facts = kl_facts(score.read(sample_pixels(trainer.average, range(asked.fakes))), asked.fakes, 0)
    real = kl_facts(score.real, min(asked.fakes, len(images) // 2), 0)
    return {
        "seconds": asked.seconds,
        "images": trainer.images_seen,
        "config": trainer.config.to_dict(),
        "real images": real,
    } | facts


def table(record: dict[str, Any]) -> str:
    """The record for people."""
    lines = [f"device: {record['device']}"]
    for row in record["throughput"]:
        kind = "compiled" if row["compiled"] else "eager"
        name = f"batch {row['batch']:5} {row['precision']:8} {kind:8}"
        if NOT_MEASURED in row:
            lines.append(f"{name}  {NOT_MEASURED}: {row[NOT_MEASURED][:60]}")
            continue
        busy = row["device busy"]
        share = busy if isinstance(busy, str) else f"{busy:.0%}"
        lines.append(f"{name}  {row['images_per_second']:10,.0f} images/s  device busy: {share}")
    lines.append(f"waiting: {record['waiting']['waits']}")
    lines.append(f"gradients: {record['gradients']['largest difference']}")
    found = record["records"]
    reached = f"{found['modes']} modes, KL {found['kl']:.4f}"
    lines.append(f"stacked-mnist: {reached} after {found['images']:,} images")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--small", action="store_true", help="seconds of work, on the CPU if need be"
    )
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=list(BATCH_SIZES))
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=300.0, help="of Stacked-MNIST")
    parser.add_argument("--fakes", type=int, default=26_000)
    parser.add_argument("--set", nargs="*", default=["batch_size=512"], help="for Stacked-MNIST")
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    has_device = torch.cuda.is_available()
    if not has_device and not asked.small:
        parser.error("there is no CUDA device; --small runs on the CPU")
    if asked.small:
        asked.batch_sizes, asked.steps, asked.seconds, asked.fakes = [16], 2, 1.0, 500
        asked.set, asked.compile = ["batch_size=16"], False
    # A small run proves nothing: it never takes the place of a record.
    name = "gpu-small.json" if asked.small else "gpu.json"
    out = asked.out or RESULTS / name
    device = torch.device("cuda" if has_device else "cpu")
    images = data.load("mnist")
    record = {
        "provenance": provenance(),
        "device": torch.cuda.get_device_name() if has_device else f"none; the CPU, {NOT_MEASURED}",
        "throughput": throughput(images, device, asked),
        "waiting": waiting(images, device),
        "gradients": (
            gradients(images, device, 64) if has_device else {"largest difference": NOT_MEASURED}
        ),
        "records": records(device, asked),
    }
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(record, indent=1) + "\n")
    print(table(record))


if __name__ == "__main__":
    main()
