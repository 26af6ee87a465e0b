"""Several workers at one comparison: each takes the next run that nobody trains."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from orthogan.errors import DivergedError, ResumeError
from orthogan.experiments.claims import (
    FAILED,
    FINISHED,
    MOST_FAILURES,
    RELEASED,
    Claim,
    Claims,
    signs_of_life,
)
from orthogan.experiments.plan import Plan, Trial
from orthogan.experiments.trials import FINISHED as ENDED
from orthogan.experiments.trials import RunState, Say, read_trial
from orthogan.training.lock import FolderLock

CLAIMS = ".claims"
POLL_S = 2.0  # between looks whether the others are done
PATIENCE_S = 600.0  # for the others to write the plan, or the result


class Worker:
    """One of the workers at a plan.

    Args:
        plan: What to run.
        say: Takes each sentence of progress.
        finished: Called with each trial that ended here.
        show_progress: Show the progress inside each run.
    """

    def __init__(
        self,
        plan: Plan,
        say: Say,
        finished: Callable[[RunState], object],
        *,
        show_progress: bool,
    ) -> None:
        self._plan, self._say, self._finished = plan, say, finished
        self._show_progress = show_progress
        self._claims = Claims(plan.out / CLAIMS)

    def run(self) -> str:
        """Trains what nobody else does, and waits for the others.

        A run that fails is tried again, here or by another worker, three times in all.

        Returns:
            `done` if every run ended; `failed` if one failed too often; `interrupted` or
            `preempted` if somebody stopped this worker.
        """
        has_waited = False
        while missing := self._missing():
            found = next(self._claimed(missing), None)
            if found is None:
                if not has_waited:
                    self._say("Other workers train the rest; this one waits for them.")
                has_waited = True
                time.sleep(POLL_S)
                continue
            has_waited = False
            status = self._train(*found)
            if status not in ENDED:
                return status
        lost = [each for each in self._plan.trials if self._claims.is_given_up(each.path.name)]
        return "failed" if lost else "done"

    def failures(self) -> str:
        """Which runs failed too often and why, as a sentence; empty if none did."""
        found = [
            (trial, claim)
            for trial in self._plan.trials
            if (claim := self._claims.is_given_up(trial.path.name))
        ]
        if not found:
            return ""
        trial, claim = found[0]
        return (
            f"{len(found)} of the runs failed {MOST_FAILURES} times, such as {trial.path.name}: "
            f"{claim.why} To try them again, remove {self._plan.out / CLAIMS}."
        )

    def _missing(self) -> list[Trial]:
        return [
            trial
            for trial in self._plan.trials
            if not read_trial(trial).is_finished and not self._claims.is_given_up(trial.path.name)
        ]

    def _claimed(self, trials: list[Trial]) -> Iterator[tuple[Trial, Claim]]:
        for trial in trials:
            if claim := self._claims.take(trial.path.name):
                yield trial, claim

    def _train(self, trial: Trial, claim: Claim) -> str:
        """Trains a claimed run; how that ended, where a failure is an end as well."""
        name, state = trial.path.name, RELEASED
        try:
            if read_trial(trial).is_finished:  # by somebody who was about to say so
                state = FINISHED
                return "done"
            self._say(f"This worker trains {name}.")
            with signs_of_life(claim):
                ended = self._trained(trial)
            if ended in ENDED:
                self._finished(read_trial(trial))
                state = FINISHED
        except ResumeError as error:
            if not FolderLock.is_held(trial.path / ".lock"):
                raise
            self._say(f"{error} It is left to it.")  # one that claims nothing, as of --plan
            time.sleep(POLL_S)
            return "done"
        except Exception as error:  # noqa: BLE001 - what fails here may work elsewhere
            self._fail(name, claim, error)
            return "done"
        else:
            return ended
        finally:
            if state != FAILED and self._claims.last(name) == claim:
                self._claims.end(claim, state)

    def _trained(self, trial: Trial) -> str:
        try:
            return self._plan.task.train(
                **self._plan.request(trial), show_progress=self._show_progress
            )
        except DivergedError as error:
            self._say(f"{error} The plan goes on.")
            return "diverged"

    def _fail(self, name: str, claim: Claim, error: Exception) -> None:
        told = " ".join(str(error).split())
        why = f"{type(error).__name__}: {told}"
        count = claim.failures + 1
        self._claims.end(Claim(**(vars(claim) | {"failures": count})), FAILED, why)
        then = "it is left alone" if count >= MOST_FAILURES else "it is tried again"
        self._say(f"{name} failed, {count} of {MOST_FAILURES}, so {then}: {why}")


@contextmanager
def held(out: Path, patience_s: float) -> Iterator[None]:
    """Inside, no other process writes the plan or the result of a comparison.

    Args:
        out: Folder of the comparison.
        patience_s: How long to wait for another process.

    Raises:
        ResumeError: another process holds it all that time.
    """
    until = time.monotonic() + patience_s
    while True:
        try:
            lock = FolderLock(out / ".lock")
            break
        except ResumeError:
            if time.monotonic() >= until:
                raise ResumeError(
                    f"{out}: another process works on this comparison; wait for it, stop it, "
                    "choose another --out, or start all of them with --join."
                ) from None
            time.sleep(min(POLL_S, patience_s))
    try:
        yield
    finally:
        lock.release()
