"""The frame around a page that a command made."""

from __future__ import annotations

from orthogan.report.markup import element
from orthogan.studio.pages.layout import whole


def view_page(title: str, back: tuple[str, str], source: str, wait: str) -> str:
    """The page, in which the made one is loaded once it is there.

    Args:
        title: What is shown.
        back: Address and words of where one comes from.
        source: Address of the made page.
        wait: How long it takes to make, in words.
    """
    return whole(
        title,
        element("div", element("h1", title), element("a", back[1], href=back[0], class_="button"),
                class_="row viewed"),
        element("p", f"It is being made, which takes {wait}, longer while runs train.",
                id="wait", class_="muted"),
        element("iframe", src=source, title=title, id="view", sandbox="allow-scripts "
                "allow-downloads"),
        script="view.js", wide=True,
    )  # fmt: skip
