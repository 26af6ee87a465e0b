"""Sections on how codes move tokens: turns and lengths; and on whether codes come back."""

from __future__ import annotations

from orthogan.analysis.result import Analysis
from orthogan.report.figures import Axis, Plot, colours, figure, spanning
from orthogan.report.grid_places import grid_of, place_name
from orthogan.report.markup import Html
from orthogan.report.measured import Measured
from orthogan.report.page import Section
from orthogan.report.tables import terms
from orthogan.report.wording import TIMES, count, decimal, plural, share

DEGREE = "\u00b0"
STRAIGHT = 180.0  # degrees


def motion(analysis: Analysis, _: Measured | None) -> Section | None:
    """How far codes turn the tokens, and how long they are beside the distances of tokens."""
    found = analysis.motion
    if found is None:
        return None
    bound = (
        f"no code of that length could turn that token by more than "
        f"{decimal(found.largest_bound)}{DEGREE}, arcsin(|p| / |e|), which a code reaches that "
        "points partly against the token"
        if found.largest_bound < STRAIGHT
        else "the code is longer than the token, and can turn it by any angle"
    )
    facts = [
        ("Median turn", f"{decimal(found.median_turn)}{DEGREE}"),
        ("Largest turn", f"{decimal(found.largest)}{DEGREE}; {bound}"),
    ]
    if found.median_length is not None:
        facts.append(
            ("Length of the codes", (f"the median pair: {decimal(found.median_length)} {TIMES} "
             "half the distance from the token to its nearest neighbor"))
        )  # fmt: skip
    if found.safe_length is not None:
        facts.append(
            ("What this width bears", ("codes in random directions flip at most half of such "
             f"tokens up to {decimal(found.safe_length)} {TIMES} that distance, by a bound that "
             "grows with the square root of the width"))
        )  # fmt: skip
    return Section(
        "motion",
        "How far do the codes turn the tokens?",
        f"The median pair by {decimal(found.median_turn)}{DEGREE}, at most by "
        f"{decimal(found.largest)}{DEGREE}; measured on {plural(found.num_tokens, 'token')}.",
        [terms(facts, "facts")],
        "Turns",
    )


def repeats(analysis: Analysis, _: Measured | None) -> Section | None:
    """Whether the codes come back to each other."""
    if analysis.motion is None or analysis.codes is None:
        return None
    found = analysis.motion.repeats
    if found.closest is None or found.closest_distance is None or len(found.products) < 3:
        return None
    first, second = (place_name(analysis, place) for place in found.closest)
    closest = (
        f"The two most alike are those of {first} and {second}, {decimal(found.closest_distance)} "
        f"{TIMES} the length of a code apart."
    )
    if analysis.tables.grid is not None:
        return Section(
            "repeats", "How alike are the codes of different places?", closest,
            [_map(analysis)], "Codes among themselves",
        )  # fmt: skip
    back = found.first_return
    answer = (
        f"Nearly, after {plural(back, 'position')}: on average codes that far apart are within a "
        "fifth of their length of each other."
        if back is not None
        else "No: codes that have once departed from each other do not come back to within a fifth "
        f"of their length, among {plural(len(found.products), 'position')}."
    )
    explained = share(min(max(round(found.by_distance, 6), 0.0), 1.0))
    fact = f"{explained} of the variation of the products; for sinusoids it is all of it"
    return Section(
        "repeats",
        "Do the codes repeat?",
        f"{answer} {closest}",
        [_curve(found.products), terms([("What distance alone explains", fact)], "facts")],
        "Do codes repeat",
    )


def _curve(products: tuple[float, ...]) -> Html:
    low, high = spanning([*products, 0.0], 0.05)
    return figure(
        "code-products",
        "Mean product of two codes by the distance of their positions",
        "Product of two codes over that of a code with itself, averaged over all positions: 1 is "
        "the same code, 0 is perpendicular.",
        [Plot(Axis("distance of the positions", 0.0, float(len(products) - 1), whole=True),
              Axis("product", low, high),
              lambda axes: axes.plot(products, color=colours()["codes"], lw=2))],
    )  # fmt: skip


def _map(analysis: Analysis) -> Html | None:
    grid, codes = analysis.tables.grid, analysis.codes
    if grid is None or codes is None:
        return None
    places = codes.double()[-grid[0] * grid[1] :]
    lengths = places.norm(dim=1)
    middle = (grid[0] // 2) * grid[1] + grid[1] // 2
    scale = (lengths * lengths[middle]).clamp_min(1e-300)
    cosines = (places @ places[middle] / scale).tolist()
    caption = (
        f"Cosine of the code of every place with that of row {count(middle // grid[1])}, column "
        f"{count(middle % grid[1])}"
    )
    return grid_of(analysis, caption, cosines, lambda value: f"{value:.1f}".replace("0.", "."))
