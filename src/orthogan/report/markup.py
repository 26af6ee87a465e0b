"""HTML and SVG as nested elements; every text that is not markup is escaped on its way in."""

from __future__ import annotations

import html
from typing import TypeAlias

# Elements that have no content and no closing tag.
VOID = {"meta", "link", "col", "br", "img", "input"}


Value: TypeAlias = str | int | float | None


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def element(name: str, /, *children: str | None, **attributes: Value) -> Html:
    """An element around its children; None leaves a child or an attribute out.

    Args:
        name: Of the element.
        children: Markup as it is; any other text is escaped.
        attributes: `class_` gives `class`, `aria_label` gives `aria-label`.

    >>> element("p", "1 < 2, ", element("b", "so"), class_="lead")
    '<p class="lead">1 &lt; 2, <b>so</b></p>'
    """
    opening = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Html(f"<{name}{opening}>")
    return Html(f"<{name}{opening}>{joined(*children)}</{name}>")


def joined(*children: str | None) -> Html:
    """The children one after the other, escaped unless they are markup.

    >>> joined("a & b", None, element("br"))
    'a &amp; b<br>'
    """
    return Html(
        "".join(
            child if isinstance(child, Html) else html.escape(child)
            for child in children
            if child is not None
        )
    )


def _attribute(key: str, value: Value) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
    return f' {key.rstrip("_").replace("_", "-")}="{html.escape(text)}"'
