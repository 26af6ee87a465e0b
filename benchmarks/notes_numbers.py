"""The numbers behind docs/notes.md and its pages: statements made true on small tables.

    python benchmarks/notes_numbers.py        # writes results/notes.json and its five pictures

Everything is drawn from fixed seeds and takes about a minute on one core.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import notes_pictures
import torch
from provenance import provenance
from torch import Tensor

from orthogan.analysis.trained import load_trained
from orthogan.attention import Attention, Rotary, grid_coordinates
from orthogan.attention.positions import sinusoidal
from orthogan.geometry.collapse import random_attention, two_collapses
from orthogan.geometry.heads import analyze_heads, four_terms
from orthogan.geometry.positions import (
    code_product,
    first_near_return,
    frequencies,
    largest_turn,
    random_safe_length,
    split_displacement,
)
from orthogan.geometry.spectra import (
    coefficients,
    dimension_correlation,
    dual_basis,
    isoscore,
    mean_cosine,
    member_correlation,
)
from orthogan.language.organizing import organize_text
from orthogan.networks.sampling import sample_pixels

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
WITHIN = 0.2  # of the length of a code: what counts as back
STEPS = 1_000_000  # positions looked through for a return
NUM_TOKENS = 2000
RISK = 0.5


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sinusoids_come_back() -> dict[str, Any]:
    """First near-returns, periods and products of sinusoids of several widths."""
    widths = (2, 4, 6, 8, 10, 12, 16, 32, 64, 512)
    steps = torch.unique(torch.logspace(0, 5, 400).round())
    return {
        "within": WITHIN,
        "steps": STEPS,
        "first near return": {
            str(width): first_near_return(width, within=WITHIN, num_positions=STEPS)
            for width in widths
        },
        "longest period": {
            str(width): 2 * math.pi / float(frequencies(width)[-1]) for width in widths
        },
        "product": {
            "step": steps.tolist(),
            **{
                str(width): (code_product(steps, width) / (width / 2)).tolist()
                for width in (8, 64, 512)
            },
        },
    }


def turns() -> dict[str, Any]:
    """The turn of a token against the angle between it and a code, for three lengths."""
    angles = torch.linspace(0, math.pi, 361, dtype=torch.float64)
    token = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    found: dict[str, Any] = {"angle": angles.rad2deg().tolist(), "curves": {}}
    for radius in (0.25, 0.5, 0.9):
        codes = radius * torch.stack([angles.cos(), angles.sin()], 1)
        curve = [float(split_displacement(token, code).turn[0].rad2deg()) for code in codes]
        found["curves"][str(radius)] = {
            "turn": curve,
            "largest": math.degrees(largest_turn(1.0, radius)),
            "largest seen": max(curve),
            "at": math.degrees(math.acos(-radius)),
            "perpendicular": math.degrees(math.atan(radius)),
        }
    return found


def wide_models() -> dict[str, Any]:
    """Flips under codes of random direction, by their length over the safe radius of the token."""
    factors = torch.logspace(0, 1.6, 25, dtype=torch.float64)
    found: dict[str, Any] = {"tokens": NUM_TOKENS, "factor": factors.tolist(), "widths": {}}
    for width in (4, 16, 64, 256, 768):
        tokens = torch.randn(NUM_TOKENS, width, generator=seeded(width)).double()
        some = tokens[:400]
        directions = torch.randn(400, width, generator=seeded(width + 1)).double()
        directions /= directions.norm(dim=1, keepdim=True)
        squares = (some[:, None] - tokens).square().sum(-1) if width < 64 else _distances(
            some, tokens
        )  # fmt: skip
        squares[torch.arange(400), torch.arange(400)] = math.inf
        radius = squares.min(1).values.sqrt() / 2
        ahead = directions @ tokens.T - (directions * some).sum(1, keepdim=True)
        # The pair flips once |p| <u, e_j - e_i> exceeds half of |e_j - e_i|^2.
        first = (squares / (2 * ahead)).where(ahead > 0, math.inf).min(1).values / radius
        found["widths"][str(width)] = {
            "flips": [float((first < factor).double().mean()) for factor in factors],
            "bound": random_safe_length(1.0, width, NUM_TOKENS, RISK),
            "half flip at": float(first.median()),
        }
    return found


def _distances(left: Tensor, right: Tensor) -> Tensor:
    return torch.stack([(row - right).square().sum(1) for row in left])


def frames() -> dict[str, Any]:
    """A skew frame, and least squares by dual keys."""
    frame = torch.tensor([[1.0, 0.15], [0.8, 0.75]], dtype=torch.float64)
    vector = torch.tensor([[0.5, 1.3]], dtype=torch.float64)
    plain, true = vector @ frame.T, coefficients(vector, frame)
    return {
        "frame": frame.tolist(),
        "vector": vector[0].tolist(),
        "plain products": plain[0].tolist(),
        "coordinates": true[0].tolist(),
        "dual": dual_basis(frame).tolist(),
        "error of plain products": float((plain @ frame - vector).norm() / vector.norm()),
        "error of coordinates": float((true @ frame - vector).norm() / vector.norm()),
        "regression": _regression(),
        "heads": _heads_of_the_demo(),
    }


def _regression() -> dict[str, Any]:
    """Softmax-free attention over 40 noisy samples of a curve: plain keys, dual keys, ridge."""
    places = torch.linspace(-1, 1, 40, dtype=torch.float64)
    noise = 0.15 * torch.randn(40, generator=seeded(1)).double()
    values = (torch.sin(3 * places) + noise)[:, None]
    queries = torch.linspace(-1, 1, 101, dtype=torch.float64)
    ridge = 0.1

    def bumps(at: Tensor) -> Tensor:
        return torch.exp(-((at[:, None] - torch.linspace(-1, 1, 8).double()) ** 2) / 0.1)

    keys, asked = bumps(places), bumps(queries)
    gram = keys.T @ keys
    plain = asked @ (keys.T @ values) / len(keys)
    dual = asked @ torch.linalg.solve(gram + ridge * torch.eye(8).double(), keys.T @ values)
    # The same by another way: augmented least squares.
    rows = torch.cat([keys, math.sqrt(ridge) * torch.eye(8).double()])
    fitted = torch.linalg.lstsq(rows, torch.cat([values, torch.zeros(8, 1).double()])).solution
    truth = torch.sin(3 * queries)[:, None]
    return {
        "places": places.tolist(),
        "values": values[:, 0].tolist(),
        "queries": queries.tolist(),
        "plain": plain[:, 0].tolist(),
        "dual": dual[:, 0].tolist(),
        "difference from least squares": float((dual - asked @ fitted).abs().max()),
        "error, plain": float((plain - truth).square().mean().sqrt()),
        "error, dual": float((dual - truth).square().mean().sqrt()),
    }


def _heads_of_the_demo() -> dict[str, Any]:
    """How much of a trained head's form is the inverse covariance of what it reads."""
    generator = load_trained("mnist-demo").network
    name, layer = next(
        (name, part) for name, part in generator.named_modules() if isinstance(part, Attention)
    )
    seen: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    sample_pixels(generator, range(256))
    hook.remove()
    rows = torch.cat(seen).flatten(0, 1).double()
    covariance = torch.cov(rows.T)
    covariance += 1e-3 * covariance.diagonal().mean() * torch.eye(len(covariance)).double()
    heads, width = layer.heads, rows.shape[1]
    query = layer.query.weight.double().T.unflatten(1, (heads, -1)).transpose(0, 1)
    key = layer.key_value.weight[: layer.num_projected].double().T
    key = key.unflatten(1, (heads, -1)).transpose(0, 1)
    table = analyze_heads(query, key, covariance=covariance)
    chance = torch.randn(2, 20, width, query.shape[-1], generator=seeded(3)).double()
    drawn = analyze_heads(chance[0], chance[1], covariance=covariance)
    return {
        "network": "mnist-demo (generator)",
        "layer": name,
        "condition of the covariance": float(torch.linalg.cond(covariance)),
        "whitening defect": [head.whitening_defect for head in table.heads],
        "whitening defect, random heads": [head.whitening_defect for head in drawn.heads],
        "antisymmetric": [head.antisymmetric for head in table.heads],
        "tied defect": [head.tied_defect for head in table.heads],
    }


