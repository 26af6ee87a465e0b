"""Tables: plain ones, rows with a bar, and grids of cells as dark as their numbers are large."""

from __future__ import annotations

from collections.abc import Sequence

from orthogan.report.markup import Html, element

DARK = 0.8  # from here on a cell's number is written in the colour of the page


def table(
    caption: str,
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    numeric: Sequence[int] = (),
) -> Html:
    """A table; the first cell of a row heads it.

    Args:
        caption: What the table shows.
        headers: One per column.
        rows: Cells, escaped unless they are markup.
        numeric: Columns that hold numbers, aligned to the right.
    """
    styles = ["number" if column in numeric else None for column in range(len(headers))]
    top = [
        element("th", head, scope="col", class_=style)
        for head, style in zip(headers, styles, strict=True)
    ]
    body = [
        element(
            "tr",
            element("th", row[0], scope="row", class_=styles[0]),
            *(
                element("td", cell, class_=style)
                for cell, style in zip(row[1:], styles[1:], strict=True)
            ),
        )
        for row in rows
    ]
    return _whole(caption, top, body)


def bar(share: float, role: str) -> Html:
    """A bar as long as a share of its cell."""
    length = 100 * min(max(share, 0.0), 1.0)
    inner = element("span", "", class_=f"bar {role}", style=f"width:{length:.2f}%")
    return element("span", inner, class_="track", aria_hidden="true")


def stacked(parts: Sequence[tuple[str, float]]) -> Html:
    """One bar of several shares, each in the colour of its role; the smallest stay visible."""
    pieces = [
        element("span", "", class_=f"piece {role}", style=f"flex-grow:{100 * value:.4f}")
        for role, value in parts
        if value > 0
    ]
    return element("div", *pieces, class_="stacked", aria_hidden="true")


def terms(pairs: Sequence[tuple[str, str]], style: str) -> Html:
    """A list of words, each with what it stands for."""
    parts = [part for name, text in pairs for part in (element("dt", name), element("dd", text))]
    return element("dl", *parts, class_=style)


def notes(sentences: Sequence[str]) -> Html | None:
    """A list of sentences; None without any."""
    if not sentences:
        return None
    return element("ul", *(element("li", one) for one in sentences), class_="notes")


def heat_grid(
    caption: str,
    corner: str,
    columns: Sequence[str],
    rows: Sequence[tuple[str, Sequence[tuple[float | None, str]]]],
) -> Html:
    """A grid of numbers, each cell as dark as its share.

    Args:
        caption: What the grid shows.
        corner: What rows and columns are.
        columns: Name of each column.
        rows: Name of each row, and for each of its cells the share (None: empty) and the text.
    """
    top = [element("th", corner, scope="col"), *(element("th", c, scope="col") for c in columns)]
    body = [
        element("tr", element("th", name, scope="row"), *(_cell(*cell) for cell in cells))
        for name, cells in rows
    ]
    return _whole(caption, top, body, "heat")


def _cell(share: float | None, text: str) -> Html:
    if share is None:
        return element("td", "")
    level = min(max(share, 0.0), 1.0)
    return element(
        "td", text, class_="dark" if level >= DARK else None, style=f"--level:{100 * level:.0f}%"
    )


def _whole(
    caption: str, top: Sequence[Html], body: Sequence[Html], style: str | None = None
) -> Html:
    whole = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *top)),
        element("tbody", *body),
        class_=style,
    )
    # Reachable by the keyboard, so that a wide table can be scrolled without a mouse.
    return element("div", whole, class_="scroll", role="region", aria_label=caption, tabindex="0")
