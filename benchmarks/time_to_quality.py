"""Score against seconds and images for our recipes, a plain DCGAN and a small diffusion model.

    python benchmarks/time_to_quality.py                      # everything, 300 s each
    python benchmarks/time_to_quality.py --models dcgan attention-gan --seconds 60

The models train one after another. Seconds are training seconds: the clock stands still while a
curve point is scored, and what drawing the images took is written beside the point. Every score
is the Frechet distance of 10,000 generated images to the 60,000 training images in the features
of the shipped digits extractor. Our recipes and the diffusion model are scored by their averaged
weights, as sampled by users; the DCGAN, which has no average, by its generator. The diffusion
model draws an image in 20 passes of its network, so it is scored at fewer marks.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import ddpm
import torch
from dcgan import BATCH_SIZE, DCGAN
from provenance import matmul_rate, provenance
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from orthogan import data
from orthogan.evaluation import LiveScore, evaluate_images
from orthogan.gan.api import resolve
from orthogan.gan.trainer import Trainer
from orthogan.images.grid import grid
from orthogan.networks.sampling import sample_pixels

# What each recipe is conditioned on is a setting; peers are conditioned on classes or nothing.
RECIPES: dict[str, tuple[str, ...]] = {
    "attention-gan": ("attention-gan",),
    "attention-gan, clusters": ("attention-gan", "condition=clusters"),
    "attention-gan, nothing": ("attention-gan", "condition=none"),
    "transformer-gan": ("transformer-gan",),
    "conv-gan": ("conv-gan",),
    "faithful": ("faithful",),
}
DCGANS = {"dcgan": 0, "dcgan, classes": 10}
PEERS = (*DCGANS, "ddpm")
MODELS = (*DCGANS, *RECIPES)  # the diffusion model takes minutes to draw as many: by name only
MARKS_S = (5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 180, 210, 240, 270, 300)
SLOW_MARKS_S = (60, 150, 300)  # of models that take minutes to draw as many images
NUM_FAKES = 10_000
RESULTS = Path(__file__).parent / "results"


class OurRecipe:
    """A recipe in the product's own trainer."""

    marks_s = MARKS_S

    def __init__(
        self, name: str, seconds: float, seed: int, images: data.ImageSet, *settings: str
    ) -> None:
        self.config = resolve(
            images.name, model=name, minutes=seconds / 60, seed=seed, settings=settings
        )
        self.trainer = Trainer(self.config, images, torch.device("cpu"))
        self.batch_size = self.config.batch_size

    def step(self, progress: float) -> None:
        self.trainer.step(progress)
        if self.trainer.watch.is_saturated and self.trainer.attempt < self.config.escape_attempts:
            self.trainer.restart()

    def sample(self, num_images: int) -> Tensor:
        return sample_pixels(self.trainer.average, range(num_images))

    def facts(self) -> dict[str, Any]:
        return {
            "told": self.config.condition,
            "config": self.config.to_dict(),
            "precision": self.trainer.precision,
            "generator parameters": _num_parameters(self.trainer.generator),
            "discriminator parameters": _num_parameters(self.trainer.discriminator),
            "restarts": self.trainer.attempt,
        }


class Peer:
    """The DCGAN on the same images."""

    marks_s = MARKS_S

    def __init__(self, classes: int, seed: int, images: data.ImageSet) -> None:
        self.gan, self.images, self.classes = DCGAN(seed, images.colours, classes), images, classes
        self.order, self.seen, self.batch_size = images.order(seed), 0, BATCH_SIZE

    def step(self, progress: float) -> None:  # noqa: ARG002 - it has no schedule
        pixels, labels = self.images.take(self.order.batch(self.seen, self.batch_size))
        self.gan.step(data.to_floats(pixels), labels if self.classes else None)
        self.seen += self.batch_size

    def sample(self, num_images: int) -> Tensor:
        return data.to_pixels(self.gan.sample(num_images))

    def facts(self) -> dict[str, Any]:
        return {
            "told": "classes" if self.classes else "none",
            "precision": "float32",
            "generator parameters": _num_parameters(self.gan.generator),
            "discriminator parameters": _num_parameters(self.gan.discriminator),
        }


class Diffusion:
    """The small diffusion model on the same images."""

    marks_s = SLOW_MARKS_S

    def __init__(self, seed: int, images: data.ImageSet) -> None:
        self.model, self.images = ddpm.DDPM(seed, images.colours), images
        self.order, self.seen, self.batch_size = images.order(seed), 0, ddpm.BATCH_SIZE

    def step(self, progress: float) -> None:  # noqa: ARG002 - it has no schedule
        self.model.step(self.images.floats(self.order.batch(self.seen, self.batch_size)))
        self.seen += self.batch_size

    def sample(self, num_images: int) -> Tensor:
        return data.to_pixels(self.model.sample(num_images))

    def facts(self) -> dict[str, Any]:
        return {
            "precision": self.model.precision,
            "parameters": _num_parameters(self.model.network),
            "sampling passes": self.model.passes,
        }


Model = OurRecipe | Peer | Diffusion


def build(name: str, seconds: float, seed: int, images: data.ImageSet) -> Model:
    """A recipe or peer by name, untrained."""
    if name == "ddpm":
        return Diffusion(seed, images)
    if name in DCGANS:
        return Peer(DCGANS[name], seed, images)
    recipe, *settings = RECIPES[name]
    return OurRecipe(recipe, seconds, seed, images, *settings)


