"""Quality curves of training in bfloat16 beside float32, seed by seed, at equal images.

    python benchmarks/precision.py                     # goes on where it stopped

Each precision is trained once for each seed with the product's own trainer, and the averaged
generator is scored at marks: the distance of 10,000 of its images. Seeds are paired: at every mark
stands the geometric mean of the distance in bfloat16 over that in float32 with its 95 % interval,
and the two-sided p of the paired t test on logarithms.

Where the processor has no bfloat16 instructions they are emulated (`emulated`): matrix products
and convolutions of bfloat16 operands are accumulated in float32 and rounded to bfloat16. That says
of quality what a processor with the instructions would, to the order of its sums, and nothing of
speed.
"""

from __future__ import annotations

import argparse
import json
import math
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from one_thread_each import Runs, train_missing
from provenance import provenance
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from orthogan import data
from orthogan.evaluation import LiveScore
from orthogan.gan.api import resolve
from orthogan.gan.trainer import Trainer
from orthogan.networks.sampling import sample_pixels
from orthogan.statistics.paired import paired_test
from orthogan.training.precision import has_native_bfloat16

RESULTS = Path(__file__).parent / "results"
NUM_FAKES = 10_000
PRECISIONS = ("float32", "bfloat16")
CPU = torch.device("cpu")
ATEN = torch.ops.aten
PRODUCTS = {
    ATEN.mm,
    ATEN.bmm,
    ATEN.addmm,
    ATEN.baddbmm,
    ATEN.convolution,
    ATEN.convolution_backward,
}


class EmulatedBfloat16(TorchDispatchMode):
    """Inside, products of bfloat16 operands are those of float32, rounded at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, work: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Called by PyTorch instead of each operator."""
        kwargs = kwargs or {}
        if work.overloadpacket not in PRODUCTS or args[0].dtype != torch.bfloat16:
            return work(*args, **kwargs)
        self.count += 1
        wide, narrow = (_to(kind) for kind in (torch.float32, torch.bfloat16))
        return tree_map(narrow, work(*tree_map(wide, args), **tree_map(wide, kwargs)))


def _to(kind: torch.dtype) -> Any:
    return lambda part: part.to(kind) if isinstance(part, Tensor) else part


def is_emulated(precision: str) -> bool:
    """Whether this processor has to be helped with it."""
    return precision == "bfloat16" and not has_native_bfloat16(CPU)


def train(source: str, model: str, precision: str, marks: list[int], seed: int) -> dict[str, float]:
    """Distances at the marks, which are numbers of images; the last one is the budget."""
    torch.set_num_threads(1)
    settings = (f"precision={precision}",)
    asked = resolve(source, model=model, images=marks[-1], seed=seed, settings=settings)
    shown = data.load(source)
    trainer, score = Trainer(asked, shown, CPU), LiveScore(shown, num_fakes=NUM_FAKES)
    found = {}
    for mark in marks:
        with EmulatedBfloat16() if is_emulated(precision) else nullcontext():
            while trainer.images_seen < mark:
                trainer.step(trainer.images_seen / marks[-1])
        found[str(mark)] = score.distance(sample_pixels(trainer.average, range(NUM_FAKES)))
    return found


def summarise(runs: Runs) -> dict[str, Any]:
    """By mark: the ratio of the distances with its interval and two-sided p."""
    full, less = (runs.get(precision, {}) for precision in PRECISIONS)
    shared = [seed for seed in full if seed in less]
    if len(shared) < 2:
        return {}
    rows = {}
    for mark in full[shared[0]]:
        test = paired_test([math.log(less[seed][mark] / full[seed][mark]) for seed in shared])
        low, high = (math.exp(end) for end in (test.mean.low, test.mean.high))  # type: ignore[arg-type]
        rows[mark] = {
            "distance in bfloat16 over float32": math.exp(test.mean.value),
            "interval": [low, high],
            "p, two-sided": test.t,
            "seeds": len(shared),
        }
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--model", default="attention-gan")
    parser.add_argument("--marks", type=int, nargs="+", default=[3_750, 7_500, 15_000, 30_000])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS / "precision.json")
    asked = parser.parse_args()
    marks = sorted(asked.marks)
    facts = {
        "data": asked.data,
        "model": asked.model,
        "fakes": NUM_FAKES,
        "marks": marks,
        "emulated": is_emulated("bfloat16"),
    }
    known = json.loads(asked.out.read_text()) if asked.out.exists() else facts
    if any(known[name] != value for name, value in facts.items()):
        parser.error(f"{asked.out} holds runs of other settings; choose another --out.")
    runs: Runs = known.get("runs", {})

    def save() -> None:
        found = {"summary": summarise(runs), "runs": runs}
        record = {"provenance": provenance()} | facts | found
        asked.out.write_text(json.dumps(record, indent=1) + "\n")

    jobs = {
        (precision, str(seed)): (asked.data, asked.model, precision, marks, seed)
        for seed in range(asked.seeds)
        for precision in PRECISIONS
    }
    train_missing(train, jobs, runs, save)
    print(json.dumps(summarise(runs), indent=1))


if __name__ == "__main__":
    main()
