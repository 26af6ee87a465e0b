"""`plan.json`: what a folder of runs was made to answer, so that it answers nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NotRequired

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic needs it before Python 3.12

from orthogan.errors import DataError, ResumeError, StorageError
from orthogan.experiments.plan import Plan, identity, run_name
from orthogan.experiments.tasks import DEFAULT_TASK, named
from orthogan.files import read_json, storage_errors, write_json
from orthogan.training.run_record import now
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
        seeds: Each list of seeds that was asked for, the last one last.
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

    Other seeds of the same spec may be asked for; each such list is kept.

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
    seeds = list(plan.spec.seeds)
    asked = [] if earlier is None else list(earlier["seeds"])
    if earlier is not None:
        _refuse_other_task(plan.out, earlier.get("task", DEFAULT_TASK), plan.task.name)
        _refuse_other(plan.out, earlier["variants"], variants)
    if seeds in asked:
        asked.remove(seeds)
    asked.append(seeds)  # last: the answer is about them
    record = {
        "format": FORMAT,
        "orthogan": __version__,
        **named(plan.task.name),
        "created": now() if earlier is None else earlier["created"],
        "precision": precision,
        "variants": variants,
        "seeds": asked,
        "notes": list(plan.notes),
        "runs": [
            run_name(variant.label, seed)
            for variant in plan.variants
            for seed in sorted({each for row in asked for each in row})
        ],
    }
    with storage_errors(plan.out):
        plan.out.mkdir(parents=True, exist_ok=True)
    write_json(plan.out / PLAN_FILE, record)
    return seed_notes(asked)


def seed_notes(asked: Sequence[Sequence[int]]) -> tuple[str, ...]:
    """What a reader must know where several lists of seeds were asked for."""
    if len(asked) == 1:
        return ()
    lists = " and ".join(str(len(row)) for row in asked)
    advice = "seeds added after a look at the result make its p values too small"
    return (f"This was asked with {lists} seeds: {advice}.",)


def _refuse_other_task(out: Path, old: str, new: str) -> None:
    if old != new:
        raise ResumeError(
            f"{out} compares runs of --task {old}, not of --task {new}; choose another --out."
        )


def _refuse_other(out: Path, old: Sequence[StoredVariant], new: Sequence[StoredVariant]) -> None:
    before, after = ([row["label"] for row in rows] for rows in (old, new))
    if before != after:
        raise ResumeError(
            f"{out} compares {'; '.join(before)}, not {'; '.join(after)}; choose another --out."
        )
    for first, second in zip(old, new, strict=True):
        one, two = first["settings"], second["settings"]
        for name in {**one, **two}:
            if one.get(name, "absent") != two.get(name, "absent"):
                raise ResumeError(
                    f"{out} holds another comparison: {name} was {one.get(name, 'absent')}, here "
                    f"{two.get(name, 'absent')}. Choose another --out."
                )
