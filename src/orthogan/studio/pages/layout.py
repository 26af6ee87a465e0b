"""The frame of every page, and the parts that several of them have."""

from __future__ import annotations

from orthogan.report.markup import Html, element, joined

SCRIPTS = ("stream.js", "curves.js", "list.js", "run.js", "view.js")


def whole(title: str, *children: Html | None, script: str | None = None, wide: bool = False) -> str:
    """A page of the studio.

    Args:
        title: In the tab of the browser.
        children: Of its main part.
        script: The module that keeps it alive; the page is of use without it.
        wide: Whether it takes the whole width of the window.
    """
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{title} - orthogan studio"),
        element("link", rel="icon", href="data:,"),  # or the browser asks for one
        element("link", rel="stylesheet", href="/static/studio.css"),
        element("script", src="/static/uPlot.iife.min.js", defer="")
        if script == "run.js"
        else None,
        element("script", type="module", src=f"/static/{script}") if script else None,
    )
    body = element(
        "body",
        element("a", "Skip to the page", href="#page", class_="skip"),
        element(
            "header",
            element("nav", element(
                "ul",
                element("li", element("a", "orthogan studio", href="/", class_="brand")),
                element("li", element("a", "New run", href="/new")),
            ), aria_label="Studio"),
            class_="top",
        ),
        element("p", "", id="lost", class_="lost-note", role="status"),
        element("main", *children, id="page"),
        class_="studio wide-page" if wide else "studio",
    )  # fmt: skip
    text = f"<!doctype html>\n{element('html', head, body, lang='en')}\n"
    # A name on the disk may hold bytes that are no text; they are shown as their codes.
    return text.encode("utf-8", "backslashreplace").decode()


def message(title: str, sentence: str, *more: Html | None) -> str:
    """A page that says one thing."""
    return whole(title, element("h1", title), element("p", sentence, class_="summary"), *more)


def badge(status: str) -> Html:
    """The state of a run, in a word."""
    return element("span", status, class_=f"badge {STYLES.get(status, 'still')}")


STYLES = {
    "running": "live",
    "starting": "live",
    "stopping": "live",
    "done": "good",
    "diverged": "bad",
    "failed": "bad",
}


def button_form(action: str, text: str, *inputs: Html | None, label: str | None = None) -> Html:
    """A form of one button, with what it sends besides."""
    return element(
        "form", *inputs, element("button", text, aria_label=label), method="post", action=action,
        class_="row",
    )  # fmt: skip


def progress_bar(fraction: float | None, name: str) -> Html | None:
    """How much of the budget is used up; None where nobody knows."""
    if fraction is None:
        return None
    value = f"{fraction:.4f}"
    return element("progress", max="1", value=value, aria_label=f"Budget of {name} used up")


def lines(*children: str | None) -> Html:
    """Parts of a line with dots between them; what is None is left out."""
    kept = [each for each in children if each]
    parts = [part for each in kept for part in (Html(" &middot; "), each)][1:]
    return joined(*parts)
