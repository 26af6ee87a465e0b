"""The answer to constructed runs: groups, verdicts, table, picture."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from orthogan.errors import ConfigError, DataError
from orthogan.experiments import plot, summary
from orthogan.experiments.gan_task import GanTask
from orthogan.experiments.groups import grouped, machine_notes, refuse_mixed_data
from orthogan.experiments.results import VariantResult, variant_results
from orthogan.experiments.summary import summarize
from orthogan.experiments.table import table, verdicts
from orthogan.experiments.trials import Group, RunState
from orthogan.gan.config import TrainingConfig
from orthogan.gan.recipes import RECIPES

FD = "fd[digits-cls@6943ee]"
MACHINE = {
    "device": "cpu",
    "threads": 1,
    "platform": "Linux",
    "torch": "2.13.0",
    "data_fingerprint": "abc",
}


@pytest.fixture
def config(tiny_settings) -> Callable[..., TrainingConfig]:
    """A tiny convolutional pair; takes settings."""
    base = RECIPES["conv-gan"]().evolve(
        *tiny_settings("conv-gan"), "generator.size=16", "discriminator.size=16"
    )
    return base.evolve


def run(config: TrainingConfig, seed: int, status: str = "done", **fields: Any) -> RunState:
    """A run that never ran, with scores along the way."""
    records = [
        {"event": "score", "images_seen": 100 * step, "elapsed_s": step, FD: 8 / step, "floor": 0.1}
        for step in (1, 2, 4)
    ]
    steps = [{"event": "step", "images_seen": 160 * i, "elapsed_s": 0.5 * i} for i in range(4)]
    state = {
        "path": Path(f"runs/{config.loss}-{config.batch_size}-{seed}"),
        "config": config.evolve(f"seed={seed}"),
        "provenance": MACHINE,
        "images_seen": 480,
        "seconds": 10.0 + seed,
        "records": tuple(records + steps),
    }
    return RunState(seed=seed, status=status, **(state | fields))


@pytest.fixture
def asked(config) -> Callable[..., tuple[list[Group], dict[Path, Any]]]:
    """Groups and evaluations; each keyword is a variant with its scores, None for diverged."""

    def make(**scores: list[float | None]) -> tuple[list[Group], dict[Path, Any]]:
        groups, evaluations = [], {}
        for size, (label, values) in enumerate(scores.items(), 8):
            runs = []
            for seed, value in enumerate(values):
                status = "diverged" if value is None else "done"
                runs.append(run(config(f"batch_size={size}"), seed, status))
                if value is not None:
                    evaluations[runs[-1].path] = {"scores": {FD: {"value": value}}}
            groups.append(Group(label=label, runs=tuple(runs)))
        return groups, evaluations

    return make


def words(asked: Any, **scores: Any) -> dict[str, str]:
    return {row.label: row.verdict for row in variant_results(*asked(**scores))}


# ---- verdicts


def test_a_clear_difference_over_eight_seeds(asked) -> None:
    noise = [0.01, -0.02, 0.03, 0.0, 0.02, -0.01, 0.015, -0.03]
    found = words(asked, a=[1 + x for x in noise], b=[0.5 - x for x in noise])
    assert found["a"] == "The others are compared with it."
    assert found["b"].startswith(f"{FD} is lower than with a by 0.504 (-0.5")
    assert found["b"].endswith("in both tests, with 8 seeds.")
    back = words(asked, b=[0.5 - x for x in noise], a=[1 + x for x in noise])
    assert back["a"].startswith(f"{FD} is higher than with b by 0.504 (0.4")


def test_five_seeds_are_too_few_for_the_sign_flip_test(asked) -> None:
    noise = [0.01, -0.02, 0.03, 0.0, 0.02]
    found = words(asked, a=[1 + x for x in noise], b=[0.5 - x for x in noise])
    assert found["b"].endswith(
        "in the t test alone: 5 seeds are too few for the sign-flip test to confirm it."
    )


def test_what_chance_could_have_made_is_not_claimed(asked) -> None:
    found = words(asked, a=[1.0, 1.2, 0.9, 1.1, 1.0], b=[0.9, 1.3, 0.7, 1.2, 0.95])
    assert found["b"].startswith(f"Not distinguishable from a with 5 seeds: {FD} differs by -0.")
    assert " to 0." in found["b"]


def test_looking_at_several_variants_needs_more(asked) -> None:
    """A difference that a pair alone would show is lost among many looks at once."""
    first = [1.0, 1.1, 0.9, 1.05, 0.95, 1.0]
    lower = [0.78, 1.0, 0.72, 1.0, 0.86, 0.8]
    alone = words(asked, a=first, b=lower)["b"]
    assert "in both tests" in alone
    same = {name: [x + (-1) ** i * 0.1 for i, x in enumerate(first)] for name in "cde"}
    among = words(asked, a=first, b=lower, **same)["b"]
    assert "Not distinguishable" in among or "t test alone" in among


def test_one_seed_says_nothing(asked) -> None:
    groups, evaluations = asked(a=[1.0], b=[0.1])
    result = summarize(groups, evaluations, (), None)
    assert "chance cannot be told from effect" in result.verdicts[1]
    assert "One seed only, so no interval and no test: a; b." in result.notes
    _, (first, second) = result.table
    assert (first[2], second[2]) == ("1", "0.1")
    assert second[3:5] == ["-", "-"]


def test_diverged_runs_are_counted_and_left_out(asked) -> None:
    rows = variant_results(*asked(a=[1.0, 1.1, 1.2], b=[2.0, None, 2.3], c=[None, None, None]))
    assert [(row.seeds, row.diverged) for row in rows] == [
        ((0, 1, 2), ()),
        ((0, 2), (1,)),
        ((), (0, 1, 2)),
    ]
    assert rows[1].differences[FD].seeds == (0, 2)
    assert rows[1].differences[FD].test.mean.value == pytest.approx(1.05)
    assert rows[1].verdict.endswith("1 of 3 runs diverged; no score counts them.")
    assert rows[2].verdict.startswith("No run reached the end of its budget.")
    assert rows[2].scores == {FD: None}
    assert table(rows, GanTask())[1][2][:3] == ["c", "0 (3 diverged)", "-"]


def test_equal_differences_are_left_to_the_sign_flip_test(asked) -> None:
    found = words(asked, a=[1.0, 2.0, 3.0], b=[0.5, 1.5, 2.5])
    assert "Not distinguishable" in found["b"]
    many = words(asked, a=[float(i) for i in range(8)], b=[i - 0.5 for i in range(8)])
    assert "in the sign-flip test, with 8 seeds" in many["b"]


def test_seeds_that_are_not_shared_are_not_paired(config) -> None:
    groups = [
        Group(label="a", runs=(run(config("batch_size=8"), 0), run(config("batch_size=8"), 1))),
        Group(label="b", runs=(run(config("batch_size=9"), 5), run(config("batch_size=9"), 6))),
    ]
    evaluations = {each.path: {"scores": {FD: {"value": 1.0}}} for g in groups for each in g.runs}
    rows = variant_results(groups, evaluations)
    assert rows[1].differences == {FD: None}
    assert rows[1].verdict == "No seed in common with the first, so nothing can be paired."


def test_every_metric_has_its_own_columns(asked) -> None:
    groups, evaluations = asked(a=[1.0, 1.2], b=[0.5, 0.9])
    for seed, path in enumerate(evaluations):
        evaluations[path]["scores"]["recall"] = {"value": 0.1 * seed}
    headers, rows = table(variant_results(groups, evaluations), GanTask())
    assert headers[2:8] == [
        *(FD, "difference", "p: t, sign-flip"),
        *("recall", "difference", "p: t, sign-flip"),
    ]
    assert all(len(row) == len(headers) for row in rows)
    assert rows[1][3].startswith("-0.4 (")
    assert rows[1][6] == "0.2"  # the same with both seeds, of which no test can tell anything
    evaluations[next(iter(evaluations))]["scores"].pop("recall")
    evaluations[list(evaluations)[1]]["scores"].pop("recall")
    with pytest.raises(ConfigError, match="measured by different metrics"):
        variant_results(groups, evaluations)


def test_costs_are_in_the_table(asked) -> None:
    rows = variant_results(*asked(a=[1.0, 1.2], b=[0.5, 0.9]))
    headers, cells = table(rows, GanTask())
    shown = dict(zip(headers, cells[0], strict=True))
    costs = rows[0].costs
    assert shown["parameters G + D"] == (
        f"{costs.generator_parameters:,} + {costs.discriminator_parameters:,}"
    )
    assert shown["KV bytes G + D"] == "-"
    assert shown["ms/step"] == "25"  # 160 images in 0.5 s, 8 a step
    assert shown["s/run"] == "10.5"
    assert shown["images"] == "480"
    assert float(shown["GFLOP/step"]) == pytest.approx(costs.flops_per_step / 1e9, rel=0.01)
    assert verdicts(rows)[1].startswith("b: ")


# ---- grouping


def test_runs_are_grouped_by_all_but_the_seed(config) -> None:
    runs = [run(config(f"batch_size={size}"), seed) for seed in (1, 0) for size in (8, 9)]
    groups = grouped(runs)
    assert [group.label for group in groups] == ["batch_size=8", "batch_size=9"]
    assert [[each.seed for each in group.runs] for group in groups] == [[0, 1], [0, 1]]
    bookkeeping = run(config("batch_size=8", "checkpoint_every_s=3"), 2)
    assert len(grouped([*runs, bookkeeping])) == 2


def test_many_differences_are_named_by_the_folder(config) -> None:
    other = config("batch_size=9", "loss=hinge", "penalty.gamma_end=1", "penalty.gamma_start=2")
    assert [group.label for group in grouped([run(config(), 0), run(other, 3)])] == [
        "relativistic-16",
        "hinge-9",
    ]


def test_the_same_seed_twice_is_refused(config) -> None:
    with pytest.raises(ConfigError, match="the same settings and the same seed 0"):
        grouped([run(config(), 0), run(config(), 0, path=Path("runs/copy"))])


def test_runs_on_different_data_are_refused(config) -> None:
    other = run(config(), 1, provenance=MACHINE | {"data_fingerprint": "xyz"})
    with pytest.raises(DataError, match=r"fingerprint abc.*fingerprint xyz.*cannot be compared"):
        refuse_mixed_data([run(config(), 0), other])


def test_different_machines_are_said(config) -> None:
    other = run(config(), 1, provenance=MACHINE | {"threads": 4})
    assert machine_notes([run(config(), 0), run(config(), 1)]) == ()
    (note,) = machine_notes([run(config(), 0), other])
    assert note == "The runs differ in threads (1, 4), so their times are not comparable."


# ---- what is written


def test_the_result_is_plain_json_with_every_run(asked, tmp_path: Path) -> None:
    groups, evaluations = asked(a=[1.0, 1.1, 1.2], b=[2.0, None, 2.3])
    result = summarize(groups, evaluations, ("Note.",), tmp_path / "out")
    assert result.status == "done"
    assert result.reason == "Done: 6 runs of 2 variants; 1 of them diverged."
    stored = json.loads((tmp_path / "out" / "result.json").read_text())
    assert stored == json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert stored["notes"] == ["Note."]
    assert stored["variants"][1]["values"] == {FD: {"0": 2.0, "2": 2.3}}
    assert stored["variants"][1]["differences"][FD]["test"]["sign_flip"] == 0.5
    runs = stored["runs"]
    assert [(each["variant"], each["seed"], each["status"]) for each in runs][3:5] == [
        ("b", 0, "done"),
        ("b", 1, "diverged"),
    ]
    assert all(each["provenance"] == MACHINE for each in runs)
    assert runs[0]["evaluation"] == {"scores": {FD: {"value": 1.0}}}
    assert runs[4]["evaluation"] is None
    picture = (tmp_path / "out" / "comparison.png").read_bytes()
    assert picture == result._repr_png_()


def test_all_diverged_is_a_failure(asked) -> None:
    groups, evaluations = asked(a=[None], b=[None])
    result = summarize(groups, evaluations, (), None)
    assert result.status == "diverged"
    assert [row[:2] for row in result.table[1]] == [
        ["a", "0 (1 diverged)"],
        ["b", "0 (1 diverged)"],
    ]


def colours_in(content: bytes) -> set[tuple[int, ...]]:
    with Image.open(io.BytesIO(content)) as image:
        return set(map(tuple, np.asarray(image.convert("RGB")).reshape(-1, 3).tolist()))


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def test_every_variant_has_its_colour_in_the_picture(asked) -> None:
    groups, evaluations = asked(a=[1.0, 1.1], b=[2.0, 2.3])
    rows = variant_results(groups, evaluations)
    found = colours_in(plot.picture(groups, rows))
    assert rgb(plot.COLOURS[0]) in found
    assert rgb(plot.COLOURS[1]) in found
    assert rgb(plot.COLOURS[2]) not in found
    assert plot.picture(groups, rows) == plot.picture(groups, rows)


def test_a_diverged_run_is_marked(asked) -> None:
    groups, evaluations = asked(a=[1.0, 1.1, 1.2])
    rows = variant_results(groups, evaluations)
    broken = RunState(**(vars(groups[0].runs[0]) | {"status": "diverged"}))
    marked = [Group(label="a", runs=(broken, *groups[0].runs[1:]))]
    assert plot.picture(marked, rows) != plot.picture(groups, rows)


def test_more_variants_than_colours_can_be_drawn(asked) -> None:
    groups, evaluations = asked(**{f"v{index}": [1.0 + index, None] for index in range(10)})
    assert plot._style(0) != plot._style(8)
    assert plot.picture(groups, variant_results(groups, evaluations)).startswith(b"\x89PNG")


def test_runs_without_scores_on_the_way_can_be_drawn(asked) -> None:
    groups, evaluations = asked(a=[1.0, 1.1])
    bare = [Group(label=g.label, runs=tuple(_bare(each) for each in g.runs)) for g in groups]
    picture = plot.picture(bare, variant_results(groups, evaluations))
    assert picture != plot.picture(groups, variant_results(groups, evaluations))


def _bare(state: RunState) -> RunState:
    return RunState(**(vars(state) | {"records": ()}))


def test_a_curve_is_read_from_the_scores_of_a_run(config) -> None:
    images, seconds, scores = plot.curve_of(run(config(), 0).records)
    assert images.tolist() == [100, 200, 400]
    assert seconds.tolist() == [1, 2, 4]
    assert scores.tolist() == [8, 4, 2]
    assert [part.tolist() for part in plot.curve_of([])] == [[], [], []]


def test_rows_know_their_means(asked) -> None:
    rows: tuple[VariantResult, ...] = variant_results(*asked(a=[1.0, 2.0, 3.0]))
    mean = rows[0].scores[FD]
    assert (mean.value, mean.n) == (2.0, 3)
    assert rows[0].verdict == ""
    assert summary.Comparison(status="planned", reason="").table == ([], [])


# ---- one correction for p values, verdicts and intervals


def test_both_p_values_are_those_of_holm(asked) -> None:
    first = [1.0, 1.1, 0.9, 1.05, 0.95, 1.0, 1.2]
    others = {
        "b": [0.78, 1.0, 0.72, 1.0, 0.86, 0.8, 1.0],
        "c": [0.9, 1.0, 0.95, 0.9, 0.9, 1.1, 1.05],
        "d": [1.1, 1.0, 1.0, 1.1, 0.9, 1.0, 1.1],
    }
    t = {name: stats.ttest_rel(values, first).pvalue for name, values in others.items()}
    ranked = sorted(t, key=t.__getitem__)
    steps = [3 * t[ranked[0]], 2 * t[ranked[1]], t[ranked[2]]]
    expected = dict(zip(ranked, np.maximum.accumulate(np.minimum(steps, 1)), strict=True))
    rows = variant_results(*asked(a=first, **others))
    for row in rows[1:]:
        found = row.differences[FD]
        assert found.t == pytest.approx(expected[row.label], rel=1e-9)
        assert found.test.t == pytest.approx(t[row.label], rel=1e-9)
        assert found.sign_flip >= found.test.sign_flip


def test_an_interval_leaves_out_zero_just_where_a_difference_is_claimed(asked) -> None:
    """Of a difference that is clear alone and lost among several looks, both change."""
    first = [1.0, 1.1, 0.9, 1.05, 0.95, 1.0]
    lower = [0.78, 1.05, 0.82, 1.02, 0.86, 0.9]
    same = {name: [x + (-1) ** i * 0.1 for i, x in enumerate(first)] for name in "cde"}
    for others, is_claimed in (({}, True), (same, False)):
        row = variant_results(*asked(a=first, b=lower, **others))[1]
        found = row.differences[FD]
        assert (found.low < found.high < 0) == is_claimed
        assert ("Not distinguishable" in row.verdict) != is_claimed
        assert f"{found.low:.3g} to {found.high:.3g}" in row.verdict
        headers, cells = table(variant_results(*asked(a=first, b=lower, **others)), GanTask())
        assert f"({found.low:.3g} to {found.high:.3g})" in cells[1][headers.index("difference")]
        assert found.t_confidence == pytest.approx(0.95 if is_claimed else 1 - 0.05 / 4)


def test_scores_stay_where_they_can_lie(asked) -> None:
    groups, evaluations = asked(a=[1.0, 6.0], b=[0.5, 0.9])
    for seed, path in enumerate(evaluations):
        evaluations[path]["scores"]["recall"] = {"value": [1.0, 0.9, 0.1, 0.6][seed]}
        evaluations[path]["scores"]["modes"] = {"value": 999.0 - 90 * seed}
        evaluations[path]["scores"]["class-kl"] = {"value": 0.01 - 0.002 * seed}
        evaluations[path]["scores"]["kd[x]"] = {"value": 0.01 - 0.02 * seed}
        evaluations[path]["scores"]["home-made"] = {"value": 0.01 - 0.02 * seed}
    row = variant_results(groups, evaluations)[0]
    assert 0 < row.scores[FD].low < row.scores[FD].high < math.inf
    assert 0 < row.scores["recall"].low < 0.95 < row.scores["recall"].high < 1
    assert 0 < row.scores["modes"].low < row.scores["modes"].high < 1000
    assert row.scores["class-kl"].low == 0
    assert row.scores["kd[x]"].low == 0
    assert row.scores["home-made"].low < 0
    found = variant_results(groups, evaluations)[1].differences
    assert found["recall"].low == -1
    assert found["recall"].high == 1


def test_equal_scores_are_called_the_same(asked) -> None:
    rows = variant_results(*asked(a=[1.0, 1.2, 1.1], b=[1.0, 1.2, 1.1]))
    assert rows[1].verdict == (
        f"Not distinguishable from a with 3 seeds: {FD} is the same each time."
    )
    assert table(rows, GanTask())[1][1][3:5] == ["0 (0 to 0)", "1.000, 1.000"]


def test_the_same_difference_each_time_is_no_proof(asked) -> None:
    rows = variant_results(*asked(a=[1.0, 2.0, 3.0], b=[0.5, 1.5, 2.5]))
    assert rows[1].verdict == (
        f"Not distinguishable from a with 3 seeds: {FD} differs by -0.5 each time, and 3 seeds "
        "are too few for the sign-flip test to tell it from chance."
    )
    assert rows[1].differences[FD].low is None


def test_a_score_that_is_no_number_is_left_out_and_said(asked) -> None:
    groups, evaluations = asked(a=[1.0, 1.1, 1.2], b=[2.0, 2.2, 2.3])
    path = groups[1].runs[1].path
    evaluations[path]["scores"][FD]["value"] = None
    result = summarize(groups, evaluations, (), None)
    assert f"The {FD} of {path} is not a finite number, so it is left out." in result.notes
    assert result.variants[1].values == {FD: {0: 2.0, 2: 2.3}}
    assert result.variants[1].differences[FD].seeds == (0, 2)
    json.dumps(result.to_dict(), allow_nan=False)
    for each in evaluations.values():
        each["scores"][FD]["value"] = None
    nothing = summarize(groups, evaluations, (), None)
    assert [row.scores for row in nothing.variants] == [{FD: None}, {FD: None}]
    assert len(nothing.table[1]) == 2


def test_one_seed_against_many(asked) -> None:
    groups, evaluations = asked(a=[1.0], b=[2.0, 2.2, 2.3])
    result = summarize(groups, evaluations, (), None)
    assert "One seed only, so no interval and no test: a." in result.notes
    assert "One seed in common with the first" in result.verdicts[1]
    assert result.variants[1].scores[FD].low is not None
