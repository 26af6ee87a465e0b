"""Sections on the count itself: what was read, how many pairs flip, which, where, how narrowly."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch

from orthogan.analysis.result import Analysis
from orthogan.report.figures import (
    Axis,
    Kind,
    Plot,
    boundary,
    colours,
    figure,
    label,
    legend_of,
    says,
    spanning,
)
from orthogan.report.markup import element
from orthogan.report.measured import Measured
from orthogan.report.page import Section
from orthogan.report.tables import notes, stacked, table, terms
from orthogan.report.wording import (
    THIN,
    TIMES,
    count,
    decimal,
    plural,
    share,
    short_name,
    token,
)
from orthogan.terminal import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NUM_WORST = 20
NUM_LOST = 10  # tokens listed that lose their identity at most positions
NUM_BINS = 44
MOST = 0.9  # of the flips: at how many positions do they lie?
STEEP = 20  # times the median position: a peak that needs a logarithmic axis
RULES = {
    "euclidean": "the nearest token",
    "cosine": "the token at the smallest angle",
    "logits": "the token of the largest logit (tied unembedding)",
}


def reading(analysis: Analysis, _: Measured | None) -> Section:
    """What was read."""
    tables, found = analysis.tables, analysis.flip_count
    num_tokens, width = tables.tokens.shape
    facts = [
        ("Source", element("code", printable(tables.source))),
        ("Tokens", f"{count(num_tokens)}, each a vector of {count(width)} numbers"),
        ("Spelling", "known" if tables.labels else "not known; tokens are named by their row"),
    ]
    if found is not None:
        own = (
            "the source's own" if analysis.own else "sinusoids that stand in, not the source's own"
        )
        facts += [
            ("Positions", f"{count(found.positions)}; the codes are {own}"),
            ("Decision rule", f"{found.reader}: a moved token is read as {RULES[found.reader]}"),
        ]
        copies = sum(map(len, found.collisions))
        if copies:
            groups = plural(len(found.collisions), "group")
            facts.append(
                ("Same vectors", (f"{plural(copies, 'token')} in {groups} share a vector with "
                 "another; no decision rule tells those apart, and they count as no flip"))
            )  # fmt: skip
    if analysis.heads:
        heads = sum(len(layer.heads) for layer in analysis.heads.values())
        layers = plural(len(analysis.heads), "attention layer")
        facts.append(("Attention", f"{plural(heads, 'head')} in {layers}"))
    return Section(
        "read",
        "What was read?",
        f"A table of {count(num_tokens)} tokens "
        + (
            "to which no position code is added."
            if found is None
            else f"and a table of {plural(found.positions, 'position code')}, which are added."
        ),
        [terms(facts, "facts"), notes([printable(note) for note in analysis.notes])],
        "What was read",
    )


def flips(analysis: Analysis, _: Measured | None) -> Section | None:
    """How many pairs change identity."""
    found = analysis.flip_count
    if found is None:
        return None
    parts = [
        ("sure", found.certified, "proved safe by the length of the code alone"),
        ("unsure", found.kept - found.certified, "safe, but only counting shows it"),
        ("lost", 1 - found.kept, "read as another token"),
    ]
    every = found.pairs == found.tokens * found.positions
    how = "Every pair was decided exactly" if every else (
        f"{plural(found.pairs, 'pair')} were drawn at random; the 95{THIN}% interval of the share "
        f"kept is {share(found.low)} to {share(found.high)}"
    )  # fmt: skip
    bound = (
        "A code shorter than half the distance to a token's nearest neighbour cannot change it: "
        f"that bound alone would prove {share(found.certified)} safe."
    )
    return Section(
        "flips",
        "How many tokens change identity?",
        f"{count(found.flips)} of {plural(found.pairs, '(token, position) pair')}; "
        f"{share(found.kept)} keep their identity. {how}.",
        [
            stacked([(role, value) for role, value, _ in parts]),
            legend_of([(role, f"{share(max(value, 0.0))} {word}") for role, value, word in parts]),
            element("p", f"{bound} {_tolerance(found.tolerance)}"),
        ],
        "How many flip",
    )


def _tolerance(factor: float | None) -> str:
    if factor is None:
        return ""
    if factor == float("inf"):
        return "The codes could be a thousand times as long, and still no token would change."
    if factor == 0:
        return "Some tokens are misread even without any code."
    if factor < 1:
        return f"No token would change if all codes were {decimal(factor)} times as long."
    return f"The codes could be {decimal(factor)} times as long before the first token changes."


def worst(analysis: Analysis, _: Measured | None) -> Section | None:
    """Which tokens turn into which."""
    found = analysis.flip_count
    if found is None or not found.flips:
        return None
    rows = [
        (token(name), count(position), token(becomes), decimal(flip.margin))
        for name, position, becomes, flip in analysis.worst(NUM_WORST)
    ]
    first = rows[0]
    deepest = table(
        f"The {plural(len(rows), 'deepest flip')}: distance past the boundary, in embedding units",
        ["Token", "at position", "is read as", "margin"],
        rows,
        numeric=(1, 3),
    )
    per_token = found.flips_per_token
    changed = int((per_token > 0).sum())
    order = torch.argsort(per_token, descending=True, stable=True)[: min(NUM_LOST, changed)]
    most = table(
        "Tokens that lose their identity at the most positions",
        ["Token", "positions lost"],
        [(token(analysis.name_of(i)), count(int(per_token[i]))) for i in order.tolist()],
        numeric=(1,),
    )
    answer = element(
        "span", "The deepest: ", first[0], f" at position {first[1]} is read as ", first[2],
        f". {plural(changed, 'token')} of {count(found.tokens)} change at some position.",
    )  # fmt: skip
    return Section(
        "worst",
        "Which tokens turn into which?",
        answer,
        [element("div", deepest, most, class_="pair")],
        "Which into which",
    )


def places(analysis: Analysis, _: Measured | None) -> Section | None:
    """At which positions."""
    found, codes = analysis.flip_count, analysis.codes
    if found is None or codes is None or found.positions < 2:
        return None
    flips_at = [int(n) for n in found.flips_per_position]
    lengths = [float(length) for length in codes.double().norm(dim=1)]
    across = Axis("position", -0.5, found.positions - 0.5, whole=True)
    up = Axis("length of the code", 0.0, 1.06 * max(*lengths, 1e-300))
    plots = [Plot(across, up, lambda axes: axes.plot(lengths, color=colours()["codes"]), 110.0)]
    if found.flips:
        plots.insert(0, Plot(across, _flip_axis(flips_at), partial(_draw_flips, flips_at)))
    picture = figure(
        "flips-by-position",
        "Flips and length of the code at every position",
        ("Above: tokens that change at each position. Below: " if found.flips else "")
        + "how long the code of each position is, in embedding units.",
        plots,
    )
    return Section(
        "places", "At which positions?", _where(flips_at), [picture], "At which positions"
    )


def _flip_axis(flips_at: list[int]) -> Axis:
    peak = max(flips_at)
    some = sorted(n for n in flips_at if n)
    is_log = peak > STEEP * some[len(some) // 2] or (peak > STEEP and len(some) < len(flips_at) / 2)
    label = "tokens that change" + (" (logarithmic)" if is_log else "")
    kind: Kind = "count" if is_log else "linear"
    return Axis(label, 0.0, 1.12 * peak, kind, whole=True)


def _draw_flips(flips_at: list[int], axes: Axes) -> None:
    """Steps filled down to the axis; their outline keeps a single high position visible."""
    axes.stairs(flips_at, torch.arange(len(flips_at) + 1) - 0.5, fill=True, lw=1.4,
                color=colours()["lost"])  # fmt: skip
    peak = max(flips_at)
    if flips_at.count(peak) == 1:
        at = flips_at.index(peak)
        label(axes, (float(at), float(peak)), f"position {count(at)}: {count(peak)}")


def _where(flips_at: list[int]) -> str:
    total = sum(flips_at)
    if not total:
        return "Nowhere: no token changes at any position."
    order = sorted(range(len(flips_at)), key=lambda t: (-flips_at[t], t))
    touched = sum(n > 0 for n in flips_at)
    if touched == 1:
        return f"All of them at position {count(order[0])}."
    reached, needed = 0, 0
    while reached < MOST * total:
        reached += flips_at[order[needed]]
        needed += 1
    first, second = order[:2]
    peak = f", most at position {count(first)}" if flips_at[first] > flips_at[second] else ""
    few = f"; {share(reached / total)} of the flips at {count(needed)} of them"
    return (
        f"At {count(touched)} of {plural(len(flips_at), 'position')}{peak}"
        f"{few if needed < touched else ''}."
    )


def margins(analysis: Analysis, measured: Measured | None) -> Section | None:
    """How close it was."""
    if analysis.flip_count is None or measured is None:
        return None
    drawn = measured.sample
    finite = drawn.margins.isfinite() & drawn.at_rest.isfinite()
    moved, rest = drawn.margins[finite].double(), drawn.at_rest[finite].double()
    if len(moved) < 2:
        return None
    low, high = spanning([*moved.tolist(), *rest.tolist(), 0.0], 0.02)
    edges, heights = _histogram(moved, low, high)
    _, before = _histogram(rest, low, high)
    draw = partial(_draw_margins, edges, heights, before)
    up = Axis("pairs", 0.0, 1.1 * max(*heights, *before), whole=True)
    picture = figure(
        "margin-histogram",
        "Histogram of margins with and without codes",
        f"Distance of {plural(len(moved), 'pair')}, drawn at random, to the nearest boundary "
        "between two tokens: left of it a token is read as another one. The outline is the same "
        "without any code.",
        [Plot(Axis("margin, embedding units", low, high), up, draw, 210.0)],
        [("codes", "with the code, safe"), ("lost", "with the code, changed"),
         ("control", "without any code")],
    )  # fmt: skip
    return Section(
        "margins",
        "How close does it get?",
        f"The median distance to another token's cell is {decimal(float(rest.median()))} without "
        f"a code and {decimal(float(moved.median()))} with it.",
        [picture],
        "How close",
    )


def _draw_margins(
    edges: list[float], heights: list[float], before: list[float], axes: Axes
) -> None:
    role = colours()
    for left, right, height in zip(edges, edges[1:], heights, strict=False):
        if height:
            (column,) = axes.bar(left, height, right - left, align="edge", lw=1,
                                 color=role["lost" if left + right < 0 else "codes"])  # fmt: skip
            says(column, f"{decimal(left)} to {decimal(right)}: {plural(int(height), 'pair')}")
    axes.stairs(before, edges, baseline=None, color=role["control"], lw=2)
    boundary(axes, 0.0, "boundary")


def _histogram(values: torch.Tensor, low: float, high: float) -> tuple[list[float], list[float]]:
    # An edge lies on 0, so that no column holds both sides of the boundary.
    step = (high - low) / NUM_BINS
    below, above = -int(low // step), int(-(-high // step))
    edges = [step * k for k in range(-below, above + 1)]
    index = torch.div(values, step, rounding_mode="floor").long() + below
    counts = torch.bincount(index.clamp(0, len(edges) - 2), minlength=len(edges) - 1)
    return edges, [float(n) for n in counts]


def tiles(analysis: Analysis) -> list[tuple[str, str]]:
    """(number, what it is): what is to be seen first."""
    found = analysis.flip_count
    if found is None:
        return []
    factor = found.tolerance
    tolerance = "-" if factor is None else decimal(factor) + f"{THIN}{TIMES}"
    if factor == float("inf"):
        tolerance = f"over 1,000{THIN}{TIMES}"
    return [
        (share(found.kept), "of identities kept"),
        (count(found.flips), f"of {plural(found.pairs, 'pair')} change identity"),
        (share(found.certified), "proved safe by the code's length alone"),
        (tolerance, "the codes' length at which the first token changes"),
    ]


def summary(analysis: Analysis) -> str:
    """The answer in one paragraph."""
    found, source = analysis.flip_count, short_name(analysis.tables.source)
    if found is None:
        return f"{source} adds no position code to its tokens: none of them moves."
    whose = "its own position codes" if analysis.own else "sinusoidal position codes"
    if not found.flips:
        return (
            f"With {whose} no token of {source} is read as another one at any of "
            f"{plural(found.positions, 'position')}."
        )
    return (
        f"With {whose} added, {plural(found.flips, 'pair')} of token and position in {source} are "
        f"read as another token, of {count(found.pairs)}: {share(found.kept)} keep their identity."
    )
