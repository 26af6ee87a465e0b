"""Figures: panels one below the other as inline SVG, drawn once for wide and once for narrow.

Matplotlib draws; what it writes is then fitted to the page: colours become those of the style
sheet, so that they follow light and dark, and nothing refers to anything outside of the picture.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from orthogan.report.markup import Html, element
from orthogan.report.page import style
from orthogan.report.wording import tick

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis as DrawnAxis

Kind: TypeAlias = Literal["linear", "log", "count"]
WIDE_PX, NARROW_PX = 880.0, 346.0
LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 62.0, 12.0, 26.0, 44.0
TICK_PX, TICK_UP_PX = 64.0, 44.0  # of an axis for each number at least
TURN = 0.6  # of the panel's width: labels right of it stand left of their mark
FEW_DECADES = 2.0  # on a shorter logarithmic axis 2 and 5 are written too
INCH_PX = 72.0  # of Matplotlib's SVG
# Text stays text, the same figure gives the same bytes, and no point is left out.
SETTINGS: dict[Any, Any] = {"svg.fonttype": "none", "path.simplify": False, "font.size": 12}


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        label: What is measured, with its unit.
        low: Number at its beginning.
        high: Number at its end, larger.
        kind: `linear`, `log` (positive numbers) or `count` (the logarithm of one more, so that
            0 has a place).
        written: How a number beside the axis is written.
        whole: Whether only whole numbers are written beside it.
    """

    label: str
    low: float
    high: float
    kind: Kind = "linear"
    written: Callable[[float], str] = tick
    whole: bool = False


@dataclass(frozen=True)
class Plot:
    """One panel: its axes, and what draws into it once they are set; its height in pixels."""

    across: Axis
    up: Axis
    draw: Callable[[Axes], object]
    height: float = 240.0


def figure(
    key: str,
    title: str,
    description: str,
    plots: Sequence[Plot],
    legend: Sequence[tuple[str, str]] = (),
) -> Html:
    """A figure with a legend above and a caption below.

    Args:
        key: Unique in the page.
        title: Read aloud in the place of the picture, and its tooltip.
        description: What is drawn and how to read it; the caption.
        plots: The panels, from top to bottom.
        legend: (role, word) of each colour.
    """
    pictures = [
        _picture(f"{key}-{name}", title, plots, width)
        for name, width in (("wide", WIDE_PX), ("narrow", NARROW_PX))
    ]
    return element(
        "figure", legend_of(legend), *pictures, element("figcaption", description), id=key
    )


def legend_of(entries: Sequence[tuple[str, str]]) -> Html | None:
    """A list of coloured keys with their words; None without any."""
    if not entries:
        return None
    keys = [
        element("li", element("span", "", class_=f"key {role}", aria_hidden="true"), word)
        for role, word in entries
    ]
    return element("ul", *keys, class_="legend")


def spanning(values: Sequence[float], pad: float = 0.04) -> tuple[float, float]:
    """The range of some finite numbers, a little wider, and never of no width.

    >>> spanning([1.0, 1.0])
    (0.5, 1.5)
    """
    low, high = min(values), max(values)
    if low == high:
        return low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    return low - pad * (high - low), high + pad * (high - low)


@cache
def colours() -> dict[str, str]:
    """The colour of each role on a light page, as the style sheet has it.

    >>> colours()["codes"]
    '#1f63b5'
    """
    light = style().partition("@media")[0]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light))


