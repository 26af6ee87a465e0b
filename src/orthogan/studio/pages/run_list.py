"""The first page: every run of the folder, as it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orthogan.report.curve_sections import thinned
from orthogan.report.markup import Html, element, joined
from orthogan.report.run_facts import RunFacts
from orthogan.report.run_page import NAMES
from orthogan.report.side_by_side import run_name
from orthogan.report.tables import notes
from orthogan.report.wording import count, decimal, plural
from orthogan.studio.pages.layout import badge, lines, progress_bar, whole
from orthogan.studio.standing import Standing
from orthogan.terminal import printable
from orthogan.training.duration import duration

SPARK_WIDTH, SPARK_HEIGHT, SPARK_POINTS = 120.0, 32.0, 60


def list_page(cards: Mapping[str, Html], head: Html) -> str:
    """The page.

    Args:
        cards: Of each run by its id.
        head: What stands above them, see `heading`.
    """
    compare = element("p", element("button", "Compare the chosen runs"), class_="row")
    return whole(
        "Runs",
        element("div", head, id="head"),
        element(
            "form", element("ul", *cards.values(), id="runs", class_="runs"), compare,
            method="get", action="/compare",
        ),
        script="list.js",
    )  # fmt: skip


def heading(folder: str, runs: Sequence[Standing], remarks: Sequence[str], problem: str) -> Html:
    """What stands above the runs.

    Args:
        folder: Where they lie.
        runs: How they are doing.
        remarks: What cannot be read, a sentence each.
        problem: Why nothing can be read; empty where it can.
    """
    live = sum(run.is_running for run in runs)
    if problem:
        said = f"The folder of runs cannot be read: {printable(problem)}"
    elif not runs:
        said = "There are no runs here yet."
    else:
        said = f"{plural(len(runs), 'run')}, {count(live)} training now."
    return joined(
        element("p", printable(folder), class_="kicker"),
        element("h1", "Runs"),
        element("p", said, class_="summary"),
        element("p", element("a", "Start a run", href="/new", class_="button"), class_="row"),
        notes([printable(each) for each in remarks]),
    )


def card(key: str, run: RunFacts, now: Standing) -> Html:
    """A run in the list."""
    name = run_name(run.path)
    newest = max(run.grids, default=None)
    picture = (
        element("img", src=f"/runs/{key}/grids/{newest}", alt=f"Latest images of {name}",
                width="96", height="96")
        if newest is not None else element("span", "", class_="no-picture")
    )  # fmt: skip
    left = None if now.left_s is None else f"{duration(now.left_s)} left"
    facts = lines(
        NAMES.get(run.task, printable(run.task)),
        f"{count(run.num_seen)} {run.unit}",
        duration(run.seconds),
        left,
    )
    return _item(
        key, name,
        element("a", picture, href=f"/runs/{key}", tabindex="-1", aria_hidden="true"),
        element(
            "div",
            element("p", element("a", name, href=f"/runs/{key}"), " ", badge(now.status)),
            element("p", facts, class_="muted"),
            progress_bar(now.progress, name) if now.is_running else None,
            element("p", now.notice or now.sentence, class_="said"),
            class_="words",
        ),
        element("div", *_spark(run, name), class_="spark"),
    )  # fmt: skip


def starting_card(key: str, name: str, failure: str) -> Html:
    """A run whose process has not opened its folder yet, or ended before it did."""
    sentence = failure or "Its process is starting: it loads PyTorch and the data."
    return _item(
        key, None,
        element("span", "", class_="no-picture"),
        element(
            "div",
            element("p", element("a", printable(name), href=f"/runs/{key}"), " ",
                    badge("failed" if failure else "starting")),
            element("p", sentence, class_="said"),
            class_="words",
        ),
        element("div", class_="spark"),
    )  # fmt: skip


def _item(key: str, name: str | None, *children: Html) -> Html:
    """A row of the list; what changes lies apart from the box that a person may have ticked."""
    box = element(
        "input", type="checkbox", name="run", value=key, aria_label=f"Compare {name}",
    ) if name is not None else element("span", "")  # fmt: skip
    return element("li", box, element("div", *children, class_="card"), id=f"run-{key}")


def _spark(run: RunFacts, name: str) -> list[Html]:
    """The distance over training as a small line, and its last value."""
    seen, values = thinned(run.points("score", run.distance_name), SPARK_POINTS)
    pairs = [(at, value) for at, value in zip(seen, values, strict=True) if value > 0]
    if len(pairs) < 2:
        return []
    low, high = min(value for _, value in pairs), max(value for _, value in pairs)
    first, last = pairs[0][0], pairs[-1][0]
    points = " ".join(
        f"{SPARK_WIDTH * (at - first) / ((last - first) or 1.0):.1f},"
        f"{SPARK_HEIGHT * (high - value) / ((high - low) or 1.0):.1f}"
        for at, value in pairs
    )
    return [
        element(
            "svg", element("polyline", points=points),
            viewBox=f"-2 -2 {SPARK_WIDTH + 4:g} {SPARK_HEIGHT + 4:g}", role="img",
            aria_label=f"Distance of {name} over training, now {decimal(pairs[-1][1])}",
        ),
        element("span", f"distance {decimal(pairs[-1][1])}", class_="muted"),
    ]  # fmt: skip
