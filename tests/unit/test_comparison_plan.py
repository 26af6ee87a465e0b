"""The plan: which variants, in which order, under which names, with how many parameters."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orthogan.errors import ConfigError, ResumeError
from orthogan.experiments.matching import count_parameters, matched
from orthogan.experiments.plan import Plan, make_plan, run_name
from orthogan.experiments.record import read_plan, write_plan
from orthogan.experiments.spec import ExperimentSpec
from orthogan.experiments.trials import MISSING, RunState, seconds_left
from orthogan.experiments.variants import checked_vary, parse_vary


@pytest.fixture
def planned(tiny_file: Path, tiny_settings, tmp_path: Path):
    """A plan on tiny data; any field of the spec can be given."""

    def make(vary: dict[str, Any], **fields: Any) -> Plan:
        model = fields.get("model", "attention-gan")
        spec = ExperimentSpec(
            vary=checked_vary(vary),
            seeds=fields.pop("seeds", (0, 1)),
            source=fields.pop("source", str(tiny_file)),
            settings=(*tiny_settings(model), *fields.pop("more", ())),
            **({"images": 320} | fields),
        )
        return make_plan(spec, tmp_path / "out", "float32")

    return make


def test_values_may_hold_commas_inside_brackets() -> None:
    assert parse_vary(["a.b=1, 2", "c=[1, 2],{x: [3, 4]}"]) == {
        "a.b": ("1", "2"),
        "c": ("[1, 2]", "{x: [3, 4]}"),
    }


def test_values_from_python_are_what_set_reads() -> None:
    assert checked_vary({"a": [1, 2.5], "b": [None, True, "x"]}) == {
        "a": ("1", "2.5"),
        "b": ("null", "true", "x"),
    }


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["generator.score"], r"Expected --vary KEY=a,b,c, got 'generator\.score'"),
        (["=1,2"], "Expected --vary KEY=a,b,c"),
        (["a=1,2", "a=3,4"], "'a' is varied twice"),
        ([], "Nothing is varied; give --vary KEY=a,b"),
        (["a="], "'a' has an empty value"),
        (["a=1,,2"], "'a' has an empty value"),
        (["a=1"], "'a' has 1 value to compare; give at least two"),
        (["a=1,2,1"], "'a' has the value 1 twice"),
        (["seed=1,2"], "'seed' cannot be varied: seeds are given by --seeds"),
        (["budget.images=1,2"], "every variant gets the same budget"),
        (["data.source=a,b"], "different data cannot be compared"),
    ],
)
def test_what_cannot_be_varied(words: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        checked_vary(parse_vary(words))


def test_seeds_interleave_and_turn(planned) -> None:
    plan = planned({"generator.score": ["softmax", "cosine"]}, seeds=(4, 7, 9))
    order = [(trial.variant.config.generator.score, trial.seed) for trial in plan.trials]
    assert order == [
        *(("softmax", 4), ("cosine", 4)),
        *(("cosine", 7), ("softmax", 7)),
        *(("softmax", 9), ("cosine", 9)),
    ]


def test_every_combination_is_a_variant(planned) -> None:
    plan = planned({"generator.score": ["softmax", "cosine"], "batch_size": [8, 16]})
    assert [variant.label for variant in plan.variants] == [
        "generator.score=softmax, batch_size=8",
        "generator.score=softmax, batch_size=16",
        "generator.score=cosine, batch_size=8",
        "generator.score=cosine, batch_size=16",
    ]
    assert [variant.config.batch_size for variant in plan.variants] == [8, 16, 8, 16]


def test_keys_and_positions_can_vary(planned) -> None:
    keys = ["learned", "values", "queries", "identity", "whitened", "dual"]
    plan = planned({"discriminator.keys": keys})
    assert [variant.config.discriminator.keys for variant in plan.variants] == keys
    injections = ["add", "concatenate", "rotate", "untied", "orthogonal"]
    plan = planned(
        {"generator.position_mode": injections}, more=("generator.positions=sinusoidal",)
    )
    assert [variant.config.generator.position_mode for variant in plan.variants] == injections
    plan = planned(
        {"generator.key_size": [None, 4], "generator.initialization": ["standard", "mimetic"]}
    )
    assert plan.variants[3].config.generator.key_size == 4
    reason = r"generator.keys=dual: .*Dual keys .* the score 'cosine' measures"
    with pytest.raises(ConfigError, match=reason):
        planned({"generator.keys": ["learned", "dual"]})


def test_the_recipe_can_vary(planned) -> None:
    plan = planned({"model": ["attention-gan", "faithful"]})
    assert [variant.config.loss for variant in plan.variants] == ["relativistic", "non-saturating"]
    assert [plan.request(trial)["model"] for trial in plan.trials[:2]] == [
        "attention-gan",
        "faithful",
    ]


def test_folders_are_named_by_what_varies(planned) -> None:
    plan = planned({"batch_size": [8, 16]})
    names = [trial.path.name for trial in plan.trials[:2]]
    assert names == ["batch_size=8-seed0", "batch_size=16-seed0"]
    first, second = run_name("a=x/y", 0), run_name("a=x-y", 0)
    assert first != second
    assert "/" not in first
    long = "a=" + 300 * "x"
    assert len(run_name(long, 0)) < 120
    assert run_name(long, 0) != run_name(f"{long}y", 0)


def test_commands_say_all_that_was_asked(planned, tiny_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "more settings.toml"
    file.write_text("escape_attempts = 2")
    plan = planned(
        {"generator.score": ["softmax", "cosine"]},
        model="faithful",
        images=None,
        minutes=1.5,
        size=20,
        device="cpu",
        threads=1,
        config=file,
        seeds=(3,),
    )
    words = shlex.split(plan.commands()[1])
    assert words[:3] == ["orthogan", "train", str(tiny_file)]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    folder = tmp_path / "out" / "generator.score=cosine-seed3"
    assert options | {"--set": None} == {
        "--model": "faithful",
        "--for": "90s",
        "--size": "20",
        "--device": "cpu",
        "--threads": "1",
        "--config": str(file),
        "--seed": "3",
        "--run": str(folder),
        "--set": None,
    }
    assert words[-4:] == ["--set", "generator.score=cosine", "--set", "precision=float32"]
    config = plan.variants[1].config
    assert (config.escape_attempts, config.generator.size, config.budget.seconds) == (2, 20, 90.0)


def test_a_source_is_never_taken_for_an_option(
    planned, tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(tiny_file, "-odd data.npz")
    plan = planned({"batch_size": [8, 16]}, source="-odd data.npz")
    assert plan.commands()[0].startswith("orthogan train './-odd data.npz' ")


def test_commands_for_a_budget_in_images(planned) -> None:
    words = shlex.split(planned({"batch_size": [8, 16]}).commands()[0])
    assert words[words.index("--images") + 1] == "320"
    assert not {"--for", "--device", "--threads", "--size", "--config"} & set(words)


def test_a_precision_that_is_asked_for_stays(planned) -> None:
    plan = planned({"precision": ["float32", "bfloat16"]})
    assert [variant.config.precision for variant in plan.variants] == ["float32", "bfloat16"]
    plan = planned({"batch_size": [8, 16]}, more=["precision=bfloat16"])
    assert {variant.config.precision for variant in plan.variants} == {"bfloat16"}


@pytest.mark.parametrize(
    ("vary", "fields", "sentence"),
    [
        ({"generator.scor": ["a", "b"]}, {}, "Did you mean 'generator.score'"),
        ({"generator.width": [8, "wide"]}, {}, r"^generator\.width=wide: .*width"),
        ({"generator.score": ["softmax", "cosin"]}, {}, r"score=cosin: .*Did you mean 'cosine'"),
        ({"generator.width": [8, 9]}, {}, r"^generator\.width=9: .*multiple of heads"),
        ({"model": ["attention-gan", "atention"]}, {}, "Did you mean 'attention-gan'"),
        ({"batch_size": ["16", "16.0"]}, {}, "come to the same settings"),
        ({"batch_size": [8, 16]}, {"seeds": ()}, "At least one seed"),
        ({"batch_size": [8, 16]}, {"seeds": (3, 3)}, "Seed 3 is given twice"),
        ({"batch_size": [8, 16]}, {"seeds": (-1,)}, "seed"),
        ({"batch_size": [8, 16]}, {"more": ["seed=4"]}, "seeds are given by --seeds"),
        ({"batch_size": [8, 16]}, {"minutes": 1.0}, "exclude one another"),
    ],
)
def test_impossible_questions(planned, vary, fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        planned(vary, **fields)


# ---- equal parameters


def test_a_width_is_moved_until_the_counts_agree(planned) -> None:
    vary, wide = {"generator.blocks": [1, 3]}, ["generator.hidden=64"]
    plan = planned(vary, match=("generator.hidden",), more=wide)
    first, second = (count_parameters(variant.config, "generator") for variant in plan.variants)
    assert abs(second / first - 1) <= 0.02
    hidden = plan.variants[1].config.generator.hidden
    assert hidden < 64
    assert plan.variants[0].config.generator.hidden == 64
    assert f"generator.hidden={hidden}" in plan.variants[1].settings
    assert f"--set generator.hidden={hidden}" in plan.commands()[1]
    (note,) = plan.notes
    assert note.startswith(f"generator.blocks=3: generator.hidden 64 -> {hidden}, so that the gen")
    assert f"{second:,} parameters" in note
    unmatched = planned(vary, more=wide)
    assert unmatched.notes == ()
    counts = [count_parameters(variant.config, "generator") for variant in unmatched.variants]
    assert counts[1] > 1.05 * counts[0]


def test_what_stays_different_is_said(planned) -> None:
    vary = {"discriminator.blocks": [1, 2]}
    (note,) = planned(vary, match=("generator.width",)).notes
    assert note.startswith("The discriminators still differ, from ")
    assert "--match discriminator.width" in note
    both = planned(vary, match=("generator.width", "discriminator.hidden"))
    counts = [count_parameters(variant.config, "discriminator") for variant in both.variants]
    assert abs(counts[1] / counts[0] - 1) <= 0.02
    assert "still differ" not in " ".join(both.notes)


def test_the_nearest_width_is_found(planned) -> None:
    config = planned({"batch_size": [8, 16]}).variants[0].config
    counts = {
        width: count_parameters(config.evolve(f"generator.width={width}"), "generator")
        for width in range(2, 60, 2)
    }
    for width, count in counts.items():
        assert matched(config, "generator.width", count) == width
        assert matched(config, "generator.width", count + 3) == width


@pytest.mark.parametrize(
    ("key", "target", "sentence"),
    [
        ("generator.width", 1, "within 2% of 1 parameters; the nearest is generator.width=2 with"),
        ("generator.wdth", 5000, "Did you mean 'generator.width'"),
        ("generator.score", 5000, "whole-number setting; generator.score is 'cosine'"),
        ("batch_size", 5000, "a width of a network, such as generator.width, got 'batch_size'"),
        ("generator.heads", 10**9, "does not bring more parameters; match another width"),
    ],
)
def test_widths_that_cannot_match(planned, key: str, target: int, sentence: str) -> None:
    config = planned({"batch_size": [8, 16]}).variants[0].config
    with pytest.raises(ConfigError, match=sentence):
        matched(config, key, target)


def test_a_varied_width_cannot_be_matched(planned) -> None:
    with pytest.raises(ConfigError, match=r"'generator\.width' is varied, so it cannot be matched"):
        planned({"generator.width": [8, 16]}, match=("generator.width",))


# ---- what is written down


def test_a_folder_answers_one_question(planned) -> None:
    plan = planned({"batch_size": [8, 16]})
    assert write_plan(plan, "float32") == ()
    assert write_plan(plan, "float32") == ()
    stored = read_plan(plan.out)
    assert stored["precision"] == "float32"
    assert stored["runs"][:2] == ["batch_size=8-seed0", "batch_size=8-seed1"]
    with pytest.raises(ResumeError, match="compares batch_size=8; batch_size=16, not batch_size=8"):
        write_plan(planned({"batch_size": [8, 32]}), "float32")
    with pytest.raises(ResumeError, match=r"budget\.images was 320, here 640\. Choose another"):
        write_plan(planned({"batch_size": [8, 16]}, images=640), "float32")
    assert read_plan(plan.out) == stored


def test_seeds_may_be_added_and_that_is_said(planned) -> None:
    vary = {"batch_size": [8, 16]}
    write_plan(planned(vary), "float32")
    (note,) = write_plan(planned(vary, seeds=(0, 1, 2, 3)), "float32")
    assert note.startswith("This was asked with 2 and 4 seeds: seeds added after a look")
    assert len(read_plan(planned(vary).out)["runs"]) == 8


def test_other_folders_are_left_alone(planned) -> None:
    plan = planned({"batch_size": [8, 16]})
    plan.out.mkdir()
    (plan.out / "thesis.txt").write_text("mine")
    with pytest.raises(ResumeError, match=r"not empty \(it holds thesis\.txt\)"):
        write_plan(plan, "float32")
    file = replace(plan, out=plan.out / "thesis.txt")
    with pytest.raises(ResumeError, match="is a file, not a folder"):
        write_plan(file, "float32")
    (plan.out / "plan.json").write_text("{}")
    with pytest.raises(ResumeError, match="is not the plan of a comparison"):
        write_plan(plan, "float32")
    (plan.out / "plan.json").write_text("{")
    with pytest.raises(ResumeError, match="not valid JSON"):
        write_plan(plan, "float32")


# ---- time left


def _states(plan: Plan, *seconds: float | None) -> list[RunState]:
    """Runs done in so many seconds, None for those that are not started."""
    return [
        RunState(
            path=trial.path,
            seed=trial.seed,
            status=MISSING if time is None else "done",
            seconds=time or 0.0,
        )
        for trial, time in zip(plan.trials, seconds, strict=True)
    ]


def test_the_time_left_of_a_budget_in_seconds(planned) -> None:
    plan = planned({"batch_size": [8, 16]}, images=None, minutes=2.0)
    assert seconds_left(plan, _states(plan, None, None, None, None)) == 480
    states = _states(plan, 120.0, None, None, None)
    states[1] = replace(states[1], status="interrupted", seconds=50.0)
    assert seconds_left(plan, states) == 70 + 240


def test_the_time_left_of_a_budget_in_images(planned) -> None:
    plan = planned({"batch_size": [8, 16]})
    assert seconds_left(plan, _states(plan, None, None, None, None)) is None
    assert seconds_left(plan, _states(plan, 10.0, None, None, None)) == 30
    # The third run is of the second variant, the fourth of the first.
    assert seconds_left(plan, _states(plan, 10.0, 30.0, None, None)) == 40
    assert seconds_left(plan, _states(plan, 10.0, 30.0, 32.0, None)) == 10
    assert seconds_left(plan, _states(plan, 1.0, 1.0, 1.0, 1.0)) == 0
