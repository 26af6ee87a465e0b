"""The kinds of runs that can be compared, and which kind a run is of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orthogan.experiments.classify_task import ClassifyTask
from orthogan.experiments.gan_task import GanTask
from orthogan.experiments.language_task import LanguageTask
from orthogan.experiments.task import RunConfig, Task
from orthogan.registry import Registry

DEFAULT_TASK = GanTask.name

TASKS: Registry[type[Task]] = Registry("task")
for _kind in (GanTask, ClassifyTask, LanguageTask):
    TASKS.register(_kind.name)(_kind)


def task_of(config: RunConfig) -> Task:
    """The task of a run with these settings."""
    return next(kind for kind in _kinds() if isinstance(config, kind.config_type))()


def task_of_record(record: Mapping[str, Any]) -> Task:
    """The task of the run whose `run.json` this is.

    Raises:
        UnknownNameError: it is none of this version.
    """
    return TASKS[record["task"]]()


def named(task: str) -> dict[str, str]:
    """The entry of a task in a file; files from before there were several have none."""
    return {} if task == DEFAULT_TASK else {"task": task}


def is_live_score(name: str) -> bool:
    """Whether a name in a line of `metrics.jsonl` is that of a score.

    >>> is_live_score("accuracy"), is_live_score("test images")
    (True, False)
    """
    return any(name.startswith(kind.scores) for kind in _kinds())


def _kinds() -> list[type[Task]]:
    return [TASKS[name] for name in TASKS]
