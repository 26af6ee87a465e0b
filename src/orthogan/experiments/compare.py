"""`compare`: whether a setting matters: runs what that takes, tests it, and says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orthogan.devices import pick_device
from orthogan.errors import ConfigError, UnknownNameError
from orthogan.experiments.groups import (
    existing_runs,
    grouped,
    located,
    refuse_mixed_data,
    shared_task,
)
from orthogan.experiments.joined import PATIENCE_S, Worker, held
from orthogan.experiments.plan import Plan, make_plan
from orthogan.experiments.record import (
    read_plan,
    refuse_foreign,
    stored_groups,
    stored_plan,
    write_plan,
)
from orthogan.experiments.scores import KEPT, Kept, Measure, stored_score
from orthogan.experiments.spec import DEFAULT_MODEL, ExperimentSpec
from orthogan.experiments.summary import Comparison, summarize
from orthogan.experiments.task import COMPARED, DEFAULT_TASK, ComparedTask, named
from orthogan.experiments.trials import Group, RunState, read_trial, run_trials
from orthogan.experiments.variants import checked_vary
from orthogan.files import storage_errors
from orthogan.training.precision import resolve_precision
from orthogan.training.progress import ProgressDisplay
from orthogan.version import __version__

DEFAULT_OUT = Path("comparisons")
DEFAULT_SEEDS = 5
# Options that mean something for runs that exist; all others decide how runs are made.
OF_EXISTING = ("runs", "metrics", "num_images", "out", "show_progress")


def compare(
    *runs: str | Path,
    task: str | None = None,
    vary: Mapping[str, Sequence[Any]] | None = None,
    seeds: int | Sequence[int] | None = None,
    source: str | Path | None = None,
    model: str | None = None,
    minutes: float | None = None,
    images: int | None = None,
    tokens: int | None = None,
    parameters: str | None = None,
    match: Sequence[str] = (),
    settings: Sequence[str] = (),
    config: Path | str | None = None,
    size: int | None = None,
    device: str | None = None,
    threads: int | None = None,
    metrics: Sequence[str] | None = None,
    num_images: int | None = None,
    plan: bool = False,
    join: bool = False,
    out: Path | str | None = None,
    show_progress: bool = True,
) -> Comparison:
    """Compare settings over several seeds, or runs that exist; the same call goes on.

    Every combination of the varied settings is trained with every seed and the same budget, one
    run after the other. The first is what the others are compared with.

    Args:
        runs: Run folders to compare instead; a folder of runs stands for all that are finished
            in it. Runs that differ in nothing but the seed are grouped. The folder of a
            comparison gives its result again, from the scores that are stored there.
        task: `gan` (the default), `classify` or `language`: what kind of runs to make.
        vary: Values of each setting that varies; `model` varies the recipe of a GAN.
        seeds: How many, counted from 0, or which; 5 by default.
        source: The images or the text, as in `orthogan.train`, `classify`, `train_language`.
        model: Recipe of a GAN; `attention-gan` by default.
        minutes: Time budget of a run; without any budget 5, of a classifier 10.
        images: Budget of a run in images shown.
        tokens: Budget of a run in tokens predicted, of a language model.
        parameters: `equal` moves the widths named by `match` until every variant has the
            parameters of the first, within 2 %.
        match: Such widths, at most one per network: `generator.width`, `discriminator.width`;
            `network.width` of the other tasks.
        settings: Changes that all variants share, such as `"batch_size=64"`.
        config: File of settings.
        size: Side of the images in pixels.
        device: `auto` (the default), `cpu`, `cuda` or `mps`.
        threads: CPU threads.
        metrics: Names; the verdicts are about the first. By default `fd` of GANs; the others
            have the score that their runs end with.
        num_images: Images that each GAN is measured on; by default as many as the scores that
            are stored, else 10,000.
        plan: Train nothing; return one command for each run that is missing.
        join: Share the runs with every other process that makes the same call at the same time:
            each takes the next run that nobody trains, and all return the same result.
        out: Folder of the runs and results; `comparisons/<data>-<settings>` by default. With
            `runs`, results are written only if it is given.
        show_progress: Show progress on stderr.

    Raises:
        ConfigError: a setting is unknown or does not fit, options clash, or the runs are of
            different kinds.
        DataError: the data cannot be loaded, or the runs saw different ones.
        ResumeError: the folder holds another comparison, or another process works in it.
        StorageError: the folder cannot be written.
        UnknownNameError: no such task, recipe, device or metric.
    """
    options = dict(locals())
    measure = Measure(metrics=metrics, num_images=num_images)
    target = None if out is None else Path(out)
    if runs:
        idle = [name for name, value in options.items() if value and name not in OF_EXISTING]
        if idle:
            raise ConfigError(
                f"'{idle[0]}' decides how runs are trained, so it does nothing for runs that "
                "exist; give runs, or --vary and what goes with it."
            )
        return _of_existing(runs, measure, target)
    _check_matching(parameters, match)
    if plan and join:
        raise ConfigError("plan trains nothing, so join has no effect; leave one of them out.")
    spec = ExperimentSpec(
        vary=checked_vary(vary or {}),
        seeds=_seeds(seeds),
        task=task or DEFAULT_TASK,
        source=None if source is None else str(source),
        model=model or DEFAULT_MODEL,
        minutes=minutes,
        images=images,
        tokens=tokens,
        match=tuple(match),
        settings=tuple(settings),
        config=None if config is None else Path(config),
        size=size,
        device=device or "auto",
        threads=threads,
    )
    target = target or _default_out(spec)
    display = ProgressDisplay(target.name, show_progress)
    return _of_spec(spec, target, measure, (plan, join), display)


def _of_existing(names: Sequence[str | Path], measure: Measure, out: Path | None) -> Comparison:
    folder = located(Path(names[0]))
    plan = stored_plan(folder) if len(names) == 1 else None
    if plan is None:
        states, notes = existing_runs(names)
        groups = None
    else:
        groups, notes = stored_groups(folder, plan)
        states = [run for group in groups for run in group.runs]
    # With no other options, it is the result that the folder holds.
    is_stored = plan is not None and out is None and measure == Measure()
    task = shared_task(states)
    refuse_mixed_data(states)
    if len(states) < 2:
        raise ConfigError(
            f"{states[0].path} is the only run; give at least two, or --vary KEY=a,b to train some."
        )
    if out is not None:
        refuse_foreign(out)
    evaluations, said = _stored_evaluations(states, task, measure, out)
    return summarize(
        groups or grouped(states),
        evaluations,
        (*notes, *said),
        folder if is_stored else out,
        is_written=out is not None,
    )


def _stored_evaluations(
    states: Sequence[RunState], task: ComparedTask, requested: Measure, out: Path | None
) -> tuple[dict[Path, dict[str, Any]], list[str]]:
    """The scores that the runs have, and a sentence for each that had to be measured again."""
    target = None if out is None else out / KEPT
    kept = {
        state.path: Kept(
            folders=(state.path.parent / KEPT, *filter(None, [target])),
            target=target,
            any_version=True,
        )
        for state in states
        if state.status == "done"
    }
    measure = requested.recorded(kept)
    evaluations: dict[Path, dict[str, Any]] = {}
    notes, versions = [], set()
    for run, own in kept.items():
        reason = task.why_again(run, measure, own)
        if reason and requested != measure:
            notes.append(f"{run} was scored again, with {measure.num_images:,} images: {reason}.")
        elif not reason and (found := stored_score(run, own)) is not None:
            versions.add(found.version)
        evaluations[run] = task.evaluation(run, measure, own)
    if versions - {__version__}:
        notes.append(f"Stored scores were measured by orthogan {', '.join(sorted(versions))}.")
    return evaluations, notes


def _of_spec(
    spec: ExperimentSpec,
    out: Path,
    measure: Measure,
    how: tuple[bool, bool],
    display: ProgressDisplay,
) -> Comparison:
    only_plan, join = how
    refuse_foreign(out)
    precision = _precision(spec, out)
    plan = make_plan(spec, out, precision)
    plan.task.check_scores(measure, plan.variants[0].config)  # not after hours of training
    with storage_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    with held(out, PATIENCE_S if join else 0.0):
        if (decided := _precision(spec, out)) != precision:  # by a worker on another machine
            plan = make_plan(spec, out, decided)
        notes = (*plan.notes, *write_plan(plan, decided))
        for note in notes:
            display.note(note)
        if only_plan:
            return _planned(plan, notes)
        if not join:
            return _run_and_summarize(plan, measure, notes, display)
    return _join_and_summarize(plan, measure, notes, display)


def _precision(spec: ExperimentSpec, out: Path) -> str:
    """What `auto` means in every trial, wherever it runs."""
    earlier = read_plan(out)
    found = resolve_precision("auto", pick_device(spec.device))
    return found if earlier is None else earlier["precision"]


def _planned(plan: Plan, notes: Sequence[str]) -> Comparison:
    missing = [not read_trial(trial).is_finished for trial in plan.trials]
    commands = [line for line, wanted in zip(plan.commands(), missing, strict=True) if wanted]
    return Comparison(
        status="planned",
        reason=f"{len(commands)} of {len(missing)} runs are to be made.",
        task=plan.task.name,
        notes=tuple(notes),
        commands=tuple(commands),
        out=plan.out,
    )


def _run_and_summarize(
    plan: Plan, measure: Measure, notes: Sequence[str], display: ProgressDisplay
) -> Comparison:
    measured = _Measured(plan, measure, display)
    try:
        status = run_trials(plan, display.note, measured.tell, show_progress=display.show)
        if status == "done":
            return measured.summary(notes)
    except KeyboardInterrupt:
        status = "interrupted"
    wait = "Another process trains the rest" if status == "waiting" else "Stopped"
    return _unfinished(plan, status, wait, notes)


def _join_and_summarize(
    plan: Plan, measure: Measure, notes: Sequence[str], display: ProgressDisplay
) -> Comparison:
    measured = _Measured(plan, measure, display)
    worker = Worker(plan, display.note, measured.tell, show_progress=display.show)
    try:
        status = worker.run()
        if status == "done":
            with held(plan.out, PATIENCE_S):
                return measured.summary(notes)
    except KeyboardInterrupt:
        status = "interrupted"
    return _unfinished(plan, status, worker.failures().rstrip(".") or "Stopped", notes)


class _Measured:
    """The scores of the runs of a plan, each measured when its run ends."""

    def __init__(self, plan: Plan, measure: Measure, display: ProgressDisplay) -> None:
        self._plan, self._measure, self._display = plan, measure, display
        self._kept = Kept(folders=(plan.out / KEPT,), target=plan.out / KEPT)

    def scores(self, state: RunState) -> dict[str, Any]:
        """Those of a run."""
        task, name = self._plan.task, state.path.name
        reason = task.why_again(state.path, self._measure, self._kept)
        if reason and (self._plan.out / KEPT / f"{name}.json").exists():
            self._display.note(f"{name} is scored again: {reason}.")
        return task.evaluation(state.path, self._measure, self._kept)

    def tell(self, state: RunState) -> None:
        """Measures a run that has ended, and says what came out."""
        if state.status == "done":
            scores = self.scores(state)["scores"]
            name = next(iter(scores))
            self._display.note(f"{state.path.name}: {name} {scores[name]['value']:.4g}")

    def summary(self, notes: Sequence[str]) -> Comparison:
        """The result, where every run has ended."""
        plan = self._plan
        groups = [
            Group(
                label=variant.label,
                runs=tuple(read_trial(each) for each in plan.trials if each.variant is variant),
            )
            for variant in plan.variants
        ]
        evaluations = {run.path: self.scores(run) for group in groups for run in group.done}
        return summarize(groups, evaluations, notes, plan.out)


def _unfinished(plan: Plan, status: str, why: str, notes: Sequence[str]) -> Comparison:
    states = [read_trial(trial) for trial in plan.trials]
    count = sum(state.is_finished for state in states)
    return Comparison(
        status=status,
        reason=f"{why}; {count} of {len(states)} runs are finished and everything is saved.",
        task=plan.task.name,
        notes=tuple(notes),
        out=plan.out,
    )


def _default_out(spec: ExperimentSpec) -> Path:
    usual = COMPARED[spec.task].config_type().data.source
    data = Path(spec.source or usual).stem or "images"
    task = named(spec.task).values()  # the same settings of another kind go elsewhere
    keys = [key.rpartition(".")[2] for key in spec.vary]
    return DEFAULT_OUT / "-".join([data.replace(":", "-"), *task, *keys])


def _seeds(seeds: int | Sequence[int] | None) -> tuple[int, ...]:
    seeds = DEFAULT_SEEDS if seeds is None else seeds
    return tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)


def _check_matching(parameters: str | None, match: Sequence[str]) -> None:
    if parameters not in {None, "equal"}:
        raise UnknownNameError("value of --parameters", str(parameters), ["equal"])
    if parameters and not match:
        raise ConfigError(
            "--parameters equal needs the width to move, such as --match generator.width."
        )
    if match and not parameters:
        raise ConfigError("--match goes with --parameters equal; give both or neither.")
