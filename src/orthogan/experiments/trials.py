"""The runs of a plan: what stands on disk, and running what is missing, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orthogan.errors import DivergedError, ResumeError
from orthogan.experiments.plan import Plan, Trial, identity
from orthogan.experiments.task import RunConfig, task_of_record
from orthogan.training.duration import duration
from orthogan.training.lock import FolderLock
from orthogan.training.run_folder import read_metrics
from orthogan.training.run_record import FIELDS, RUN_FILE, read_record

FINISHED = frozenset({"done", "diverged"})  # a diverged run would diverge again
BUSY = "running elsewhere"
MISSING = "not started"

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class RunState:
    """One run as it stands on disk.

    Attributes:
        path: Its folder.
        seed: Its seed.
        status: As in `run.json`; or that it is not started, or running in another process.
        reason: Why it stopped.
        config: Its settings; None before it is started.
        provenance: What made it.
        images_seen: Images shown so far; of a language run, tokens.
        seconds: Seconds of training so far.
        updated: When it was last written to.
        records: Lines of `metrics.jsonl`.
    """

    path: Path
    seed: int
    status: str
    reason: str = ""
    config: RunConfig | None = None
    provenance: dict[str, Any] | None = None
    images_seen: int = 0
    seconds: float = 0.0
    updated: str = ""
    records: tuple[dict[str, Any], ...] = ()

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to run."""
        return self.status in FINISHED

    def resolved(self) -> RunConfig:
        """The settings.

        Raises:
            ResumeError: the run was never started.
        """
        if self.config is None:
            raise ResumeError(f"{self.path}: holds no run.")
        return self.config


@dataclass(frozen=True, kw_only=True)
class Group:
    """One variant: finished runs that differ in nothing but the seed."""

    label: str
    runs: tuple[RunState, ...]

    @property
    def done(self) -> tuple[RunState, ...]:
        """The runs that reached the end of their budget."""
        return tuple(run for run in self.runs if run.status == "done")

    @property
    def diverged(self) -> tuple[RunState, ...]:
        """The runs that broke down."""
        return tuple(run for run in self.runs if run.status == "diverged")


def read_run(path: Path) -> RunState:
    """A run folder as it stands.

    Raises:
        ResumeError: there is no run, or its record is damaged.
        ConfigError: its settings are not of this version.
    """
    record = read_record(path)
    status = str(record["status"])
    if status == "running":
        status = BUSY if FolderLock.is_held(path / ".lock") else "interrupted"
    config = task_of_record(record).config_type(**record["config"])
    facts = {name: value for name, value in record.items() if name not in FIELDS}
    return RunState(
        path=path,
        seed=config.seed,
        status=status,
        reason=str(record["reason"]),
        config=config,
        provenance=dict(record["provenance"]),
        images_seen=int(record["images_seen"]),
        seconds=float(facts.get("seconds", 0.0)),
        updated=str(record["updated"]),
        records=tuple(read_metrics(path / "metrics.jsonl")),
    )


def read_trial(trial: Trial) -> RunState:
    """A trial of a plan as it stands.

    Raises:
        ResumeError: its folder holds a run with other settings.
    """
    if not (trial.path / RUN_FILE).exists():
        return RunState(path=trial.path, seed=trial.seed, status=MISSING)
    state = read_run(trial.path)
    planned, found = identity(trial.variant.config), identity(state.resolved())
    names = [name for name in planned | found if planned.get(name) != found.get(name)]
    if names or state.seed != trial.seed:
        name = names[0] if names else "seed"
        here = trial.variant.config.evolve(f"seed={trial.seed}").settings()
        raise ResumeError(
            f"{trial.path} was made with other settings: {name} is "
            f"{state.resolved().settings().get(name, 'absent')}, here "
            f"{here.get(name, 'absent')}. Move it away, or choose another --out."
        )
    return state


def run_trials(
    plan: Plan, say: Say, finished: Callable[[RunState], object], *, show_progress: bool
) -> str:
    """Runs every trial that is not finished, one after the other.

    Args:
        plan: What to run.
        say: Takes each sentence of progress.
        finished: Called with each trial that ended here.
        show_progress: Show the progress inside each run.

    Returns:
        `done` if nothing is left; `waiting` if another process trains a trial; `interrupted` or
        `preempted` if somebody stopped it.

    Raises:
        StorageError: the disk is full; what was finished is kept.
    """
    trials, status = plan.trials, "done"
    for number, trial in enumerate(trials, 1):
        state = read_trial(trial)
        if state.is_finished:
            continue
        if state.status == BUSY:
            say(f"{trial.path.name} is being trained by another process; it is left to it.")
            status = "waiting"
            continue
        left = seconds_left(plan, [read_trial(each) for each in trials])
        time = (
            "the time left is known after the first run"
            if left is None
            else f"{duration(left)} of training left in the whole plan"
        )
        say(f"Run {number} of {len(trials)}: {trial.variant.label}, seed {trial.seed}; {time}.")
        try:
            ended = plan.task.train(**plan.request(trial), show_progress=show_progress)
        except DivergedError as error:
            say(f"{error} The plan goes on.")
        else:
            if ended not in FINISHED:
                return ended
        finished(read_trial(trial))
    return status


def seconds_left(plan: Plan, states: Sequence[RunState]) -> float | None:
    """Seconds of training that the plan still takes.

    Args:
        plan: The plan.
        states: Its trials as they stand, in the order of the plan.

    Returns:
        Exact for a budget in seconds; for another, from the mean of the finished runs of
        the same variant, or of all of them; None before the first has finished.
    """
    pairs = list(zip(plan.trials, states, strict=True))
    done = [
        (trial.variant.label, state.seconds) for trial, state in pairs if state.status == "done"
    ]
    left = 0.0
    for trial, state in pairs:
        if state.is_finished:
            continue
        expected = trial.variant.config.budget.seconds
        if expected is None:
            own = [seconds for label, seconds in done if label == trial.variant.label]
            known = own or [seconds for _, seconds in done]
            if not known:
                return None
            expected = sum(known) / len(known)
        left += max(0.0, expected - state.seconds)
    return left
