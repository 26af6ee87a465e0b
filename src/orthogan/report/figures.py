"""Figures: panels one below the other as inline SVG, drawn once for wide and once for narrow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orthogan.report.axes import Axis
from orthogan.report.layers import Layer, Panel
from orthogan.report.markup import Html, element, joined

WIDE_PX, NARROW_PX = 880.0, 346.0
LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 62.0, 12.0, 26.0, 44.0
TICK_PX = 64.0  # of the lower axis for each number at least


@dataclass(frozen=True)
class Plot:
    """One panel to be drawn: its axes and, from back to front, what lies in it."""

    across: Axis
    up: Axis
    layers: Sequence[Layer]
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


def _picture(name: str, title: str, plots: Sequence[Plot], width: float) -> Html:
    parts, top = [], 0.0
    for plot in plots:
        panel = Panel(
            LEFT_PX, top + TOP_PX, width - LEFT_PX - RIGHT_PX, plot.height, plot.across, plot.up
        )
        parts += [_frame(panel), *(layer.draw(panel) for layer in plot.layers)]
        top += TOP_PX + plot.height + BOTTOM_PX
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        *parts,
        viewBox=f"0 0 {width:.0f} {top:.0f}",
        class_=name.rsplit("-", 1)[1],
        role="img",
        aria_labelledby=f"{name}-title",
    )


def _frame(panel: Panel) -> Html:
    foot, end = panel.top + panel.height, panel.left + panel.width
    parts = [element("text", panel.up.label, x=0, y=panel.top - 11, class_="axis")]
    for value in panel.up.ticks(max(3, int(panel.height / 44))):
        y = panel.y(value)
        parts += [
            element("line", x1=panel.left, x2=end, y1=y, y2=y, class_="grid"),
            element(
                "text", panel.up.written(value), x=panel.left - 8, y=y + 4, text_anchor="end",
                class_="tick",
            ),
        ]  # fmt: skip
    for value in panel.across.ticks(max(3, int(panel.width / TICK_PX))):
        x = panel.x(value)
        parts += [
            element("line", x1=x, x2=x, y1=foot, y2=foot + 4, class_="rule"),
            element(
                "text", panel.across.written(value), x=x, y=foot + 17, text_anchor="middle",
                class_="tick",
            ),
        ]  # fmt: skip
    parts += [
        element("line", x1=panel.left, x2=end, y1=foot, y2=foot, class_="rule"),
        element("text", panel.across.label, x=end, y=foot + 35, text_anchor="end", class_="axis"),
    ]
    return joined(*parts)
