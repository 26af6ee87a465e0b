"""What can be drawn into a panel: lines, points, columns, bands and walls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from orthogan.report.axes import Axis
from orthogan.report.markup import Html, element, joined

RADIUS_PX = 3.5
LABEL_PX = 6.6  # about the width of a character of a label
TURN = 0.6  # of the panel's width: labels right of it stand left of their mark


@dataclass(frozen=True)
class Panel:
    """The rectangle that two axes span, in pixels from the top left of the picture."""

    left: float
    top: float
    width: float
    height: float
    across: Axis
    up: Axis

    def x(self, value: float) -> float:
        """Where a number of the lower axis lies."""
        return self.left + self.width * self.across.place(value)

    def y(self, value: float) -> float:
        """Where a number of the upright axis lies."""
        return self.top + self.height * (1 - self.up.place(value))


@runtime_checkable  # so that beartype can check it in tests
class Layer(Protocol):
    """Anything that can be drawn into a panel."""

    def draw(self, panel: Panel) -> Html:
        """The marks as SVG."""


@dataclass(frozen=True)
class Line:
    """A line through points, in the colour of its role."""

    role: str
    x: Sequence[float]
    y: Sequence[float]
    dash: str | None = None

    def draw(self, panel: Panel) -> Html:
        """One path."""
        points = zip(self.x, self.y, strict=True)
        path = "L".join(f"{panel.x(x):.1f} {panel.y(y):.1f}" for x, y in points)
        return element("path", d=f"M{path}", class_=f"line {self.role}", stroke_dasharray=self.dash)


@dataclass(frozen=True)
class Points:
    """Dots, each with what it says when pointed at; faint ones say nothing."""

    role: str
    x: Sequence[float]
    y: Sequence[float]
    says: Sequence[str] = ()

    def draw(self, panel: Panel) -> Html:
        """A circle each, or for faint ones one path of dots."""
        if not self.says:
            points = zip(self.x, self.y, strict=True)
            path = "".join(f"M{panel.x(x):.1f} {panel.y(y):.1f}h0" for x, y in points)
            return element("path", d=path, class_=f"dust {self.role}")
        dots = [
            element(
                "circle", element("title", says), cx=panel.x(x), cy=panel.y(y), r=RADIUS_PX,
                class_=f"dot {self.role}",
            )
            for x, y, says in zip(self.x, self.y, self.says, strict=True)
        ]  # fmt: skip
        return joined(*dots)


@dataclass(frozen=True)
class Columns:
    """Columns between neighbouring edges; those under a negative middle take another role."""

    role: str
    edges: Sequence[float]
    heights: Sequence[float]
    says: Sequence[str]
    below: str | None = None

    def draw(self, panel: Panel) -> Html:
        """A rectangle for each column that is not empty."""
        bars = []
        foot = panel.top + panel.height
        for index, height in enumerate(self.heights):
            if height <= 0:
                continue
            left, right = panel.x(self.edges[index]), panel.x(self.edges[index + 1])
            top = min(panel.y(height), foot - 1)
            negative = self.edges[index] + self.edges[index + 1] < 0
            bars.append(
                element(
                    "rect",
                    element("title", self.says[index]),
                    x=left,
                    y=top,
                    width=max(right - left - 0.6, 1.6),
                    height=foot - top,
                    class_=f"column {self.below if negative and self.below else self.role}",
                )
            )
        return joined(*bars)


@dataclass(frozen=True)
class Area:
    """A step for each position, filled down to the axis: for more columns than pixels."""

    role: str
    heights: Sequence[int]

    def draw(self, panel: Panel) -> Html:
        """One path; a single high position stays visible by the path's own width."""
        foot = panel.top + panel.height
        steps = [f"M{panel.x(-0.5):.1f} {foot:.1f}"]
        for index, height in enumerate(self.heights):
            level = panel.y(float(height))
            steps.append(f"L{panel.x(index - 0.5):.1f} {level:.1f}H{panel.x(index + 0.5):.1f}")
        steps.append(f"V{foot:.1f}Z")
        return element("path", d="".join(steps), class_=f"area {self.role}")


@dataclass(frozen=True)
class Level:
    """A dashed line across the whole panel at one height."""

    role: str
    value: float

    def draw(self, panel: Panel) -> Html:
        """One line."""
        y = panel.y(self.value)
        return element(
            "line", x1=panel.left, x2=panel.left + panel.width, y1=y, y2=y,
            class_=f"line {self.role}", stroke_dasharray="2 4",
        )  # fmt: skip


@dataclass(frozen=True)
class Wall:
    """An upright line with a word at its top, or at its foot."""

    value: float
    label: str
    at_foot: bool = False

    def draw(self, panel: Panel) -> Html:
        """The line, and the label on the side that has room."""
        x, turned = panel.x(self.value), panel.across.place(self.value) > TURN
        height = panel.top + (panel.height - 9 if self.at_foot else 11)
        return joined(
            element("line", x1=x, x2=x, y1=panel.top, y2=panel.top + panel.height, class_="wall"),
            _label(self.label, x + (-6 if turned else 6), height, turned),
        )


@dataclass(frozen=True)
class Mark:
    """A word beside a point."""

    x: float
    y: float
    label: str

    def draw(self, panel: Panel) -> Html:
        """The label on the side that has room."""
        turned = panel.across.place(self.x) > TURN
        place = panel.x(self.x) + (-7 if turned else 7)
        return _label(self.label, place, max(panel.y(self.y) + 4, panel.top + 11), turned)


def _label(text: str, x: float, y: float, turned: bool) -> Html:
    anchor = "end" if turned else None
    return element("text", text, x=x, y=y, text_anchor=anchor, class_="label")
