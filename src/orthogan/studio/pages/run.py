"""The page of one run: how it stands, what it draws, how it goes, and what can be done with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orthogan.report.markup import Html, element, joined
from orthogan.report.page import Section
from orthogan.report.run_facts import RunFacts
from orthogan.report.run_page import NAMES
from orthogan.report.settings_sections import provenance, settings
from orthogan.report.side_by_side import run_name
from orthogan.report.timeline_sections import timeline
from orthogan.report.wording import count, decimal
from orthogan.studio.pages.layout import badge, button_form, message, progress_bar, whole
from orthogan.studio.schema import UNITS
from orthogan.studio.standing import Standing
from orthogan.studio.views import views_of
from orthogan.terminal import printable
from orthogan.training.duration import duration


def run_page(key: str, run: RunFacts, now: Standing) -> str:
    """The page.

    Args:
        key: Id of the run.
        run: What its folder holds.
        now: How it is doing.
    """
    links = [
        element("a", view.title, href=f"/runs/{key}/{name}", class_="button")
        for name, view in views_of(run).items()
    ]
    is_gan = run.task == "gan"
    fork = element("a", "Fork", href=f"/new?from={key}", class_="button",
                   title="A new run with these settings, or from a checkpoint")  # fmt: skip
    return whole(
        run_name(run.path),
        element("p", f"{NAMES.get(run.task, 'run')} on "
                f"{printable(str(run.settings.get('data.source', 'its data')))}", class_="kicker"),
        element("h1", run_name(run.path)),
        element("div", live(run, now), id="live", data_stream=f"/runs/{key}/events"),
        element("div", element("div", actions(key, run, now), id="actions"),
                fork if is_gan else None, *links, class_="row actions"),
        _pictures(key, run),
        element("section", element("h2", "Curves"), element("div", id="curves", class_="curves"),
                element("p", "The curves begin with the second measurement.", id="no-curves",
                        class_="muted")),
        element("div", told(run), id="timeline"),
        _section(settings([run])),
        _section(provenance([run])),
        script="run.js",
    )  # fmt: skip


def live(run: RunFacts, now: Standing) -> Html:
    """How a run stands, in words, numbers and a bar."""
    numbers = [(count(run.num_seen), run.unit), (duration(run.seconds), "training time")]
    if now.left_s is not None:
        numbers.append((duration(now.left_s), "left"))
    if now.rate is not None:
        numbers.append((f"{now.rate:,.0f}", f"{run.unit} a second"))
    latest = run.latest("score")
    value = latest.get(run.distance_name)
    if isinstance(value, int | float):
        floor = latest.get("floor")
        beside = f" (real images: {decimal(floor)})" if isinstance(floor, int | float) else ""
        numbers.append((decimal(float(value)), f"distance{beside}"))
    tiles = [
        element("div", element("dt", meaning), element("dd", text)) for text, meaning in numbers
    ]
    return joined(
        element("p", badge(now.status), " ", now.sentence, class_="summary"),
        element("p", now.notice, class_="fault") if now.notice else None,
        progress_bar(now.progress, run_name(run.path)),
        element("dl", *tiles, class_="tiles"),
    )


def actions(key: str, run: RunFacts, now: Standing) -> Html:
    """What can be done with a run as it stands."""
    if now.status in {"running", "starting"}:
        return button_form(f"/runs/{key}/stop", "Stop")
    if now.status == "stopping":
        return element("p", "Stopping...", class_="muted")
    amount = element("input", name="amount", inputmode="decimal", size="7",
                     aria_label="Budget in all, if it is to be another one",
                     placeholder="as before")  # fmt: skip
    text = "Train longer" if run.status == "done" else "Go on"
    budget = [amount, unit_choice([run.unit])]
    return button_form(f"/runs/{key}/resume", text, *budget)


def unit_choice(counted: Sequence[str], chosen: str = "minutes") -> Html:
    """What a budget is measured in."""
    options = [
        element("option", unit, value=unit, selected="" if unit == chosen else None)
        for unit in (*UNITS, *counted)
    ]
    return element("select", *options, name="unit", aria_label="Unit of the budget")


def told(run: RunFacts) -> Html:
    """The timeline of a run."""
    return _section(timeline([run]))


def parts(key: str, run: RunFacts, now: Standing, curves: Sequence[Any]) -> Mapping[str, Any]:
    """What changes on the page while the run goes on."""
    return {
        "live": live(run, now),
        "actions": actions(key, run, now),
        "timeline": told(run),
        "grids": list(run.grids),
        "curves": curves,
    }


def starting_page(key: str, name: str, failure: str, tail: Sequence[str]) -> str:
    """The page of a run whose process has not opened its folder yet, or ended before it did."""
    log = element("pre", "\n".join(tail), tabindex="0") if tail else None
    if failure:
        again = element("div", element("a", "Back to the form", href="/new", class_="button"),
                        button_form(f"/runs/{key}/forget", "Drop it"), class_="row")  # fmt: skip
        return message(f"{printable(name)} did not start", failure, log, again)
    return whole(
        printable(name),
        element("h1", printable(name)),
        element("p", badge("starting"), " Its process is starting: it loads PyTorch and the data.",
                class_="summary"),
        element("div", "", id="live", data_stream=f"/runs/{key}/events", data_reload="1"),
        button_form(f"/runs/{key}/stop", "Stop"),
        log,
        script="run.js",
    )  # fmt: skip


def _pictures(key: str, run: RunFacts) -> Html:
    counts = list(run.grids)
    newest = counts[-1] if counts else None
    picture = element(
        "img", id="grid", alt=f"Images of {run_name(run.path)}",
        src=None if newest is None else f"/runs/{key}/grids/{newest}",
        data_base=f"/runs/{key}/grids/", hidden="" if newest is None else None,
    )  # fmt: skip
    slider = element(
        "label", "Over training ",
        element("input", type="range", id="when", min="0", max=str(max(len(counts) - 1, 0)),
                value=str(max(len(counts) - 1, 0)), step="1"),
        class_="slider",
    )  # fmt: skip
    caption = "There is no image yet." if newest is None else f"After {count(newest)} images."
    return element(
        "section",
        element("h2", "Images"),
        element("figure", slider, picture, element("figcaption", caption, id="grid-caption"),
                class_="panel"),
        class_="playing" if len(counts) > 1 else None, id="pictures",
        hidden=None if run.task == "gan" else "",
    )  # fmt: skip


def _section(section: Section) -> Html:
    return element(
        "section",
        element("h2", section.question),
        element("p", section.answer, class_="answer"),
        *section.body,
    )
