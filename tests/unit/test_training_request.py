"""A request: recipe, file, arguments and settings, the later over the earlier."""

from __future__ import annotations

from pathlib import Path

import pytest

from orthogan.classification.task import ClassifyTask
from orthogan.errors import ConfigError, UnknownNameError
from orthogan.gan.task import GanTask
from orthogan.language.task import LanguageTask
from orthogan.training.request import Request, merged
from orthogan.training.task import Task

EVERY_TASK = pytest.mark.parametrize("task", [GanTask(), ClassifyTask(), LanguageTask()])


@EVERY_TASK
def test_nothing_asked_for_is_the_default_recipe(task: Task) -> None:
    recipe = task.recipes[task.default_recipe]()
    found = task.requested(Request())
    assert found == recipe
    assert type(found.model_validate({})) is type(found)


@EVERY_TASK
def test_the_later_wins(task: Task, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("seed: 5\nbatch_size: 12\ncheckpoint_every_s: 7\n")
    request = Request(config=file, seed=6, count=640, settings=("batch_size=14",))
    found = task.requested(request)
    assert (found.seed, found.batch_size, found.checkpoint_every_s) == (6, 14, 7.0)
    assert found.budget.to_dict() == {"seconds": None, task.unit: 640}
    assert task.requested(Request(minutes=2.0)).budget.seconds == 120


@EVERY_TASK
def test_one_budget_and_a_known_recipe(task: Task) -> None:
    with pytest.raises(ConfigError, match=f"minutes and one in {task.unit} exclude one another"):
        task.requested(Request(minutes=1.0, count=1))
    with pytest.raises(UnknownNameError, match="Unknown recipe 'nonsense'"):
        task.requested(Request(model="nonsense"))


def test_the_source_is_located_after_all_settings() -> None:
    recipe = GanTask.recipes["attention-gan"]()
    request = Request(data={"source": "a"}, settings=("data.source=b",))
    assert merged(recipe, request, "images", str.upper).data.source == "B"