def correlation() -> dict[str, Any]:
    """What chance alone gives: correlations of unrelated columns, cosines of a moved cloud."""
    counts, width = (10, 20, 50, 100, 300, 1000, 3000), 50
    table = torch.randn(3000, width, generator=seeded(5)).double()
    linked = table.clone()
    linked[:, 1::2] = 0.995 * linked[:, 1::2] + 0.1 * linked[:, ::2]
    by_count: dict[str, list[float]] = {
        "unrelated": [],
        "null low": [],
        "null high": [],
        "linked": [],
    }
    for count in counts:
        free = dimension_correlation(table[:count])
        by_count["unrelated"].append(free.value)
        by_count["null low"].append(free.null_low)
        by_count["null high"].append(free.null_high)
        by_count["linked"].append(dimension_correlation(linked[:count]).value)
    shifts = [0.0, 0.25, 0.5, 1.0, 2.0, 4.0]
    cloud = table[:1000]
    moved = [cloud + shift for shift in shifts]
    return {
        "rows": list(counts),
        "columns": width,
        **by_count,
        "shift": shifts,
        "mean cosine": [mean_cosine(each) for each in moved],
        "isoscore": [isoscore(each) for each in moved],
        "members about their mean": member_correlation(moved[-1]).value,
    }


def equivariance() -> dict[str, Any]:
    """By how much an attention layer fails to commute with moving its tokens."""
    side, width, heads = 7, 32, 4
    places = grid_coordinates(side, side)
    rotary = {
        "rotary, plane": Rotary(places, width // heads),
        "rotary, torus": Rotary(places, width // heads, periods=(side, side)),
    }
    tokens = torch.randn(2, side * side, width, generator=seeded(7)).double()
    order = torch.randperm(side * side, generator=seeded(8))
    shifted = torch.arange(side * side).view(side, side).roll((1, 2), (0, 1)).flatten()
    codes = sinusoidal(side, side, width).double()
    found: dict[str, dict[str, float]] = {}
    for name in ("no codes", "sinusoids added", *rotary):
        torch.manual_seed(9)
        layer = Attention(width, heads, positions=rotary.get(name)).double()
        added = codes if name == "sinusoids added" else torch.zeros_like(codes)

        def refine(moved: Tensor, layer: Attention = layer, added: Tensor = added) -> Tensor:
            with torch.no_grad():
                return layer(moved + added)

        plain = refine(tokens)
        found[name] = {
            way: _relative(refine(tokens[:, moves]), plain[:, moves])
            for way, moves in (("permuted", order), ("shifted around", shifted))
        } | {
            "mean over tokens, permuted": _relative(refine(tokens[:, order]).mean(1), plain.mean(1))
        }
    return found


def _relative(left: Tensor, right: Tensor) -> float:
    return float((left - right).norm() / right.norm())


def four_terms_of_perpendicular_codes() -> dict[str, float]:
    """Energy of the cross terms of a logit where every code is perpendicular to every token."""
    generator, width = seeded(13), 16
    content, codes = torch.zeros(50, 9, width).double(), torch.zeros(9, width).double()
    content[..., : width // 2] = torch.randn(50, 9, width // 2, generator=generator).double()
    codes[:, width // 2 :] = torch.randn(9, width // 2, generator=generator).double()
    plain = torch.eye(width).double()[None]
    free = torch.randn(1, width, width, generator=generator).double()
    return {
        "largest product of token and code": float((content.flatten(0, 1) @ codes.T).abs().max()),
        "plain product": float(four_terms(content, codes, plain).shares[0, 1:3].sum()),
        "a form of its own": float(four_terms(content, codes, free).shares[0, 1:3].sum()),
    }


def collapse() -> dict[str, Any]:
    """Shares of the two collapses where they are planted, and tokens of a deep stack."""
    states = torch.randn(30, 16, 8, generator=seeded(11)).double()
    alike_images = states[:1].expand(30, -1, -1)
    alike_tokens = states[:, :1].expand(-1, 16, -1)
    layers, cloud, residual = [], states[0], []
    for number in range(6):
        layers.append(random_attention(8, seed=0, layer=number))
        cloud = layers[-1](cloud)
        residual.append(float((cloud - cloud.mean(0)).norm() / cloud.norm()))
    return {
        "all images alike": two_collapses(alike_images).to_dict(),
        "all tokens alike": two_collapses(alike_tokens).to_dict(),
        "residual by layer, attention alone": residual,
    }


def main() -> None:
    torch.set_num_threads(1)
    record = {
        "provenance": provenance(),
        "sinusoids": sinusoids_come_back(),
        "turns": turns(),
        "wide models": wide_models(),
        "frames": frames(),
        "correlation": correlation(),
        "equivariance": equivariance(),
        "four terms": four_terms_of_perpendicular_codes(),
        "collapse": collapse(),
        "text": organize_text("austen").to_dict(),
    }
    (RESULTS / "notes.json").write_text(json.dumps(record, indent=1) + "\n")
    notes_pictures.draw_all(record, RESULTS)


if __name__ == "__main__":
    main()
