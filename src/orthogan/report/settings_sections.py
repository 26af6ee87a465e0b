"""The settings of a run, how they differ from its recipe and why, and what made it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from orthogan.errors import OrthoganError, shortened
from orthogan.report.markup import Html, element
from orthogan.report.page import Section
from orthogan.report.run_facts import Record, RunFacts, texts
from orthogan.report.side_by_side import letter, side_by_side, titles
from orthogan.report.tables import notes, table, terms
from orthogan.report.wording import plural
from orthogan.terminal import printable
from orthogan.training.task import TASKS

# Settings that follow from the data in every run, so that no recipe decides them.
OF_DATA = re.compile(r"(generator|discriminator|network)\.(size|colours|classes|labels|vocabulary)")
REASONS = {
    "seed": "asked for",
    "precision": "what the processor computes fastest",
    "condition": "follows from the data",
}
OPEN = (None, "auto")
FACTS = {
    "command": "Command",
    "orthogan": "Version of orthogan",
    "torch": "Version of PyTorch",
    "python": "Version of Python",
    "platform": "System",
    "device": "Device",
    "threads": "Threads",
    "data_fingerprint": "Fingerprint of the data",
}


def settings(runs: Sequence[RunFacts]) -> Section:
    """What was set, where it departs from the recipe, and why."""
    shared = None if len(runs) == 1 else _differing(runs)
    parts = [_of_run(run, len(runs) == 1) for run in runs]
    answer = _answer(runs[0]) if len(runs) == 1 else _answer_of_several(runs)
    body: list[Html | None] = [shared, *side_by_side(runs, parts)]
    return Section("settings", "With which settings?", answer, body, "Settings")


def differing(runs: Sequence[RunFacts]) -> dict[str, list[Any]]:
    """The settings in which runs differ, each with its value in every run."""
    trees = [run.settings for run in runs]
    names = list(dict.fromkeys(name for tree in trees for name in tree))
    found = {name: [tree.get(name) for tree in trees] for name in names}
    return {name: values for name, values in found.items() if any(v != values[0] for v in values)}


def provenance(runs: Sequence[RunFacts]) -> Section:
    """What made each run: versions, machine, data, command."""
    parts: list[list[Html | None]] = []
    for run in runs:
        source = run.settings.get("data.source")
        facts = [("Data", str(source))] if source else []
        told: Record = run.record["provenance"]
        facts += [(word, str(told[name])) for name, word in FACTS.items() if told.get(name)]
        rows = [
            (word, element("code", printable(shortened(text) if word != "Command" else text)))
            for word, text in facts
        ]
        parts.append([terms(rows, "facts")])
    return Section(
        "provenance",
        "Where does it come from?",
        "The same command, version, data and number of threads make the same run again; where the "
        "budget is a number of images, to the last bit.",
        side_by_side(runs, parts),
        "Origin",
    )


def _answer(run: RunFacts) -> str:
    recipe = printable(str(run.record.get("recipe", "")))
    if not recipe:
        return "The run does not say which recipe it started from."
    changed = departures(run)
    if not changed:
        return f"Those of the recipe {recipe}, as they are."
    return f"Those of the recipe {recipe}, except the ones below."


def _answer_of_several(runs: Sequence[RunFacts]) -> str:
    names = list(differing(runs))
    if not names:
        return "They have the same settings."
    if names == ["seed"]:
        return "They have the same settings, apart from the seed."
    return f"They differ in {plural(len(names), 'setting')}."


def _of_run(run: RunFacts, is_alone: bool) -> list[Html | None]:
    why = [printable(each) for each in texts(run.record.get("why"))]
    changed = departures(run)
    parts: list[Html | None] = [notes(why)]
    if changed:
        rows = [(element("code", printable(name)), _shown(before), _shown(now), printable(reason))
                for name, before, now, reason in changed]  # fmt: skip
        headers = ["Setting", "recipe", "this run", "why"]
        changes = table("What differs from the recipe.", headers, rows)
        summary = element("summary", "What differs from the recipe")
        parts.append(changes if is_alone else element("details", summary, changes))
    every = [(element("code", printable(name)), _shown(value))
             for name, value in run.settings.items()]  # fmt: skip
    whole = table("Every setting, by the name that --set takes.", ["Setting", "value"], every)
    parts.append(element("details", element("summary", "All settings"), whole))
    return parts


def _differing(runs: Sequence[RunFacts]) -> Html | None:
    found = differing(runs)
    if not found:
        return None
    rows = [
        (element("code", printable(name)), *map(_shown, values)) for name, values in found.items()
    ]
    legend = "; ".join(titles(runs))
    headers = ["Setting", *(letter(index) for index in range(len(runs)))]
    return table(f"What differs between the runs. {legend}.", headers, rows)


def departures(run: RunFacts) -> list[tuple[str, Any, Any, str]]:
    """(setting, value of the recipe, value of the run, why) where they differ."""
    base = _recipe(run)
    found = []
    for name, value in run.settings.items():
        if name in base and base[name] != value:
            found.append((name, base[name], value, _reason(run, name, base[name])))
    return found


def _recipe(run: RunFacts) -> Record:
    try:
        recipe = TASKS[run.task].recipes[str(run.record.get("recipe", ""))]
        found: Record = recipe().settings()
    except (OrthoganError, LookupError):
        return {}
    return found


def _reason(run: RunFacts, name: str, before: Any) -> str:
    said = [each for each in texts(run.record.get("why")) if f"({name}=" in each]
    if said:
        return said[0]
    if name.startswith("budget."):
        return "asked for"
    if OF_DATA.fullmatch(name):
        return "follows from the data"
    if name in REASONS:
        return REASONS[name]
    is_asked = any(f"{name}=" in command for command in _commands(run))
    return "left open by the recipe" if before in OPEN and not is_asked else "asked for"


def _commands(run: RunFacts) -> list[str]:
    """As they were typed, the first one first."""
    budgets = run.record.get("budgets", [])
    listed = [row.get("command") for row in budgets if isinstance(row, dict)]
    return texts([run.record["provenance"].get("command"), *listed])


def _shown(value: Any) -> Html:
    text = "none" if value is None else str(value).lower() if value is True or value is False else (
        str(value)
    )  # fmt: skip
    return element("code", printable(str(shortened(text))))
