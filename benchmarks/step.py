r"""Where each microsecond of a training step goes, of the default recipe or another.

    python benchmarks/step.py
    python benchmarks/step.py --model stacked-mnist --data stacked-mnist \
        --out benchmarks/results/step-stacked-mnist.json

- `sections` and `operators`: the step taken apart, by the parts of the method and by operator.
- `roofline`: the matrix products of the step, each timed alone at its own size and precision; the
  share of the step that they would fill.
- `penalty`: the step with both gradient penalties against the same step without.
- `plain`: the same mathematics written as in the papers (`plain_step.py`) in float32, against ours,
  eager and compiled; and the largest difference between the two after 20 steps in float64.

Ratios are medians over rounds in which the candidates take turns, with their quartiles.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from attention_cost import compare
from plain_step import PlainStep, in_float64, parity
from products import Products, roofline
from provenance import matmul_rate, provenance
from torch.profiler import ProfilerActivity, profile

from orthogan import data
from orthogan.gan import trainer as trainer_module
from orthogan.gan.api import resolve
from orthogan.gan.compilation import find_compiler
from orthogan.gan.compile_trial import seconds_to_compile
from orthogan.gan.trainer import Trainer

RESULTS = Path(__file__).parent / "results"
CPU = torch.device("cpu")
PROGRESS = 0.1
NUM_OPERATORS = 15
STEPS_A_ROUND = 10
PARITY_STEPS = 20
BARS = {"penalty": 1.35, "plain": 1.8, "parity": 1e-5, "share": 0.5}
REST = "draws, data, finite checks, watch"


class Stopwatch:
    """Seconds by the name of what ran, in the order in which names first came up."""

    def __init__(self) -> None:
        self.spans: dict[str, float] = defaultdict(float)

    def timed(self, names: Callable[[], str], work: Callable[..., Any]) -> Callable[..., Any]:
        """The same work, its time put down under the name that `names` returns."""

        def run(*args: Any, **kwargs: Any) -> Any:
            name, start = names(), time.perf_counter()
            try:
                return work(*args, **kwargs)
            finally:
                self.spans[name] += time.perf_counter() - start

        return run


@contextmanager
def watched(trainer: Trainer, watch: Stopwatch) -> Iterator[None]:
    """Inside, the parts of a trainer's step are timed; it runs as ever."""

    def turn(first: str, then: str) -> Callable[[], str]:
        # The generator moves while the discriminator is frozen.
        weights = next(trainer.discriminator.parameters())
        return lambda: first if weights.requires_grad else then

    parts: list[tuple[Any, str, Callable[[], str]]] = [
        (trainer.generator, "forward", lambda: "G forward"),
        (trainer.discriminator, "forward", turn("D forward, real and fake", "G step: D forward")),
        (torch.autograd, "grad", lambda: "penalty: gradient by the images"),
        (torch.Tensor, "backward", turn("D backward", "G step: backward")),
        (trainer.discriminator_optimizer, "step", lambda: "D optimizer"),
        (trainer.generator_optimizer, "step", lambda: "G optimizer"),
        (trainer_module, "update_average", lambda: "average of G"),
    ]
    with ExitStack() as stack:
        for owner, name, label in parts:
            stack.enter_context(patch.object(owner, name, watch.timed(label, getattr(owner, name))))
        yield


def sections(trainer: Trainer, steps: int) -> dict[str, float]:
    """The median time of each part of a step, microseconds."""
    rows: dict[str, list[float]] = defaultdict(list)
    for _ in range(steps):
        watch = Stopwatch()
        with watched(trainer, watch):
            start = time.perf_counter()
            trainer.step(PROGRESS)
            whole = time.perf_counter() - start
        watch.spans[REST] = whole - sum(watch.spans.values())
        for name, span in watch.spans.items():
            rows[name].append(1e6 * span)
        rows["step"].append(1e6 * whole)
    return {name: statistics.median(spans) for name, spans in rows.items()}


def operators(trainer: Trainer, steps: int) -> list[dict[str, Any]]:
    """The operators that take most time themselves, without what they call."""
    with profile(activities=[ProfilerActivity.CPU]) as record:
        for _ in range(steps):
            trainer.step(PROGRESS)
    rows = record.key_averages()
    whole = sum(row.self_cpu_time_total for row in rows)
    rows.sort(key=lambda row: -row.self_cpu_time_total)
    return [
        {
            "operator": row.key,
            "us": row.self_cpu_time_total / steps,
            "share": row.self_cpu_time_total / whole,
            "calls": row.count / steps,
        }
        for row in rows[:NUM_OPERATORS]
    ]


def products_of(trainer: Trainer) -> Products:
    """The products of an uncompiled step."""
    with Products() as products:
        trainer.step(PROGRESS)
    return products


