"""Thresholds from the looks of some runs, and what the watch would have found in others."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from planted_failures import HEALTHY, PLANTS

from orthogan.gan.session import FOREIGN
from orthogan.gan.watch.alarm import Alarm
from orthogan.gan.watch.detectors import GEOMETRY, STEPS, Detector
from orthogan.gan.watch.saturation import UNFOLDED_STEPS

Run = dict[str, Any]

# What rows that lead to a return, and the one for the data, ask for at least: healthy runs of
# larger networks and of some minutes reach further than these small ones (docs/log.md).
AT_LEAST = {
    "roughness": 6.0,
    "generator_gradient": 2.0,
    "discriminator_gradient": 1.3,
    "win": 0.98,
    "win_low": 0.3,
    "spread_low": 0.05,
    "dimension_low": 0.1,
    "data_drift": 4.0,
}
# What a sign has where nothing at all happens; nothing is learned of that.
FIXED = ("generator_moved", "discriminator_moved")
DEAD = {"generator_gradient_low", "discriminator_gradient_low"}
# The plants that a row is there for; rows that no plant calls for get a wide margin.
TARGETS: dict[str, tuple[str, ...]] = {
    "discriminator_gradient": ("rate-x30", "frozen-discriminator"),
    "win_low": ("frozen-discriminator",),
    "data_drift": ("half-swapped",),
    "overfitting": ("duplicated-data",),
}
# Ratios, whose middle is the geometric mean; the others are logarithms or shares already.
RATIOS = ("roughness", "spread", "dimension", "data_drift")
SPARE = 1.0  # beyond the healthy extreme by as much again as it lies from the healthy median
HARMLESS = 1.2  # times the healthy distance


def learned(runs: Sequence[Run]) -> dict[str, dict[str, Any]]:
    """The threshold of each row of the watch that has one to learn, and what it rests on."""
    found = {}
    healthy = [run for run in runs if run["run"][0] == HEALTHY]
    for row in STEPS:
        if row.sign in FIXED or row.key in DEAD:
            continue
        calm = [value for run in healthy for value in [sustained(run, row)] if value is not None]
        ill = [
            value
            for run in runs
            if run["run"][0] in TARGETS.get(row.key, ())
            for value in [sustained(run, row)]
            if value is not None
        ]
        extreme = min(calm) if row.is_below else max(calm)
        told = {"healthy": extreme, "healthy_runs": len(calm), "sick_runs": len(ill)}
        sick = statistics.median(ill) if ill else None
        separates = sick is not None and (sick < extreme if row.is_below else sick > extreme)
        if sick is not None and separates:
            value = middle(row, extreme, sick)
            told |= {"sick": sick}
        else:
            value = extreme + SPARE * (extreme - statistics.median(calm))
            if row.sign in RATIOS:
                value = extreme * (extreme / statistics.median(calm)) ** SPARE
        if row.key in AT_LEAST:
            value = (min if row.is_below else max)(value, AT_LEAST[row.key])
        found[row.key] = {"threshold": float(f"{value:.2g}"), **told}
    return found


def middle(row: Detector, healthy: float, sick: float) -> float:
    if row.sign in RATIOS and healthy > 0 and sick > 0:
        return math.sqrt(healthy * sick)
    return (healthy + sick) / 2


def sustained(run: Run, row: Detector) -> float | None:
    """The worst value that a sign held for the patience of its row; None: too few looks."""
    values = [
        look[row.sign]
        for look in run["looks"]
        if look["step"] > UNFOLDED_STEPS and row.sign in look
    ]
    windows = [values[at : at + row.patience] for at in range(len(values) - row.patience + 1)]
    if not windows:
        return None
    return min(map(max, windows)) if row.is_below else max(map(min, windows))


def with_thresholds(found: dict[str, dict[str, Any]]) -> list[Detector]:
    """The rows of the watch with these thresholds."""
    early = [replace(row, since=UNFOLDED_STEPS) for row in STEPS]  # these runs are short
    return [
        replace(row, threshold=found[row.key]["threshold"]) if row.key in found else row
        for row in early
    ]


def findings(run: Run, rows: Sequence[Detector]) -> list[tuple[int, str]]:
    """The step and the key of all that the watch would have told of a run."""
    found = []
    for looks, alarm in ((run["looks"], Alarm(rows)), (run["geometry"], Alarm(GEOMETRY))):
        for look in looks:
            if look["step"] <= UNFOLDED_STEPS:
                continue
            signs = {name: value for name, value in look.items() if name != "step"}
            told = alarm.update(signs, look["step"])
            found += [(look["step"], each.detector.key) for each in told]
    if run["gap"] > FOREIGN:
        found.append((0, "other held-out images"))
    if run["ended"] == "not finite":
        found.append((run["steps"], "not finite"))
    if run["saturated"] is not None:
        found.append((run["saturated"], "saturated start"))
    return sorted(found)


def report(
    runs: Sequence[Run], rows: Sequence[Detector], midway: int, batch: int
) -> dict[str, dict[str, Any]]:
    """Per plant what was found; `healthy` holds the false alarms."""
    usual = _usual_distances(runs)
    told: dict[str, dict[str, Any]] = {}
    for plant, planted in PLANTS.items():
        of_plant = [run for run in runs if run["run"][0] == plant]
        if not of_plant:
            continue
        since = midway if planted.midway is not None else 0
        first, by, harmless, ahead = [], [], 0, []
        for run in of_plant:
            harmless += _is_harmless(run, usual)
            # What is there before a fault is planted is no answer to it.
            found = [each for each in findings(run, rows) if each[0] > since or not since]
            if found:
                first.append(found[0][0] - since)
                by.append(found[0][1])
                ahead += _lead(run, found[0][0], usual)
        told[plant] = {
            "runs": len(of_plant),
            "found": len(first),
            "by": {name: by.count(name) for name in sorted(set(by))},
            "delay_images": batch * statistics.median(first) if first else None,
            "harmless": harmless,
            "lead_images": batch * statistics.median(ahead) if ahead else None,
        }
    return told


def _usual_distances(runs: Iterable[Run]) -> dict[tuple[str, int], float]:
    """The median distance of healthy runs of the attention GAN, by set and step."""
    values: dict[tuple[str, int], list[float]] = {}
    for run in runs:
        if run["run"][0] == HEALTHY and run["run"][2] == "attention-gan":
            for reading in run["readings"]:
                values.setdefault((run["run"][1], reading["step"]), []).append(reading["distance"])
    return {place: statistics.median(found) for place, found in values.items()}


def _is_harmless(run: Run, usual: dict[tuple[str, int], float]) -> bool:
    if run["ended"] != "done" or not run["readings"]:
        return False
    last = run["readings"][-1]
    healthy = usual.get((run["run"][1], last["step"]), 0.0)
    return bool(last["distance"] <= HARMLESS * healthy)


def _lead(run: Run, found: int, usual: dict[tuple[str, int], float]) -> list[int]:
    """Steps from the finding to the first distance that is clearly above a healthy one."""
    worse = [
        reading["step"]
        for reading in run["readings"]
        if reading["distance"] > 1.5 * usual.get((run["run"][1], reading["step"]), math.inf)
        and reading["step"] >= found
    ]
    return [worse[0] - found] if worse else []


def table(record: dict[str, Any]) -> str:
    """The report on the runs that nothing was learned from, for docs/reliability.md."""
    steps, batch = record["setup"]["steps"], record["setup"]["batch"]
    lines = [
        "| planted | runs | found | by | median delay, images (of the run) | did no harm |",
        "|---|---|---|---|---|---|",
    ]
    for plant, row in record["reported"].items():
        delay = row["delay_images"]
        late = "" if delay is None else f"{delay:,.0f} ({delay / steps / batch:.0%})"
        by = ", ".join(name.replace("_", " ") for name in row["by"])
        cells = [plant, row["runs"], row["found"], by, late, row["harmless"]]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"