def dust(axes: Axes, role: str, x: Sequence[float], y: Sequence[float]) -> None:
    """Faint dots: one path of them takes a tenth of the bytes of as many markers."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    points = np.repeat(np.column_stack([x, y]), 2, axis=0)
    path = Path(points, np.tile([Path.MOVETO, Path.LINETO], len(x)))
    colour = colours()[role]
    axes.add_patch(PathPatch(path, ec=colour, fill=False, lw=3, alpha=0.32, capstyle="round"))


def says(artist: Artist, text: str) -> None:
    """Gives a mark the words that are shown where it is pointed at."""
    artist.set_gid(f"says:{text}")


def boundary(axes: Axes, at: float, text: str, *, at_foot: bool = False) -> None:
    """An upright line with a word at its top, or at its foot."""
    axes.axvline(at, color=colours()["ink"], lw=1.5)
    label(axes, (at, 0.0 if at_foot else 1.0), text, 9.0 if at_foot else -11.0, on_axes=True)


def label(
    axes: Axes, at: tuple[float, float], text: str, rise: float = -4.0, *, on_axes: bool = False
) -> None:
    """A word beside a point, on the side that has room; `on_axes` takes its height in 0..1."""
    place = axes.get_xaxis_transform()
    turned = (place - axes.transAxes).transform((at[0], 0.0))[0] > TURN
    axes.annotate(
        text, at, (-7 if turned else 7, rise), textcoords="offset points", gid="label",
        xycoords=place if on_axes else "data",
        ha="right" if turned else "left", color=colours()["ink"],
    )  # fmt: skip


def _picture(name: str, title: str, plots: Sequence[Plot], width: float) -> Html:
    from matplotlib import rc_context
    from matplotlib.figure import Figure  # late: it takes half a second to import

    height = sum(TOP_PX + plot.height + BOTTOM_PX for plot in plots)
    drawn = Figure(figsize=(width / INCH_PX, height / INCH_PX), facecolor="none")
    top, inner, content = height, width - LEFT_PX - RIGHT_PX, io.StringIO()
    with rc_context({**SETTINGS, "svg.hashsalt": name}):
        for plot in plots:
            top -= TOP_PX + plot.height
            place = (LEFT_PX / width, top / height, inner / width, plot.height / height)
            _fill(drawn.add_axes(place, facecolor="none"), plot, inner)
            top -= BOTTOM_PX
        drawn.savefig(content, format="svg")
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        _fitted(content.getvalue()),
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        class_=name.rsplit("-", 1)[1],
        role="img",
        aria_labelledby=f"{name}-title",
    )


def _fill(axes: Axes, plot: Plot, width: float) -> None:
    """Sets up the axes of a panel and draws into it."""
    role = colours()
    axes.set_axisbelow(True)
    axes.spines[["top", "left", "right"]].set_visible(False)
    axes.spines["bottom"].set_color(role["soft"])
    axes.tick_params(length=0, pad=7, labelcolor=role["soft"])
    axes.grid(axis="y", color=role["line"], lw=1)
    _scale(axes.set_yscale, axes.yaxis, plot.up, max(3, int(plot.height / TICK_UP_PX)))
    _scale(axes.set_xscale, axes.xaxis, plot.across, max(3, int(width / TICK_PX)))
    axes.set_xlim(plot.across.low, plot.across.high)
    axes.set_ylim(plot.up.low, plot.up.high)
    for text, at, anchor in ((plot.up.label, (-LEFT_PX, plot.height + 11), "left"),
                             (plot.across.label, (width, -35), "right")):  # fmt: skip
        axes.annotate(text, at, xycoords="axes points", ha=anchor, color=role["ink"])
    plot.draw(axes)


def _scale(set_scale: Callable[..., None], drawn: DrawnAxis, axis: Axis, most: int) -> None:
    from matplotlib import ticker

    locator: ticker.Locator = ticker.MaxNLocator(most, steps=[1, 2, 5, 10], integer=axis.whole)
    if axis.kind == "log":
        set_scale("log")
        is_short = math.log10(axis.high / axis.low) < FEW_DECADES
        locator = ticker.LogLocator(subs=(1, 2, 5) if is_short else (1,), numticks=most)
    elif axis.kind == "count":
        set_scale("function", functions=(np.log1p, np.expm1))
        powers = range(1 + int(math.log10(max(axis.high, 1.0))))
        locator = ticker.FixedLocator([0.0, *(10.0**power for power in powers)])
    drawn.set_major_locator(locator)
    drawn.set_minor_locator(ticker.NullLocator())
    drawn.set_major_formatter(ticker.FuncFormatter(lambda value, _: axis.written(value)))


def _fitted(svg: str) -> Html:
    """The inside of a picture of Matplotlib's, as a part of the page."""
    inside = svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")]
    for pattern, new in (
        (r"<metadata>.*?</metadata>|<defs>\s*<style.*?</defs>|<!--.*?-->", ""),
        (r"<clipPath.*?</clipPath>| clip-path=\"[^\"]*\"", ""),  # nothing lies outside
        (r"<g id=\"says:([^\"]*)\">", r'<g class="says"><title>\1</title>'),
        (r"<g id=\"label\">", '<g class="label">'),
        (r" id=\"[\w.]*_\d+\"", ""),  # the same in every picture
        (r"xlink:href", "href"),
        (r"font(-\w+)?: [^;\"]*;? ?", ""),  # the page's own
        (r"(?<![>\d.\u2212])\d+\.\d{3,}", lambda number: f"{float(number[0]):.1f}"),  # not in texts
        (r" transform=\"rotate\(-0 [^\"]*\"|<g/>", ""),
        (r"\s*\n\s*", "\n"),
    ):
        inside = re.sub(pattern, new, inside, flags=re.DOTALL)
    names = {colour: name for name, colour in reversed(colours().items())}
    return Html(re.sub("#[0-9a-f]{6}\\b", lambda found: _variable(found[0], names), inside))


def _variable(colour: str, names: dict[str, str]) -> str:
    return f"var(--{names[colour]})" if colour in names else colour