def own_roofline(trainer: Trainer, products: Products, rounds: int) -> dict[str, Any]:
    """The step's products alone, and the share of the step they would fill.

    Steps and products take turns, for their rates drift alike; of the rounds, the middle one.
    """
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(STEPS_A_ROUND):
            trainer.step(PROGRESS)
        step_us = 1e6 * (time.perf_counter() - start) / STEPS_A_ROUND
        alone = roofline(products.found, CPU)
        found.append(alone | {"step_us": step_us, "share of the step": alone["us"] / step_us})
    found.sort(key=lambda one: one["share of the step"])
    middle = found[len(found) // 2]
    square = {
        str(t).removeprefix("torch."): matmul_rate(t) for t in (torch.float32, torch.bfloat16)
    }
    rate = 1e-3 * products.flops / middle["step_us"]
    return middle | {
        "lowest and highest share": [one["share of the step"] for one in (found[0], found[-1])],
        "gflop by PyTorch's count": products.flops / 1e9,
        "step_gflops_per_second": rate,
        "gflops_per_second of 1024 x 1024": square,
        "share of 1024 x 1024": rate / square[trainer.precision],
    }


def ratios(
    make: Callable[..., Trainer], quick: Trainer | None, images: data.ImageSet, asked: Any
) -> dict[str, Any]:
    """Penalised against not, ours against plain, and how far plain is from ours."""
    ours, bare, plain = make(), make("penalty.kind=none"), make("precision=float32")
    papers = PlainStep(plain, images)
    penalty = compare(
        {"both penalties": lambda: ours.step(PROGRESS), "none": lambda: bare.step(PROGRESS)}, asked
    )
    candidates = {
        "plain": lambda: papers.step(PROGRESS),
        "ours": lambda: ours.step(PROGRESS),
        "ours in float32": lambda: plain.step(PROGRESS),
    }
    double = in_float64(make("precision=float32"))
    found = {"penalty": penalty, "parity": parity(double, images, PARITY_STEPS)}
    if quick is not None:
        candidates["ours compiled"] = lambda: quick.step(PROGRESS)
        double = in_float64(make("precision=float32"))
        double.compile()
        found["parity, compiled"] = parity(double, images, PARITY_STEPS)
    return found | {"plain": compare(candidates, asked)}


def compiled_trainer(make: Callable[..., Trainer]) -> tuple[Trainer | None, float]:
    """A trainer with compiled steps and the seconds that took; None without a compiler."""
    if find_compiler() is None:
        return None, 0.0
    trainer = make()
    return trainer, seconds_to_compile(trainer)


def bars(found: dict[str, Any], shares: dict[str, float]) -> dict[str, Any]:
    """What was aimed at beside what was reached, eager and compiled."""
    penalty = found["penalty"]["both penalties_over"]["none"]["median"]
    reached = {"penalised step / unpenalised": (penalty, "<=", BARS["penalty"])}
    for form, share in shares.items():
        plain = found["plain"]["plain_over"][f"ours{form.replace(',', '')}"]["median"]
        reached |= {
            f"plain step / ours{form}": (plain, ">=", BARS["plain"]),
            f"difference after 20 steps{form}": (found[f"parity{form}"], "<=", BARS["parity"]),
            f"share that its own products fill{form}": (share, ">=", BARS["share"]),
        }
    return {
        name: {
            "value": value,
            "bar": f"{sign} {bar}",
            "met": value <= bar if sign == "<=" else value >= bar,
        }
        for name, (value, sign, bar) in reached.items()
    }


def table(record: dict[str, Any]) -> str:
    """The record for people."""
    whole = record["sections"]["step"]
    lines = [f"one step of {record['batch_size']} images in {record['precision']}"]
    lines += [f"  {record['images_per_second']:,.0f} images/s, {whole:,.0f} us a step", ""]
    lines += [
        f"{span:10,.0f} us {span / whole:6.1%}  {name}" for name, span in record["sections"].items()
    ]
    lines += [""] + [
        f"{row['us']:10,.0f} us {row['share']:6.1%}  {row['operator']} ({row['calls']:.0f} calls)"
        for row in record["operators"]
    ]
    roof = record["roofline"]
    alone = f"{roof['us']:,.0f} us at {roof['gflops_per_second']:.0f} GFLOP/s"
    lines += [
        "",
        f"{roof['gflop']:.3f} GFLOP in {roof['kinds']} kinds of products, alone in {alone}",
        f"share of the step: {roof['share of the step']:.1%}",
        "",
    ]
    lines += [
        f"{'met   ' if bar['met'] else 'MISSED'} {name}: {bar['value']:.3g} (bar {bar['bar']})"
        for name, bar in record["bars"].items()
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="attention-gan")
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--steps", type=int, default=200, help="steps a profile")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--span", type=float, default=0.5, help="seconds a turn, at least")
    parser.add_argument("--set", nargs="*", default=[], help="settings of the recipe")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=RESULTS / "step.json")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    images = data.load(asked.data)

    def make(*settings: str) -> Trainer:
        chosen = (*asked.set, *settings)
        return Trainer(resolve(asked.data, model=asked.model, settings=chosen), images, CPU)

    trainer = make()
    for _ in range(min(20, asked.steps)):
        trainer.step(PROGRESS)
    parts = sections(trainer, asked.steps)
    products = products_of(trainer)
    own = own_roofline(trainer, products, asked.rounds)
    quick, compile_s = compiled_trainer(make)
    found = ratios(make, quick, images, asked)
    shares = {"": own["share of the step"]}
    if quick is not None:
        found["compile_s"] = compile_s
        found["roofline, compiled"] = own_roofline(quick, products, asked.rounds)
        shares[", compiled"] = found["roofline, compiled"]["share of the step"]
    record = {
        "provenance": provenance(),
        "model": asked.model,
        "data": asked.data,
        "batch_size": trainer.config.batch_size,
        "precision": trainer.precision,
        "images_per_second": 1e6 * trainer.config.batch_size / parts["step"],
        "sections": parts,
        "operators": operators(trainer, min(asked.steps, 50)),
        "roofline": own,
        **found,
        "bars": bars(found, shares),
    }
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_text(json.dumps(record, indent=1) + "\n")
    print(table(record))


if __name__ == "__main__":
    main()
