"""The first losses of every recipe stay what they were; `refresh.py` writes them anew."""

from __future__ import annotations

import json

import pytest
from refresh import GOLDEN, NUM_STEPS, first_losses

from orthogan.gan.recipes import RECIPES

RECORDED = json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_every_recipe_is_recorded() -> None:
    assert sorted(RECORDED) == list(RECIPES)


@pytest.mark.parametrize("recipe", list(RECIPES))
def test_first_losses_are_the_recorded_ones(recipe: str) -> None:
    measured = first_losses(recipe)
    assert len(measured) == len(RECORDED[recipe]) == NUM_STEPS
    for now, then in zip(measured, RECORDED[recipe], strict=True):
        assert now == pytest.approx(then, rel=1e-6, abs=1e-6), (
            "Losses moved. If that is meant: PYTHONPATH=benchmarks python tests/golden/refresh.py"
        )
