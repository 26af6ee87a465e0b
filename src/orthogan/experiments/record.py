"""`plan.json`: what a folder of runs was made to compare, so that it compares nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NotRequired

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic needs it before Python 3.12

from orthogan.errors import ConfigError, DataError, ResumeError, StorageError
from orthogan.experiments.plan import Plan, identity, run_name
from orthogan.experiments.task import DEFAULT_TASK, named
from orthogan.experiments.trials import Group, RunState, read_run
from orthogan.files import read_json, storage_errors, write_json
from orthogan.training.run_record import RUN_FILE, now
from orthogan.version import __version__

FORMAT = 1
PLAN_FILE = "plan.json"


class StoredVariant(TypedDict):
    """A variant in `plan.json`."""

    label: str
    settings: dict[str, Any]


class StoredPlan(TypedDict):
    """What a `plan.json` holds.

    Attributes:
        seeds: Each list of seeds that was requested, the last one last.
        runs: The folders of all of them.
    """

    format: int
    task: NotRequired[str]
    created: str
    precision: str
    variants: list[StoredVariant]
    seeds: list[list[int]]
    notes: NotRequired[list[str]]
    runs: list[str]


_STORED_PLAN = TypeAdapter(StoredPlan)


def stored_plan(out: Path) -> StoredPlan | None:
    """The content of `plan.json` in `out`; None if there is no such file.

    Raises:
        DataError: it is damaged, or of another format.
    """
    path = out / PLAN_FILE
    if not path.exists():
        return None
    try:
        record = _STORED_PLAN.validate_python(read_json(path), strict=True)
    except StorageError as error:
        raise DataError(str(error)) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "content"
        raise DataError(
            f"{path}: is not the plan of a comparison ({place}: {first['msg']})."
        ) from None
    if record["format"] != FORMAT or not record["seeds"]:
        raise DataError(f"{path}: is not the plan of a comparison of format {FORMAT}.")
    return record


def read_plan(out: Path) -> StoredPlan | None:
    """The same of a folder that is to be worked in.

    Raises:
        ResumeError: it is damaged, or of another format.
    """
    try:
        return stored_plan(out)
    except DataError as error:
        raise ResumeError(f"{error} Choose another --out.") from None


def refuse_foreign(out: Path) -> None:
    """Checks that `out` is free, empty, or the folder of a comparison.

    Raises:
        ResumeError: it is a file, or a folder that holds something else.
    """
    if out.exists() and not out.is_dir():
        raise ResumeError(f"{out}: is a file, not a folder; choose another --out.")
    if not out.exists() or (out / PLAN_FILE).exists():
        return
    foreign = sorted(entry.name for entry in out.iterdir() if not entry.name.startswith("."))
    if foreign:
        raise ResumeError(
            f"{out}: holds no comparison (no {PLAN_FILE}) and is not empty (it holds "
            f"{foreign[0]}); choose another --out."
        )


def write_plan(plan: Plan, precision: str) -> tuple[str, ...]:
    """Writes the plan down, or checks that the folder holds the same one.

    Other seeds of the same comparison may be requested; each such list is kept.

    Returns:
        What a reader of the results must know about the seeds.

    Raises:
        ResumeError: the folder holds another comparison; the sentence names a difference.
        StorageError: the folder cannot be written.
    """
    refuse_foreign(plan.out)
    earlier = read_plan(plan.out)
    variants: list[StoredVariant] = [
        {"label": variant.label, "settings": identity(variant.config)} for variant in plan.variants
    ]
    if earlier is not None:
        _refuse_other(plan.out, earlier, plan.task.name, variants)
    seeds = list(plan.spec.seeds)
    before = [] if earlier is None else earlier["seeds"]
    requested = [*(row for row in before if row != seeds), seeds]  # the result is about the last
    record = {
        "format": FORMAT,
        "orthogan": __version__,
        **named(plan.task.name),
        "created": now() if earlier is None else earlier["created"],
        "precision": precision,
        "variants": variants,
        "seeds": requested,
        "notes": list(plan.notes),
        "runs": [
            run_name(variant.label, seed)
            for variant in plan.variants
            for seed in sorted({each for row in requested for each in row})
        ],
    }
    with storage_errors(plan.out):
        plan.out.mkdir(parents=True, exist_ok=True)
    write_json(plan.out / PLAN_FILE, record)
    return _seed_notes(requested)


def stored_groups(folder: Path, plan: StoredPlan) -> tuple[list[Group], tuple[str, ...]]:
    """The variants of a plan with the finished runs of each, for the seeds requested last.

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
    return groups, (*plan.get("notes", ()), *_seed_notes(plan["seeds"]), *left_out)


def _finished(path: Path, variant: StoredVariant, seed: int) -> RunState | str:
    """The run, or why it cannot be used."""
    if not (path / RUN_FILE).exists():
        return "is not started"
    state = read_run(path)
    if identity(state.resolved()) != variant["settings"] or state.seed != seed:
        return "was made with other settings than the plan has"
    return state if state.is_finished else f"is not finished ({state.status})"


def _seed_notes(requested: Sequence[Sequence[int]]) -> tuple[str, ...]:
    """What a reader must know where several lists of seeds were requested."""
    if len(requested) == 1:
        return ()
    lists = " and ".join(str(len(row)) for row in requested)
    advice = "seeds added after a look at the result make its p values too small"
    return (f"This was asked with {lists} seeds: {advice}.",)


def _refuse_other(
    out: Path, earlier: StoredPlan, task: str, variants: Sequence[StoredVariant]
) -> None:
    """Raises ResumeError where the folder compares something else."""
    old = earlier.get("task", DEFAULT_TASK)
    if old != task:
        raise ResumeError(
            f"{out} compares runs of --task {old}, not of --task {task}; choose another --out."
        )
    before, after = ([row["label"] for row in rows] for rows in (earlier["variants"], variants))
    if before != after:
        raise ResumeError(
            f"{out} compares {'; '.join(before)}, not {'; '.join(after)}; choose another --out."
        )
    for first, second in zip(earlier["variants"], variants, strict=True):
        one, two = first["settings"], second["settings"]
        for name in {**one, **two}:
            if one.get(name, "absent") != two.get(name, "absent"):
                raise ResumeError(
                    f"{out} holds another comparison: {name} was {one.get(name, 'absent')}, here "
                    f"{two.get(name, 'absent')}. Choose another --out."
                )
