"""Runs that exist, grouped by their settings: the rows of a result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orthogan.errors import ConfigError, DataError, ResumeError
from orthogan.experiments.matching import networks_of
from orthogan.experiments.plan import identity, identity_key
from orthogan.experiments.record import stored_plan
from orthogan.experiments.task import ComparedTask, task_of
from orthogan.experiments.trials import Group, RunState, read_run
from orthogan.training.run_record import RUN_FILE

RUNS = Path("runs")  # where a bare name of a run is looked for
MAX_KEYS = 3  # settings in a label; it stays readable
# What makes times differ between two runs of the same settings.
MACHINE = ("device", "threads", "platform", "torch")


def existing_runs(names: Sequence[str | Path]) -> tuple[list[RunState], tuple[str, ...]]:
    """The finished runs of these names; a folder of runs stands for all that are finished in it.

    Returns:
        The runs, and a sentence for each unfinished one in a folder.

    Raises:
        ConfigError: a run is named that is not finished.
        ResumeError: something is neither a run nor a folder of runs.
    """
    runs: dict[Path, RunState] = {}
    notes = []
    for name in names:
        path = located(Path(name))
        inside = [path] if (path / RUN_FILE).exists() else _runs_in(path)
        for each in inside:
            state = read_run(each)
            if state.is_finished:
                runs[each.resolve()] = state
            elif each == path:
                raise ConfigError(
                    f"{path} is not finished ({state.status}); repeat its command first."
                )
            else:
                notes.append(f"{each} is not finished ({state.status}) and left out.")
    if not runs:
        raise ConfigError(f"There is no finished run in {', '.join(map(str, names))}.")
    return list(runs.values()), tuple(notes)


def grouped(runs: Sequence[RunState]) -> list[Group]:
    """Runs of the same settings together, in the order of their first runs.

    Raises:
        ConfigError: two runs have the same settings and the same seed.
    """
    rows: dict[str, list[RunState]] = {}
    for run in runs:
        rows.setdefault(identity_key(run.resolved()), []).append(run)
    for row in rows.values():
        seen: dict[int, RunState] = {}
        for run in row:
            first = seen.setdefault(run.seed, run)
            if first is not run:
                raise ConfigError(
                    f"{first.path} and {run.path} have the same settings and the same seed "
                    f"{run.seed}; give one of them."
                )
    labels = _labels(list(rows.values()))
    return [
        Group(label=label, runs=tuple(sorted(row, key=lambda run: run.seed)))
        for label, row in zip(labels, rows.values(), strict=True)
    ]


def shared_task(runs: Sequence[RunState]) -> ComparedTask:
    """The task that all runs are of.

    Raises:
        ConfigError: two are of different tasks.
    """
    task = task_of(runs[0].resolved())
    for run in runs[1:]:
        other = task_of(run.resolved())
        if other.name != task.name:
            raise ConfigError(
                f"{runs[0].path} trained {task.noun} and {run.path} {other.noun}: they have no "
                "score in common; give runs of one kind."
            )
    return task


def refuse_mixed_data(runs: Sequence[RunState]) -> None:
    """Checks that all runs saw the same data, and are scored by the same part of them.

    Where the seed chooses what is held out, those of the same seed did, and the others had the
    same source.

    Raises:
        DataError: two did not.
    """
    of_seed: dict[int, RunState] = {}
    for run in runs:
        _refuse_other_score(runs[0], run)
        for first in (of_seed.setdefault(run.seed, run), runs[0]):
            here, there = _fingerprint(first), _fingerprint(run)
            if here != there and not _split_apart(first, run):
                raise DataError(
                    f"{first.path} was trained on {first.resolved().data.source} (fingerprint "
                    f"{here}), {run.path} on {run.resolved().data.source} (fingerprint {there}): "
                    "scores on different data cannot be compared."
                )


def split_notes(runs: Sequence[RunState]) -> tuple[str, ...]:
    """A sentence where the seed chose what was held out for scoring."""
    if len({_fingerprint(run) for run in runs}) < 2:
        return ()
    note = "The data have no test set, so each seed holds out others for scoring; "
    return (f"{note}variants with the same seed share them.",)


def located(path: Path) -> Path:
    """Where a named run or folder of runs lies: here, or in `runs`."""
    if not path.exists() and len(path.parts) == 1 and (RUNS / path).exists():
        return RUNS / path
    return path


def machine_notes(runs: Sequence[RunState]) -> tuple[str, ...]:
    """A sentence for each part of the machine in which the runs differ."""
    notes = []
    for name in MACHINE:
        values = sorted({str((run.provenance or {}).get(name)) for run in runs})
        if len(values) > 1:
            notes.append(
                f"The runs differ in {name} ({', '.join(values)}), so their times are not "
                "comparable."
            )
    return tuple(notes)


def _runs_in(path: Path) -> list[Path]:
    inside = sorted(entry.parent for entry in path.glob(f"*/{RUN_FILE}"))
    if not inside:
        raise ResumeError(f"{path}: is neither a run folder nor a folder of runs.")
    plan = stored_plan(path)
    names = [] if plan is None else list(plan["runs"])
    order = {name: place for place, name in enumerate(names)}
    return sorted(inside, key=lambda run: order.get(run.name, len(order)))


def _labels(rows: Sequence[Sequence[RunState]]) -> list[str]:
    settings = [identity(row[0].resolved()) for row in rows]
    names = {name: None for tree in settings for name in tree}
    differing = [name for name in names if len({repr(tree.get(name)) for tree in settings}) > 1]
    # A kind decides which other settings there are.
    kinds = [f"{network}.kind" for network in networks_of(rows[0][0].resolved())]
    kinds = [name for name in kinds if name in differing]
    for keys in (differing, kinds):
        labels = [_label(tree, keys) for tree in settings]
        if 0 < len(keys) <= MAX_KEYS and len(set(labels)) == len(rows):
            return labels
    return [_name(row[0]) for row in rows]


def _label(settings: dict[str, Any], keys: Sequence[str]) -> str:
    return ", ".join(f"{key}={settings.get(key, '-')}" for key in keys)


def _name(run: RunState) -> str:
    """The folder's name without the seed at its end."""
    name = run.path.resolve().name
    for ending in (f"-seed{run.seed}", f"-{run.seed}"):
        if name.endswith(ending):
            return name.removesuffix(ending)
    return name


def _refuse_other_score(first: RunState, second: RunState) -> None:
    one, two = first.resolved(), second.resolved()
    before, after = one.settings(), two.settings()
    for name in task_of(one).scored_by:
        if before[name] != after[name]:
            raise DataError(
                f"{first.path} has {name}={before[name]}, {second.path} {name}={after[name]}: "
                "their scores count other things and cannot be compared."
            )


def _split_apart(first: RunState, second: RunState) -> bool:
    """Whether the data of two runs may differ by what their seeds hold out, and by no more."""
    one, two = first.resolved(), second.resolved()
    return task_of(one).splits_by_seed and first.seed != second.seed and one.data == two.data


def _fingerprint(run: RunState) -> str:
    return str((run.provenance or {}).get("data_fingerprint"))
