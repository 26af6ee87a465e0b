"""Do several processes train what one process trains on the same batches? Case by case, exactly.

One case for every registered loss, penalty and augmentation, and for every other setting by which
the rows of a batch could come to depend on each other. Networks are tiny; in float64 what is left
is rounding alone; in float32 Muon makes a hundred times more of it.

    python benchmarks/process_parity.py         # choices mixed: four minutes on two idle cores
    python benchmarks/process_parity.py --all   # one at a time
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import socket
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import torch
from plain_step import in_float64
from provenance import provenance
from torch import distributed as dist

from orthogan.data import ImageSet
from orthogan.gan.augmentations import AUGMENTATIONS
from orthogan.gan.losses import LOSSES
from orthogan.gan.penalties import PENALTIES
from orthogan.gan.recipes import RECIPES
from orthogan.gan.task import GanTask
from orthogan.gan.trainer import Trainer
from orthogan.parallel import ALONE, Place, Ranks
from orthogan.parallel.several import SeveralRanks

Case: TypeAlias = tuple[str, tuple[str, ...]]

RESULTS = Path(__file__).parent / "results" / "process_parity.json"
DEFAULT = "attention-gan"
SIZE_PX, NUM_IMAGES, BATCH = 16, 512, 16
# Of Adam, which divides each gradient by its size. A relativistic loss feels no offset of all
# logits, so the gradient of such an offset is rounding, and with the usual 1e-8 Adam would make
# steps of it that are a million times larger.
EPSILON = 1e-4
COMMON = (
    "generator.latent_size=8",
    "generator.width=8",
    "generator.channels=4",
    "discriminator.channels=4",
)
TINY: dict[str, tuple[str, ...]] = {
    "attention-gan": (
        "generator.hidden=16",
        "generator.blocks=1",
        "discriminator.width=8",
        "discriminator.heads=2",
        "discriminator.hidden=16",
    ),
    "transformer-gan": (
        "generator.style_size=16",
        "generator.blocks=1",
        "discriminator.width=8",
        "discriminator.heads=2",
        "discriminator.blocks=1",
    ),
    "conv-gan": ("generator.hidden=16", "generator.blocks=1", "discriminator.hidden=16"),
}


ADAM = ("generator_optimizer.kind=adam", "discriminator_optimizer.kind=adam")
MOMENTUM = ("generator_optimizer.beta1=0.5", "discriminator_optimizer.beta1=0.5")
DECORRELATION = ("decorrelation=0.5", "penalty.share=0.5")
DIFFERENCES = "penalty.kind=finite-difference"


def cases() -> dict[str, Case]:
    """Recipe and settings of each case, by its name: one thing at a time."""
    found: dict[str, Case] = {name: (name, ()) for name in TINY}
    for axis, choices in axes().items():
        found |= {f"{axis} {', '.join(each)}": (DEFAULT, each) for each in choices}
    return found | special_cases()


def covering_cases() -> dict[str, Case]:
    """Fewer cases in which every choice of every axis comes up, beside choices of the others."""
    most = max(map(len, axes().values()))
    rows = [
        tuple(word for choices in axes().values() for word in choices[turn % len(choices)])
        for turn in range(most)
    ]
    return {f"mixture {turn}": (DEFAULT, row) for turn, row in enumerate(rows)} | special_cases()


def axes() -> dict[str, list[tuple[str, ...]]]:
    """What can be chosen, and each choice as settings."""
    fixed = "augmentation.probability=0.6"
    return {
        "loss": [(f"loss={name}",) for name in LOSSES],
        "penalty": [
            (f"penalty.kind={name}", f"penalty.share={share}")
            for share in (0.3, 1.0)
            for name in PENALTIES
        ],
        "augmentation": [(f"augmentation.policy={name}", fixed) for name in AUGMENTATIONS],
        "condition": [(f"condition={name}",) for name in ("classes", "clusters", "none")],
        "batches": [
            (f"data.batches={name}",) for name in ("iid", "balanced", "decorrelated", "correlated")
        ],
        "optimizer": [ADAM, MOMENTUM],
    }


def special_cases() -> dict[str, Case]:
    """What does not go with everything else."""
    differences = (*DECORRELATION, DIFFERENCES)
    return {
        "transformer": ("transformer-gan", ()),
        "convolutions": ("conv-gan", ()),
        "adaptive augmentation": (DEFAULT, ("augmentation.policy=translation,cutout",)),
        "growing batches": (DEFAULT, ("final_batch_size=64", "data.balance=classes")),
        "emphasis": (DEFAULT, ("discriminator.emphasis=4",)),
        "decorrelation": ("transformer-gan", DECORRELATION),
        "decorrelation, differences": ("transformer-gan", differences),
    }


@cache
def images() -> ImageSet:
    """Bright squares in four corners, whose places and sizes differ."""
    source = torch.Generator().manual_seed(5)
    pixels = torch.zeros(NUM_IMAGES, 3, SIZE_PX, SIZE_PX, dtype=torch.uint8)
    labels = torch.arange(NUM_IMAGES) % 4
    for image, label in zip(pixels, labels.tolist(), strict=True):
        row, col, side = torch.randint(1, 5, (3,), generator=source).tolist()
        row, col = row + 7 * (label // 2), col + 7 * (label % 2)
        image[:, row : row + side, col : col + side] = torch.randint(
            90, 256, (3, 1, 1), generator=source, dtype=torch.uint8
        )
    return ImageSet(pixels, labels, tuple("abcd"), name="squares")


def trainer_of(case: Case, steps: int, ranks: Ranks, dtype: torch.dtype) -> Trainer:
    """A fresh trainer of a case."""
    recipe, settings = case
    data, task = images(), GanTask()
    config = RECIPES[recipe]().evolve(
        *COMMON,
        *TINY[recipe],
        f"batch_size={BATCH}",
        "precision=float32",
        *settings,
        budget={"images": steps * BATCH},
    )
    config = task.resolve(config, data, torch.device("cpu"))
    task.refuse_processes(config, ranks.count)
    trainer = Trainer(config, data, torch.device("cpu"), ranks=ranks)
    for optimizer in (trainer.generator_optimizer, trainer.discriminator_optimizer):
        optimizer.param_groups[0]["eps"] = EPSILON
    return in_float64(trainer) if dtype == torch.float64 else trainer


def train(trainer: Trainer, ranks: Ranks, steps: int) -> list[dict[str, float]]:
    """Takes steps, in the first process by its lead, in the others as they are led."""
    if not ranks.is_first:
        ranks.follow(trainer)
        return []
    records = []
    for step in range(steps):
        with ranks.step(trainer, step / steps):
            records.append(trainer.step(step / steps).numbers())
    ranks.end({})
    return records


def difference(case: Case, ranks: Ranks, steps: int, dtype: torch.dtype) -> float | None:
    """The largest difference of a weight or measurement from that of one process.

    Weights relative to the largest of their tensor; measurements relative to themselves, where they
    are above 1. None in all processes but the first.
    """
    shared = trainer_of(case, steps, ranks, dtype)
    records = train(shared, ranks, steps)
    if not ranks.is_first:
        return None
    alone = trainer_of(case, steps, ALONE, dtype)
    expected = train(alone, ALONE, steps)
    worst = max(
        abs(found[name] - number) / max(1.0, abs(number))
        for found, wanted in zip(records, expected, strict=True)
        for name, number in wanted.items()
    )
    theirs = shared.tensors()
    for name, tensor in alone.tensors().items():
        if tensor.is_floating_point() and name.startswith(("generator/", "discriminator/", "av")):
            scale = tensor.abs().max().clamp_min(1e-30)
            worst = max(worst, float((theirs[name] - tensor).abs().max() / scale))
    watches = [[each.watch.state(), each.eyes.latest.keys()] for each in (shared, alone)]
    if watches[0] != watches[1]:
        raise AssertionError(f"{case}: the watch has seen something else: {watches}")
    return worst


def in_processes(count: int, work: Callable[..., None], arguments: Sequence[Any]) -> None:
    """Runs `work(ranks, *arguments)` in each of some processes that form a group.

    Raises:
        RuntimeError: one of them failed.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    context = multiprocessing.get_context("fork" if os.name == "posix" else "spawn")
    started = [
        context.Process(target=_member, args=(rank, count, port, work, arguments))
        for rank in range(count)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join()
    if any(process.exitcode for process in started):
        raise RuntimeError(f"Processes ended with {[each.exitcode for each in started]}.")


def _member(
    rank: int, count: int, port: int, work: Callable[..., None], arguments: Sequence[Any]
) -> None:
    torch.set_num_threads(1)
    place = Place(
        rank=rank, count=count, local_rank=rank, local_count=count, address="127.0.0.1", port=port
    )
    store = dist.TCPStore("127.0.0.1", port, count, is_master=rank == 0)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=count)
    work(lambda: SeveralRanks(place, store, None), *arguments)
    dist.barrier()
    dist.destroy_process_group()


