"""A comparison read back from its folder: the trials of its plan, and what is wrong with some."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orthogan.errors import ConfigError
from orthogan.experiments.groups import Group
from orthogan.experiments.plan import identity, run_name
from orthogan.experiments.record import StoredPlan, StoredVariant, seed_notes
from orthogan.experiments.trials import RunState, read_run
from orthogan.training.run_record import RUN_FILE


def stored_groups(folder: Path, plan: StoredPlan) -> tuple[list[Group], tuple[str, ...]]:
    """The variants of a plan with the finished runs of each, for the seeds asked for last.

    Returns:
        The groups, and what a reader must know: what the plan says, and a sentence for each run
        that is left out.

    Raises:
        ConfigError: no run is finished.
        ResumeError: the record of a run is damaged.
    """
    groups, left_out, known = [], [], set(plan["runs"])
    for variant in plan["variants"]:
        runs = []
        for seed in plan["seeds"][-1]:
            path = folder / run_name(variant["label"], seed)
            known.add(path.name)
            found = _finished(path, variant, seed)
            if isinstance(found, RunState):
                runs.append(found)
            else:
                left_out.append(f"{path} {found} and left out.")
        if runs:
            groups.append(Group(label=variant["label"], runs=tuple(runs)))
        else:
            left_out.append(f"{variant['label']} has no finished run and is left out.")
    if not groups:
        raise ConfigError(f"There is no finished run in {folder}.")
    foreign = sorted({each.parent for each in folder.glob(f"*/{RUN_FILE}")})
    left_out += [
        f"{path} is no run of this comparison and left out."
        for path in foreign
        if path.name not in known
    ]
    return groups, (*_notes(plan), *left_out)


def _finished(path: Path, variant: StoredVariant, seed: int) -> RunState | str:
    """The run, or why it cannot be used."""
    if not (path / RUN_FILE).exists():
        return "is not started"
    state = read_run(path)
    if identity(state.resolved()) != variant["settings"] or state.seed != seed:
        return "was made with other settings than the plan has"
    return state if state.is_finished else f"is not finished ({state.status})"


def _notes(plan: StoredPlan) -> Sequence[str]:
    return (*plan.get("notes", ()), *seed_notes(plan["seeds"]))
