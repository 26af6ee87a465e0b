"""What a run did and decided, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from orthogan.errors import shortened
from orthogan.report.markup import Html, element
from orthogan.report.page import Section
from orthogan.report.run_facts import Record, RunFacts, number, texts, within
from orthogan.report.side_by_side import side_by_side, titles
from orthogan.report.tables import notes, table
from orthogan.report.wording import count, decimal
from orthogan.terminal import printable
from orthogan.training.budgets import in_words
from orthogan.training.duration import duration

MOST_ROWS = 60  # a run that went on a hundred times says so in one line
STATUSES = {
    "running": "It is still running.",
    "interrupted": "It was stopped before the end of its budget.",
    "preempted": "The system took the machine away; it goes on where it stands.",
    "done": "It used up its budget.",
    "diverged": "It broke down.",
}


def timeline(runs: Sequence[RunFacts]) -> Section:
    """Every event that a run wrote down, from its start to where it stands."""
    return Section(
        "timeline",
        "What happened, and when?",
        _answer(runs[0]) if len(runs) == 1 else "What each run did and decided.",
        side_by_side(
            runs, [_of_run(run, title) for run, title in zip(runs, titles(runs), strict=True)]
        ),
        "Timeline",
    )


def _answer(run: RunFacts) -> str:
    return STATUSES.get(run.status, f"Its status is '{printable(run.status)}'.")


def _ended(run: RunFacts) -> str:
    """Why it stopped, without the verdict, which has a row of its own."""
    reason = str(run.record["reason"])
    if run.verdict:
        reason = reason.replace(run.verdict, "").strip()
    return printable(reason) or _answer(run)


def _of_run(run: RunFacts, title: str) -> list[Html | None]:
    rows = list(_rows(run))
    left_out = len(rows) - MOST_ROWS
    if left_out > 0:
        half = MOST_ROWS // 2
        rows = [*rows[:half], (f"... {count(left_out)} more", "", ""), *rows[-half:]]
    kept = ", ".join(count(at) for at in run.checkpoints)
    facts = f"Checkpoints in the folder: at {kept} {run.unit}." if kept else "It has no checkpoint."
    caption = f"{title}. Training time does not count pauses."
    headers = ["What happened", run.unit, "training time"]
    return [
        table(caption, headers, rows, (1, 2)),
        element("p", facts, class_="muted"),
        notes([printable(note) for note in run.notes]),
    ]


def _rows(run: RunFacts) -> Iterator[tuple[str, str, str]]:
    created = str(run.record.get("created", ""))[:19].replace("T", " ")
    when = f" on {printable(created)} (UTC)" if created else ""
    budgets = [each for each in run.record.get("budgets", []) if isinstance(each, Mapping)]
    budget = f" with a budget of {in_words(budgets[0]['budget'])}" if budgets else ""
    yield f"Began{when}{budget}.", "0", "0 s"
    entries = [*_told(run), *map(_new_budget, budgets[1:])]
    # Events are written in order; only budgets, which stand elsewhere, have to find their place.
    for _, row in sorted(entries, key=lambda entry: entry[0]) if len(budgets) > 1 else entries:
        yield row
    for changed in run.record.get("resumed_with", []):
        if isinstance(changed, Mapping):
            sentence = f"Went on with other versions or another machine: {_change(run, changed)}"
            yield sentence, "-", "-"
    yield _ended(run), count(run.num_seen), duration(run.seconds)


Row = tuple[str, str, str]


def _told(run: RunFacts) -> list[tuple[float, Row]]:
    found = []
    best = _best(run)
    for line in run.written:
        if best is not None and line == best:
            found.append(_lowest(run, line))
            best = None  # once
        say = EVENTS.get(str(line.get("event", "")))
        sentence = say(line) if say else ""
        if sentence:
            seconds = number(line.get("elapsed_s"))
            row = (
                printable(sentence),
                count(line["images_seen"]),
                "-" if seconds is None else duration(seconds),
            )
            found.append((seconds or 0.0, row))
    return found


def _best(run: RunFacts) -> Record | None:
    """The line of the lowest distance, if there is more than one."""
    name = run.distance_name
    lines = [each for each in run.lines if each.get("event") == "score"]
    scored = [(value, each) for each in lines if (value := number(each.get(name))) is not None]
    if len(scored) < 2:
        return None
    return min(scored, key=lambda pair: pair[0])[1]


def _lowest(run: RunFacts, line: Record) -> tuple[float, Row]:
    seconds = number(line.get("elapsed_s")) or 0.0
    sentence = f"Lowest distance to real images: {decimal(number(line.get(run.distance_name)))}."
    return seconds, (sentence, count(line["images_seen"]), duration(seconds))


def _new_budget(row: Mapping[str, Any]) -> tuple[float, Row]:
    seconds = float(row["seconds"])
    sentence = f"Given another budget, {in_words(row['budget'])}; schedules were planned anew."
    return seconds, (sentence, count(row["images_seen"]), duration(seconds))


def _change(run: RunFacts, now: Mapping[str, Any]) -> str:
    first = run.record["provenance"]
    parts = [
        f"{name} {shortened(first.get(name))} -> {shortened(value)}"
        for name, value in now.items()
        if name != "command" and first.get(name) != value
    ]
    return f"{printable(', '.join(map(str, parts)))}."


def _restart(line: Record) -> str:
    at = number(line.get("abandoned_at"))
    where = f" at {count(int(at))} images" if at is not None else ""
    why = line.get("reason")
    said = f": {why}" if isinstance(why, str) and why else ""
    return (
        f"Failed start{where}{said}. Started again with half the step size and twice the penalty."
    )


def _alarm(line: Record) -> str:
    found = "; ".join(texts(line.get("reasons")))
    return f"Alarm: {found}." if found else ""


def _finding(line: Record) -> str:
    found = "; ".join(texts(line.get("reasons")))
    return f"Found: {found}." if found else ""


def _rollback(line: Record) -> str:
    left_at, change = number(line.get("left_at")), line.get("change")
    if left_at is None or not isinstance(change, str):
        return ""
    why = line.get("reason")
    return (
        f"{why if isinstance(why, str) else 'The run fell ill.'} Left this course at "
        f"{count(int(left_at))} images, and went on from here with {change}."
    )


def _said(line: Record) -> str:
    why = line.get("reason")
    return why if isinstance(why, str) else ""


def _collapse(line: Record) -> str:
    at = number(line.get("healthy_checkpoint"))
    if at is None:
        return "Collapsed; no checkpoint was made before the first sign of it."
    return f"Collapsed; went back to the healthy checkpoint at {count(int(at))} images."


def _pause(line: Record) -> str:
    seconds = number(line.get("stopped_s"))
    return f"The process was suspended for {duration(seconds)}." if seconds else ""


def _verdict(line: Record) -> str:
    found = within(line, "verdict")
    return f"Judged: {found}" if isinstance(found, str) else ""


def _fork(line: Record) -> str:
    source = line.get("run")
    return f"Began here, from a checkpoint of {source}." if isinstance(source, str) else ""


EVENTS: dict[str, Callable[[Record], str]] = {
    "fork": _fork,
    "resume": lambda _: "Went on from here.",
    "escape": _restart,
    "alarm": _alarm,
    "finding": _finding,
    "rollback": _rollback,
    "best": _said,
    "ending": _said,
    "memory": _said,
    "collapse": _collapse,
    "stop": _pause,
    "verdict": _verdict,
}