def write_differences(
    ranks: Callable[[], Ranks],
    chosen: Mapping[str, Case],
    steps: int,
    dtype: torch.dtype,
    path: Path,
) -> None:
    """Measures cases, and writes what was found as JSON; to be run in each process."""
    found = {name: difference(each, ranks(), steps, dtype) for name, each in chosen.items()}
    if ranks().is_first:
        path.write_text(json.dumps(found), encoding="utf-8")


def main() -> None:
    """Compares some numbers of processes with one, in both precisions, and writes what differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--all", action="store_true", help="one thing at a time: many more cases")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    chosen = cases() if asked.all else covering_cases()
    found: dict[str, dict[str, float]] = {}
    for dtype in (torch.float64, torch.float32):
        for count in (2, 4):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "found.json"
                in_processes(count, write_differences, (chosen, asked.steps, dtype, path))
                name = f"{count} processes, {str(dtype).removeprefix('torch.')}"
                found[name] = json.loads(path.read_text(encoding="utf-8"))
            print(name, f"worst {max(found[name].values()):.1e}", flush=True)
    settings = {name: " ".join([recipe, *each]) for name, (recipe, each) in chosen.items()}
    summary = {name: max(each.values()) for name, each in found.items()}
    record = {"provenance": provenance(), "steps": asked.steps, "batch": BATCH, "cases": settings}
    asked.out.write_text(
        json.dumps(record | {"largest difference": found, "summary": summary}, indent=2) + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
