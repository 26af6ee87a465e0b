"""What a run's images are worth: the verdict, the scores beside real images, and shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orthogan.images.sheet import sheet
from orthogan.report.embedded import embedded
from orthogan.report.evidence import Evidence
from orthogan.report.markup import Html, element
from orthogan.report.page import Section
from orthogan.report.run_facts import RunFacts, Score, number, texts, within
from orthogan.report.score_words import MEANING, beside, is_share, said_of
from orthogan.report.side_by_side import letter, side_by_side
from orthogan.report.tables import bar, notes, table
from orthogan.report.wording import decimal, share
from orthogan.terminal import pasteable, printable

STRIP = 160.0  # width of the picture of an interval, in its own units
EXAMPLES_BYTES = 40_000  # of the examples of a group


def scores(runs: Sequence[RunFacts]) -> Section | None:
    """The verdict and the scores; None where a run has neither and cannot have them."""
    if not any(run.scores or run.verdict or run.task == "gan" for run in runs):
        return None
    is_alone = len(runs) == 1
    answer = (
        "In numbers, each beside what it is to be compared with."
        if runs[0].scores or not is_alone
        else "Nothing was measured yet."
    )
    said = side_by_side(runs, [_in_words(run, is_alone) for run in runs])
    body: list[Html | None] = [*said, _table(runs)]
    return Section("scores", "How good is it?", answer, body, "Scores")


def written(score: Score, value: float | None) -> str:
    """A value as the page writes it: shares in per cent."""
    if value is None:
        return "-"
    return share(value) if is_share(score.name) and 0 <= value <= 1 else decimal(value)


def interval(score: Score) -> str:
    """Its 95 % interval; empty where there is none."""
    if score.low is None or score.high is None:
        return ""
    return f"{written(score, score.low)} to {written(score, score.high)}"


def _in_words(run: RunFacts, is_alone: bool) -> list[Html | None]:
    """The verdict, which a page about one run has said already, or why there is none."""
    parts: list[Html | None] = []
    if run.verdict and not is_alone:
        parts.append(element("p", printable(run.verdict)))
    if not run.verdict and run.task == "gan":
        parts.append(_no_verdict(run))
    return [*parts, notes([printable(each) for each in texts(run.latest("verdict").get("notes"))])]


def _table(runs: Sequence[RunFacts]) -> Html | None:
    """One row per score, one column per run."""
    found = [{score.name: score for score in run.scores} for run in runs]
    names = list(dict.fromkeys(name for scores in found for name in scores))
    if not names:
        return None
    is_alone = len(runs) == 1
    has_strips = is_alone and any(map(is_share, names))
    floor = beside(runs[0].task)
    rows = []
    for name in names:
        known = next(scores[name] for scores in found if name in scores)
        cells = [_value(scores.get(name)) for scores in found]
        strip = [_strip(known)] if has_strips else []
        rows.append((_head(name), *cells, written(known, known.floor), *strip))
    caption = (
        "Below each value its 95 % interval over the choice of images, which holds the true value "
        f"in 19 of 20 repetitions. {MEANING.get(runs[0].task, '')}"
    )
    if has_strips:
        caption += f" On the right: interval (bar), value (dot), {floor} (line)."
    values = ["value"] if is_alone else [letter(index) for index in range(len(runs))]
    strips = ["0 to 100 %"] if has_strips else []
    headers = ["Score", *values, floor, *strips]
    return table(caption, headers, rows, range(1, len(runs) + 2))


def _head(name: str) -> Html:
    title, meaning = said_of(name)
    return element(
        "span", element("b", printable(title)), element("span", meaning, class_="meaning")
    )


def _value(score: Score | None) -> Html:
    if score is None:
        return element("span", "-")
    between = interval(score)
    return element(
        "span",
        written(score, score.value),
        element("span", between, class_="meaning") if between else None,
    )


def _strip(score: Score) -> Html:
    """The interval on a line from none to all, with the place of what it is compared with."""
    if not is_share(score.name) or not 0 <= score.value <= 1:
        return Html("")
    low, high = score.low, score.high
    marks: list[Html] = [element("line", x1=0, x2=STRIP, y1=9, y2=9, class_="grid")]
    if low is not None and high is not None:
        left, right = STRIP * min(max(low, 0.0), 1.0), STRIP * min(max(high, 0.0), 1.0)
        marks.append(element("rect", x=left, y=4, width=max(right - left, 2.0), height=10, rx=2,
                             class_="column unsure"))  # fmt: skip
    if score.floor is not None and 0 <= score.floor <= 1:
        at = STRIP * score.floor
        marks.append(element("line", x1=at, x2=at, y1=1, y2=17, class_="mark"))
    marks.append(element("circle", cx=STRIP * score.value, cy=9, r=4.5, class_="dot codes"))
    return element(
        "svg", *marks, viewBox=f"-6 0 {STRIP + 12:.0f} 18", class_="strip", aria_hidden="true",
        preserveAspectRatio="xMinYMid meet",
    )  # fmt: skip


def _no_verdict(run: RunFacts) -> Html:
    why = {
        "done": "No verdict was given: the run was too short for one, its data cannot be compared "
        "with, or it is of an earlier version.",
        "running": "The run is not done; it is judged at the end of its budget.",
        "diverged": "The run broke down before the end of its budget, where images are judged.",
    }.get(run.status, "The run was stopped before the end of its budget, where images are judged.")
    command = pasteable(["orthogan", "evaluate", run.path])
    return element("p", f"{why} To have it judged now: ", element("code", command), ".")


def groups(runs: Sequence[RunFacts], evidence: Sequence[Evidence]) -> Section | None:
    """How much of the images each class, or group that looks alike, makes up."""
    parts = [_groups(run, each) for run, each in zip(runs, evidence, strict=True)]
    if not any(parts):
        return None
    return Section(
        "groups",
        "Does it draw all of the data?",
        "How much of the generated images each part of the data makes up, beside how much of the "
        "real ones it does. A part that is missing has collapsed.",
        side_by_side(runs, parts),
        "Classes",
    )


def _groups(run: RunFacts, evidence: Evidence) -> list[Html | None]:
    listed = run.latest("verdict").get("groups")
    found = [each for each in (listed if isinstance(listed, list) else []) if _is_group(each)]
    if not found:
        return []
    largest = max(max(each["share"], each["real_share"]) for each in found)
    rows = [_group(each, evidence, largest or 1.0) for each in found]
    caption = (
        "A difference is called so where chance explains it once in thousands of times at most."
    )
    headers = ["Part of the data", "generated", "real", "generated, real below", "difference"]
    return [table(caption, headers, rows, (1, 2))]


def _is_group(row: Any) -> bool:
    shares = (number(within(row, key)) for key in ("share", "real_share"))
    is_named = isinstance(within(row, "name"), str)
    return is_named and all(each is not None and 0 <= each <= 1 for each in shares)


def _group(row: Any, evidence: Evidence, largest: float) -> tuple[str, ...]:
    found, real = float(row["share"]), float(row["real_share"])
    differs = within(row, "is_certain") is True
    word = "-" if not differs else ("too little" if found < real else "too much")
    bars = (bar(found / largest, "lost" if differs else "codes"), bar(real / largest, "control"))
    return (
        element("span", element("bdi", printable(row["name"])), _examples(row, evidence)),
        share(found),
        share(real),
        element("span", *bars),
        word,
    )


def _examples(row: Any, evidence: Evidence) -> Html | None:
    """Real images in the middle of a group without a name of its own."""
    listed, images = within(row, "examples"), evidence.images
    if images is None or not isinstance(listed, list):
        return None
    places = [each for each in listed if type(each) is int and 0 <= each < len(images.images)]
    if not places:
        return None
    pixels = images.images[places].permute(0, 2, 3, 1).cpu().numpy()
    picture = sheet(pixels, columns=len(places), scale=1)
    return element(
        "span", embedded(picture, "Real images of it", EXAMPLES_BYTES), class_="examples"
    )
