"""Sections on the count itself: what was read, how many pairs flip, which, where, how narrowly."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch

from orthogan.analysis.result import Analysis
from orthogan.report.figures import (
    Axis,
    Plot,
    boundary,
    colours,
    figure,
    legend_of,
    says,
    spanning,
)
from orthogan.report.grid_places import place_name
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
        (token(name), place_name(analysis, position), token(becomes), decimal(flip.margin))
        for name, position, becomes, flip in analysis.worst(NUM_WORST)
    ]
    first, at = rows[0], "" if analysis.tables.grid else "position "
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
        "span", "The deepest: ", first[0], f" at {at}{first[1]} is read as ", first[2],
        f". {plural(changed, 'token')} of {count(found.tokens)} change at some position.",
    )  # fmt: skip
    return Section(
        "worst",
        "Which tokens turn into which?",
        answer,
        [element("div", deepest, most, class_="pair")],
        "Which into which",
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
    part = " of this sample" if analysis.tables.sample else ""
    return [
        (share(found.kept), f"of identities{part} kept"),
        (count(found.flips), f"of {plural(found.pairs, 'pair')}{part} change identity"),
        (share(found.certified), "proved safe by the code's length alone"),
        (tolerance, "the codes' length at which the first token changes"),
    ]


def summary(analysis: Analysis) -> str:
    """The answer in one paragraph."""
    found, source = analysis.flip_count, short_name(analysis.tables.source)
    if found is None:
        return f"{source} adds no position code to its tokens: none of them moves."
    whose = "its own position codes" if analysis.own else "sinusoidal position codes"
    drawn = f"a sample of {count(found.tokens)} tokens (from {analysis.tables.sample}) of {source}"
    if not found.flips:
        which = f"of {drawn} none" if analysis.tables.sample else f"no token of {source}"
        return (
            f"With {whose} {which} is read as another one at any of "
            f"{plural(found.positions, 'position')}.{_of_sample(analysis)}"
        )
    where = drawn if analysis.tables.sample else source
    return (
        f"With {whose} added, {plural(found.flips, 'pair')} of token and position in {where} are "
        f"read as another token, of {count(found.pairs)}: {share(found.kept)} keep their identity."
        f"{_of_sample(analysis)}"
    )


def _of_sample(analysis: Analysis) -> str:
    """What the counts of a part of the tokens say of all of them."""
    if not analysis.tables.sample:
        return ""
    return " More tokens would lie closer to each other, so of all tokens no fewer would flip."