class FlopCount(TorchDispatchMode):
    """Floating-point operations of matrix products and convolutions, second derivatives too.

    (PyTorch's own counting mode tracks modules by hooks that `autograd.grad` refuses.)
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        count = flop_registry.get(func.overloadpacket)
        if count is not None:
            self.total += count(*args, **(kwargs or {}), out_val=result)
        return result


def run_curve(
    start_model: Callable[[], Model],
    seconds: float,
    score: LiveScore,
    show: Callable[[str], None],
) -> tuple[dict[str, Any], Tensor]:
    """Train for `seconds`, finding clusters included; score at each mark, and fully at the end."""
    start = time.perf_counter()
    model = start_model()
    setup_s = time.perf_counter() - start
    marks = sorted({mark for mark in model.marks_s if mark < seconds} | {seconds})
    curve, trained_s, steps = [], setup_s, 0
    for mark in marks:
        while trained_s < mark:
            start = time.perf_counter()
            model.step(trained_s / seconds)
            trained_s += time.perf_counter() - start
            steps += 1
        start = time.perf_counter()
        fakes = model.sample(NUM_FAKES)
        sampling_s = time.perf_counter() - start
        reading = score.read(fakes)
        curve.append(
            {
                "seconds": round(trained_s, 2),
                "images": steps * model.batch_size,
                "fd": reading.distance,
                "least class share": min(reading.class_shares),
                "largest class share": max(reading.class_shares),
                "sampling_s": round(sampling_s, 2),
            }
        )
        show(f"{trained_s:6.0f} s {steps * model.batch_size:9,} images  fd {reading.distance:.3f}")
    evaluation = evaluate_images(
        fakes, data.load("mnist"), held_out=data.load("mnist", split="test")
    )
    with FlopCount() as count:
        model.step(1.0)
    flops = count.total
    step_s = (trained_s - setup_s) / steps
    facts = model.facts() | {
        "curve": curve,
        "scores at the end": evaluation.to_dict()["scores"],
        "setup_s": setup_s,
        "step_ms": 1000 * step_s,
        "images_per_second": model.batch_size / step_s,
        "step_gflop": flops / 1e9,
        "step_gflops_per_second": flops / 1e9 / step_s,
    }
    return facts, model.sample(100)


def summarise(results: dict[str, Any]) -> dict[str, Any]:
    """Ratios against the DCGANs of the same run, unconditional and conditioned on classes."""
    if "dcgan" not in results:
        return {}
    peer = results["dcgan"]["curve"]
    summary: dict[str, Any] = {"dcgan final fd": peer[-1]["fd"]}
    if "ddpm" in results:
        summary["ddpm final fd"] = results["ddpm"]["curve"][-1]["fd"]
    for name, result in results.items():
        if name in PEERS:
            continue
        curve = result["curve"]
        reached = [point["seconds"] for point in curve if point["fd"] <= peer[-1]["fd"]]
        summary[name] = {
            "seconds to the dcgan's final fd": reached[0] if reached else None,
            "times lower at the end": peer[-1]["fd"] / curve[-1]["fd"],
            "times lower at each mark": {
                round(ours["seconds"]): round(theirs["fd"] / ours["fd"], 2)
                for ours, theirs in zip(curve, peer, strict=True)
            },
        }
        conditioned = results.get("dcgan, classes")
        if conditioned is not None and name not in PEERS:
            summary[name]["times lower than the told dcgan"] = (
                conditioned["curve"][-1]["fd"] / curve[-1]["fd"]
            )
    return summary


def plot(results: dict[str, Any], floor: float, path: Path) -> None:
    """Distance against seconds, both logarithmic."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for name, result in results.items():
        points = result["curve"]
        axes.plot([p["seconds"] for p in points], [p["fd"] for p in points], "o-", ms=3, label=name)
    axes.axhline(floor, color="grey", ls="--", lw=1, label="real images")
    axes.set(xscale="log", yscale="log", xlabel="training seconds", ylabel="Frechet distance")
    axes.set_title("MNIST, two CPU cores: distance to the training images")
    axes.grid(visible=True, which="both", alpha=0.2)
    axes.legend()
    figure.savefig(path, dpi=120)


def _num_parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=(*MODELS, "ddpm"))
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "time_to_quality.json")
    asked = parser.parse_args()
    images = data.load("mnist")
    score = LiveScore(images, num_fakes=NUM_FAKES)
    rates = {str(t).removeprefix("torch."): matmul_rate(t) for t in (torch.float32, torch.bfloat16)}
    results: dict[str, Any] = {}
    for name in asked.models:
        print(name, flush=True)
        start = partial(build, name, asked.seconds, asked.seed, images)
        result, pictures = run_curve(start, asked.seconds, score, partial(print, flush=True))
        result["roofline_share"] = result["step_gflops_per_second"] / rates[result["precision"]]
        results[name] = result
        slug = name.replace(", ", "-").replace(" ", "-")
        grid(pictures).save(asked.out.with_name(f"{asked.out.stem}-{slug}.png"))
        record = {
            "provenance": provenance(),
            "seed": asked.seed,
            "metric": score.name,
            "fakes": NUM_FAKES,
            "floor": score.floor,
            "matmul_gflops_per_second": rates,
            "summary": summarise(results),
            "models": results,
        }
        asked.out.write_text(json.dumps(record, indent=1) + "\n")
    plot(results, score.floor, asked.out.with_suffix(".png"))
    print(json.dumps(record["summary"], indent=1))


if __name__ == "__main__":
    main()
