"""The section on positions: where tokens flip, and how long the codes are there."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch

from orthogan.analysis.result import Analysis
from orthogan.report.figures import Axis, Kind, Plot, colours, figure, label
from orthogan.report.grid_places import grid_of, place_name
from orthogan.report.markup import Html, element
from orthogan.report.measured import Measured
from orthogan.report.page import Section
from orthogan.report.wording import count, decimal, plural, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 0.9  # of the flips: at how many positions do they lie?
STEEP = 20  # times the median position: a peak that needs a logarithmic axis


def places(analysis: Analysis, _: Measured | None) -> Section | None:
    """At which positions."""
    found, codes = analysis.flip_count, analysis.codes
    if found is None or codes is None or found.positions < 2:
        return None
    flips_at = [int(n) for n in found.flips_per_position]
    lengths = [float(length) for length in codes.double().norm(dim=1)]
    return Section(
        "places",
        "At which positions?",
        _where(analysis, flips_at),
        _grids(analysis, flips_at, lengths) or [_line(flips_at, lengths)],
        "At which positions",
    )


def _grids(analysis: Analysis, flips_at: list[int], lengths: list[float]) -> list[Html | None]:
    """Flips and lengths where they stand in the image; nothing without a grid."""
    if analysis.tables.grid is None:
        return []
    total = analysis.tables.tokens.shape[0]
    flips = grid_of(
        analysis, f"Tokens, of {count(total)}, that change at each place",
        [float(n) for n in flips_at],
        lambda value: count(int(value)),
    ) if any(flips_at) else None  # fmt: skip
    length = grid_of(
        analysis, "Length of the code of each place, in embedding units", lengths,
        lambda value: decimal(value, 2).removeprefix("0"),
    )  # fmt: skip
    return [element("div", *(each for each in (flips, length) if each), class_="grids")]


def _line(flips_at: list[int], lengths: list[float]) -> Html:
    across = Axis("position", -0.5, len(flips_at) - 0.5, whole=True)
    up = Axis("length of the code", 0.0, 1.06 * max(*lengths, 1e-300))
    plots = [Plot(across, up, lambda axes: axes.plot(lengths, color=colours()["codes"]), 110.0)]
    if any(flips_at):
        plots.insert(0, Plot(across, _flip_axis(flips_at), partial(_draw_flips, flips_at)))
    return figure(
        "flips-by-position",
        "Flips and length of the code at every position",
        ("Above: tokens that change at each position. Below: " if any(flips_at) else "")
        + "how long the code of each position is, in embedding units.",
        plots,
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


def _where(analysis: Analysis, flips_at: list[int]) -> str:
    total, at = sum(flips_at), "" if analysis.tables.grid else "position "
    if not total:
        return "Nowhere: no token changes at any position."
    order = sorted(range(len(flips_at)), key=lambda t: (-flips_at[t], t))
    touched = sum(n > 0 for n in flips_at)
    if touched == 1:
        return f"All of them at {at}{place_name(analysis, order[0])}."
    reached, needed = 0, 0
    while reached < MOST * total:
        reached += flips_at[order[needed]]
        needed += 1
    first, second = order[:2]
    peak = (
        f", most at {at}{place_name(analysis, first)}" if flips_at[first] > flips_at[second] else ""
    )
    few = f"; {share(reached / total)} of the flips at {count(needed)} of them"
    return (
        f"At {count(touched)} of {plural(len(flips_at), 'position')}{peak}"
        f"{few if needed < touched else ''}."
    )
