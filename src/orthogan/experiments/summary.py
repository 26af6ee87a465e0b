"""What `compare` returns: rows, notes, every run's provenance, and why it stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from orthogan.experiments.groups import machine_notes, refuse_mixed_data, shared_task, split_notes
from orthogan.experiments.plot import picture
from orthogan.experiments.results import VariantResult, variant_results
from orthogan.experiments.table import table, verdicts
from orthogan.experiments.task import COMPARED, DEFAULT_TASK, named
from orthogan.experiments.trials import Group, RunState
from orthogan.files import storage_errors, write_atomic, write_json
from orthogan.version import __version__

RESULT_FILE, PICTURE_FILE = "result.json", "comparison.png"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The result of a comparison, or how far it is.

    Attributes:
        status: `done`; `diverged` if every run was; `waiting` if another process trains some;
            `failed` if joined workers gave one up; `interrupted` or `preempted`; `planned`.
        reason: One sentence on why it stopped.
        task: What kind of runs: `gan`, `classify` or `language`.
        variants: One row per variant, the first is what the others are compared with; empty while
            runs are missing.
        groups: The runs of each variant.
        notes: What a reader must know to trust the numbers.
        commands: With `plan`, one `orthogan ...` command for each run that is missing.
        evaluations: Every score of each run that is done, by its folder.
        out: Folder of the runs, `result.json` and `comparison.png`; None if there is none.
    """

    status: str
    reason: str
    task: str = DEFAULT_TASK
    variants: tuple[VariantResult, ...] = ()
    groups: tuple[Group, ...] = ()
    notes: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    evaluations: Mapping[Path, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    out: Path | None = None

    @property
    def table(self) -> tuple[list[str], list[list[str]]]:
        """Headers and rows of text; both empty while runs are missing."""
        return table(self.variants, COMPARED[self.task]()) if self.variants else ([], [])

    @property
    def verdicts(self) -> list[str]:
        """One sentence per variant."""
        return verdicts(self.variants)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `json.dumps` takes it."""
        unit = COMPARED[self.task]().unit
        return {
            "orthogan": __version__,
            **named(self.task),
            "status": self.status,
            "reason": self.reason,
            "out": None if self.out is None else str(self.out),
            "variants": [_row(row, unit) for row in self.variants],
            "runs": [
                _run(group.label, run, self.evaluations.get(run.path), unit)
                for group in self.groups
                for run in group.runs
            ],
            "notes": list(self.notes),
            "commands": list(self.commands),
        }

    def _repr_png_(self) -> bytes | None:
        """The picture, for notebooks."""
        return picture(self.groups, self.variants) if self.variants else None


def summarize(
    groups: Sequence[Group],
    evaluations: Mapping[Path, Mapping[str, Any]],
    notes: Sequence[str],
    out: Path | None,
    *,
    is_written: bool = True,
) -> Comparison:
    """The comparison of finished runs.

    Args:
        groups: The variants.
        evaluations: Of every run that is done, by its folder.
        notes: What is known about the runs already.
        out: Where it is kept, if anywhere.
        is_written: Whether it is written there, or was.

    Raises:
        ConfigError: the runs are of different kinds.
        DataError: the runs saw different data.
        StorageError: `out` cannot be written.
    """
    runs = [run for group in groups for run in group.runs]
    task = shared_task(runs)
    refuse_mixed_data(runs)
    broken = sum(run.status == "diverged" for run in runs)
    variants = "1 variant" if len(groups) == 1 else f"{len(groups)} variants"
    lost = f"; {broken} of them diverged" if broken else ""
    said = [*_lost_scores(evaluations), *split_notes(runs), *machine_notes(runs)]
    result = Comparison(
        status="diverged" if broken == len(runs) else "done",
        reason=f"Done: {len(runs)} runs of {variants}{lost}.",
        task=task.name,
        variants=variant_results(groups, evaluations),
        groups=tuple(groups),
        notes=(*notes, *said, *_few_seeds(groups)),
        evaluations=evaluations,
        out=out,
    )
    if out is not None and is_written:
        with storage_errors(out):
            out.mkdir(parents=True, exist_ok=True)
        write_json(out / RESULT_FILE, result.to_dict())
        write_atomic(out / PICTURE_FILE, picture(groups, result.variants))
    return result


def _lost_scores(evaluations: Mapping[Path, Mapping[str, Any]]) -> list[str]:
    return [
        f"The {name} of {path} is not a finite number, so it is left out."
        for path, evaluation in evaluations.items()
        for name, score in evaluation["scores"].items()
        if score["value"] is None
    ]


def _few_seeds(groups: Sequence[Group]) -> list[str]:
    single = [group.label for group in groups if len(group.done) == 1]
    return [f"One seed only, so no interval and no test: {'; '.join(single)}."] if single else []


def _row(row: VariantResult, unit: str) -> dict[str, Any]:
    values = {
        metric: {str(seed): value for seed, value in own.items()}
        for metric, own in row.values.items()
    }
    tree = asdict(row) | {"values": values}
    return {unit if name == "images" else name: value for name, value in tree.items()}


def _run(
    label: str, run: RunState, evaluation: Mapping[str, Any] | None, unit: str
) -> dict[str, Any]:
    return {
        "variant": label,
        "run": str(run.path),
        "seed": run.seed,
        "status": run.status,
        "reason": run.reason,
        f"{unit}_seen": run.images_seen,
        "seconds": run.seconds,
        "updated": run.updated,
        "config": None if run.config is None else run.config.to_dict(),
        "provenance": run.provenance,
        "evaluation": evaluation,
    }
