"""What classifiers and language models have beside curves and scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orthogan.errors import DataError
from orthogan.report.embedded import embedded, opened
from orthogan.report.markup import Html, element
from orthogan.report.page import Section
from orthogan.report.run_facts import RunFacts, number, within
from orthogan.report.side_by_side import run_name, side_by_side
from orthogan.report.tables import table
from orthogan.report.wording import count
from orthogan.terminal import printable, printable_lines

LOOK_FILE, TEXT_FILE = "look.png", "sample.txt"
LOOK_BYTES = 400_000
MOST_CHARACTERS = 2000


def answers(runs: Sequence[RunFacts]) -> Section | None:
    """Which classes a classifier takes for one another, and where it looks."""
    parts = [[_confusions(run), _look(run)] for run in runs]
    if not any(each for part in parts for each in part):
        return None
    return Section(
        "answers",
        "Where is it wrong?",
        "The classes that it takes for one another most often, on images that it has not learnt "
        "from.",
        side_by_side(runs, parts),
        "Mistakes",
    )


def text(runs: Sequence[RunFacts]) -> Section | None:
    """What a language model writes."""
    parts = [[_written(run)] for run in runs]
    if not any(part[0] for part in parts):
        return None
    return Section(
        "text",
        "What does it write?",
        "The model goes on from the first held-out token.",
        side_by_side(runs, parts),
        "Text",
    )


def _confusions(run: RunFacts) -> Html | None:
    listed = run.final.get("worst")
    rows = [row for each in (listed if isinstance(listed, list) else []) if (row := _pair(each))]
    if not rows:
        return None
    several = len(texts_of_labels(run)) > 1
    headers = [*(["label"] if several else []), "true", "taken for", "times"]
    shown = [row if several else row[1:] for row in rows]
    first = int(several)
    return table("The most frequent mistakes.", headers, shown, (first + 2,))


def texts_of_labels(run: RunFacts) -> list[Any]:
    """The accuracies of the labels of an image; of ordinary images, one."""
    found = run.final.get("label_accuracies")
    return found if isinstance(found, list) else []


def _pair(row: Any) -> tuple[str, ...] | None:
    label, true, guess = (within(row, key) for key in ("label", "true", "taken_for"))
    times = number(within(row, "count"))
    if not isinstance(true, str) or not isinstance(guess, str) or times is None:
        return None
    names = (element("bdi", printable(each)) for each in (true, guess))
    return str(label), *names, count(int(times))


def _look(run: RunFacts) -> Html | None:
    file = run.path / LOOK_FILE
    if run.task != "classify" or not file.is_file():
        return None
    try:
        picture = embedded(opened(file), f"Attention of {run_name(run.path)}", LOOK_BYTES)
    except DataError as error:
        return element("p", printable(str(error)), class_="muted")
    words = "Where it looks: test images, and which of their patches its answer rests on."
    return element("figure", picture, element("figcaption", words))


def _written(run: RunFacts) -> Html | None:
    file = run.path / TEXT_FILE
    if run.task != "language" or not file.is_file():
        return None
    try:
        with file.open("rb") as opened_file:
            found = opened_file.read(4 * MOST_CHARACTERS).decode("utf-8", "replace")
    except OSError:
        return None
    return element("pre", printable_lines(found[:MOST_CHARACTERS]), tabindex="0")
