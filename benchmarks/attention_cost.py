"""What attention costs: without softmax against with it, its two orders, and against PyTorch's own.

    python benchmarks/attention_cost.py

Every comparison runs in this one process. Its candidates take turns of at least `--span` seconds,
in an order shuffled in every round: none always meets the memory as the same other left it. The
heap keeps its pages, as it does in a training that runs; in a process that tries one size after
another it would give them back and ask for them again. A time is the median over the rounds; a
ratio is the median of the ratios within a round, with its quartiles, so that a slower minute of the
machine weighs on both sides.

- `softmax_free`: a whole layer, score "none" against "softmax"; forward, and forward with backward.
- `orders`: the products alone, (Q K^T) V against Q (K^T V); the switch is the first length from
  which on the linear order wins, beside the one that counted operations give.
- `multihead`: a whole layer, forward with backward, against `nn.MultiheadAttention` with the same
  weights, once returning its attention weights (which makes them) and once not (a fused kernel,
  which has no second derivative; ours takes it too for long sequences, and has one), and against
  itself in the form for second derivatives, which writes the weights out. All outputs are compared
  first.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from provenance import matmul_rate, provenance
from torch import Tensor, nn

from orthogan.attention import Attention, apply_attention, order_costs, second_derivatives
from orthogan.cli.process import keep_pages

RESULTS = Path(__file__).parent / "results"
WIDTH, HEADS = 64, 4
LENGTHS = (49, 64, 128, 256, 512, 1024, 2048, 4096)
ORDER_LENGTHS = (4, 8, 12, 16, 20, 24, 32, 48, 64, 128, 256)
MULTIHEAD_LENGTHS = (49, 65, 129, 197, 257)
GOALS = {"softmax_free_at_4096": 20.0, "softmax_free_at_49": 1.1, "multihead": 1.0}

Run = Callable[[], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--span", type=float, default=0.05, help="seconds a turn, at least")
    parser.add_argument("--tokens", type=int, default=4096, help="tokens a batch, at least one row")
    parser.add_argument("--longest", type=int, default=max(LENGTHS))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=RESULTS / "attention_cost.json")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    keep_pages()
    record = {
        "provenance": provenance(),
        "width": WIDTH,
        "heads": HEADS,
        "rounds": asked.rounds,
        "matmul_gflops": round(matmul_rate(torch.float32), 1),
        "softmax_free": list(softmax_free(asked)),
        "orders": orders(asked),
        "multihead": list(multihead(asked)),
    }
    record["goals"] = goals(record)
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record["goals"], indent=1))


def compare(
    candidates: dict[str, Run], asked: argparse.Namespace, rounds: int = 1
) -> dict[str, Any]:
    """Medians in milliseconds over `rounds` times as many as asked; ratios to the first one."""
    counts = {name: _repeats(run, asked.span) for name, run in candidates.items()}
    times: dict[str, list[float]] = {name: [] for name in candidates}
    names, turns = list(candidates), random.Random(0)
    for _ in range(rounds * asked.rounds):
        for name in turns.sample(names, len(names)):
            start = time.perf_counter()
            for _ in range(counts[name]):
                candidates[name]()
            times[name].append(1e3 * (time.perf_counter() - start) / counts[name])
    first, *others = names
    ratios = {
        name: [a / b for a, b in zip(times[first], times[name], strict=True)] for name in others
    }
    return {
        "ms": {name: round(statistics.median(spans), 4) for name, spans in times.items()},
        f"{first}_over": {name: _spread(values) for name, values in ratios.items()},
    }


def _repeats(run: Run, span: float) -> int:
    run()
    start, count = time.perf_counter(), 0
    while count < 1 or time.perf_counter() - start < span:
        run()
        count += 1
    return count


def _spread(values: list[float]) -> dict[str, float]:
    low, median, high = statistics.quantiles(values, n=4)
    return {"median": round(median, 3), "low": round(low, 3), "high": round(high, 3)}


def forward(module: nn.Module, tokens: Tensor) -> Run:
    def run() -> None:
        with torch.no_grad():
            module(tokens)

    return run


def forward_and_backward(module: nn.Module, tokens: Tensor) -> Run:
    inputs = tokens.clone().requires_grad_()
    direction = torch.randn_like(tokens)
    wanted = [inputs, *module.parameters()]
    return lambda: torch.autograd.grad(module(inputs), wanted, direction)


def softmax_free(asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row a length: softmax over none."""
    for length in (length for length in LENGTHS if length <= asked.longest):
        tokens = torch.randn(max(1, asked.tokens // length), length, WIDTH)
        layers = {score: Attention(WIDTH, HEADS, score) for score in ("softmax", "none")}
        row: dict[str, Any] = {"tokens": length, "batch": len(tokens)}
        for name, prepare in (("forward", forward), ("backward", forward_and_backward)):
            runs = {score: prepare(layer, tokens) for score, layer in layers.items()}
            row[name] = compare(runs, asked)
        print(f"{length} tokens: {row['backward']['softmax_over']}", flush=True)
        yield row


def orders(asked: argparse.Namespace) -> dict[str, Any]:
    """A row a length, and where the linear order begins to win."""
    size = WIDTH // HEADS
    rows, wins, counted = [], {}, {}
    for length in ORDER_LENGTHS:
        shape = (max(1, asked.tokens // length), HEADS, length, size)
        query, key, value = (torch.randn(shape) for _ in range(3))
        runs = {
            order: lambda o=order, q=query, k=key, v=value: apply_attention(
                q, k, v, "none", order=o
            )
            for order in ("quadratic", "linear")
        }
        found = compare(runs, asked)
        costs = order_costs(length, length, size, size)
        rows.append({"tokens": length, "flops": costs._asdict()} | found)
        wins[length] = found["quadratic_over"]["linear"]["median"] > 1
        counted[length] = costs.linear < costs.quadratic
        print(f"{length} tokens: quadratic over linear {found['quadratic_over']}", flush=True)
    return {
        "head_size": size,
        "switch_measured": _switch(wins),
        "switch_counted": _switch(counted),
        "rows": rows,
    }


def _switch(wins: dict[int, bool]) -> int | None:
    lost = [length for length, won in wins.items() if not won]
    later = [length for length in wins if length > max(lost, default=0)]
    return min(later, default=None)


class Multihead(nn.Module):
    """`nn.MultiheadAttention` of a sequence with itself, with the weights of our layer."""

    def __init__(self, layer: Attention, need_weights: bool) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, bias=False, batch_first=True)
        self.need_weights = need_weights
        with torch.no_grad():
            weights = torch.cat([layer.query.weight, layer.key_value.weight])
            self.attention.in_proj_weight.copy_(weights)
            self.attention.out_proj.weight.copy_(layer.output.weight)

    def forward(self, tokens: Tensor) -> Tensor:
        attended: Tensor = self.attention(
            tokens, tokens, tokens, need_weights=self.need_weights, average_attn_weights=False
        )[0]
        return attended


class Written(nn.Module):
    """A layer with its weights written out, as a discriminator with a gradient penalty runs it."""

    def __init__(self, layer: Attention) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, tokens: Tensor) -> Tensor:
        with second_derivatives():
            attended: Tensor = self.layer(tokens)
        return attended


def multihead(asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row a length: ours over theirs."""
    for length in MULTIHEAD_LENGTHS:
        layer = Attention(WIDTH, HEADS)
        theirs = {"with_weights": Multihead(layer, True), "fused": Multihead(layer, False)}
        tokens = torch.randn(max(1, asked.tokens // length), length, WIDTH)
        for module in theirs.values():
            torch.testing.assert_close(module(tokens), layer(tokens), rtol=1e-4, atol=1e-5)
        modules = {"ours": layer, "written": Written(layer), **theirs}
        runs = {name: forward_and_backward(module, tokens) for name, module in modules.items()}
        # Nearly level where both take the kernel: more rounds to tell them apart.
        row = {"tokens": length, "batch": len(tokens)} | compare(runs, asked, rounds=3)
        print(f"{length} tokens: ours over {row['ours_over']}", flush=True)
        yield row


def goals(record: dict[str, Any]) -> dict[str, Any]:
    """Each goal beside what was measured; None where the length was left out."""
    free = {
        row["tokens"]: row["backward"]["softmax_over"]["none"] for row in record["softmax_free"]
    }
    ours = {
        name: max(row["ours_over"][name]["median"] for row in record["multihead"])
        for name in ("with_weights", "fused")
    }
    return {
        "softmax over none at 4096 tokens": {
            "goal": f">= {GOALS['softmax_free_at_4096']}",
            "measured": free[4096]["median"] if 4096 in free else None,
        },
        "none over softmax at 49 tokens": {
            "goal": f"<= {GOALS['softmax_free_at_49']}",
            "measured": round(1 / free[49]["median"], 3),
        },
        "ours over nn.MultiheadAttention, worst length": {
            "goal": f"<= {GOALS['multihead']}",
            "measured": ours,
        },
    }


if __name__ == "__main__":
    main()
