"""What the tasks know of their runs, and which variants of a plan have a meaning."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orthogan.classification import ClassificationConfig
from orthogan.errors import BundleError, ConfigError, DataError
from orthogan.experiments import plot
from orthogan.experiments.classify_task import ClassifyTask
from orthogan.experiments.groups import refuse_mixed_data, shared_task, split_notes
from orthogan.experiments.language_task import LanguageTask
from orthogan.experiments.matching import count_parameters
from orthogan.experiments.plan import Plan, make_plan
from orthogan.experiments.results import variant_results
from orthogan.experiments.scores import Measure
from orthogan.experiments.spec import ExperimentSpec
from orthogan.experiments.table import table
from orthogan.experiments.task import COMPARED, RunConfig, task_of, task_of_record
from orthogan.experiments.trials import Group, RunState
from orthogan.experiments.variants import checked_vary
from orthogan.gan.config import TrainingConfig
from orthogan.language import LanguageConfig

CONFIGS = {"gan": TrainingConfig, "classify": ClassificationConfig, "language": LanguageConfig}
RHYME = "the cat sat on the mat and the dog sat on the log\n" * 40
LANGUAGE = ("network.width=8", "network.heads=2", "network.blocks=1", "network.context=8")


@pytest.fixture
def planned(tiny_file: Path, tmp_path: Path, tiny_settings, tiny_classifier):
    """A plan of a task on tiny data; any field of the question can be given."""
    text = tmp_path / "rhyme.txt"
    text.write_text(RHYME)
    usual: dict[str, dict[str, Any]] = {
        "gan": {"source": str(tiny_file), "images": 320, "settings": tiny_settings()},
        "classify": {"source": str(tiny_file), "images": 320, "settings": tiny_classifier},
        "language": {"source": str(text), "tokens": 64, "settings": LANGUAGE},
    }

    def make(task: str, vary: dict[str, Any], *more: str, **fields: Any) -> Plan:
        given = {"seeds": (0, 1)} | usual[task] | fields
        given["settings"] = (*given["settings"], *more)
        spec = ExperimentSpec(task=task, vary=checked_vary(vary), **given)
        return make_plan(spec, tmp_path / "out", "float32")

    return make


def labels(plan: Plan) -> list[str]:
    return [variant.label for variant in plan.variants]


def test_every_task_knows_its_runs() -> None:
    assert sorted(COMPARED) == sorted(CONFIGS)
    for name, config in CONFIGS.items():
        assert task_of(config()).name == name
        assert task_of_record({"task": name, "config": config().to_dict()}).name == name


def test_a_step_of_a_language_model_shows_tokens() -> None:
    config = LanguageConfig().evolve("batch_size=3", "network.context=5")
    assert LanguageTask().step_size(config) == 15
    assert ClassifyTask().step_size(ClassificationConfig().evolve("batch_size=3")) == 3


def test_commands_of_classifiers_and_language_models(planned) -> None:
    commands = planned("classify", {"network.blocks": [1, 2]}, minutes=1.0, images=None, size=16)
    first = commands.commands()[0].split()
    assert first[:2] == ["orthogan", "classify"]
    assert first[first.index("--for") + 1] == "60s"
    assert first[first.index("--size") + 1] == "16"
    commands = planned("language", {"network.blocks": [1, 2]}, device="cpu", threads=1)
    first = commands.commands()[0].split()
    assert first[:2] == ["orthogan", "language"]
    assert first[3:9] == ["--tokens", "64", "--device", "cpu", "--threads", "1"]
    assert first[-4:] == ["--set", "network.blocks=1", "--set", "precision=float32"]


@pytest.mark.parametrize("task", ["classify", "language"])
def test_a_network_is_matched_like_a_player(planned, task: str) -> None:
    key = "network.width"
    fine = (f"{key}=64", "network.heads=1", "network.positions=learned")  # any width will do
    plan = planned(task, {"network.blocks": [1, 2]}, *fine, match=(key,))
    first, second = (count_parameters(variant.config, "network") for variant in plan.variants)
    assert abs(second / first - 1) <= 0.02
    (note,) = plan.notes
    assert note.startswith("network.blocks=2: network.width 64 -> ")
    assert "so that the network has " in note


# ---- variants without a meaning


@pytest.mark.parametrize(
    ("task", "vary", "more", "kept", "reason"),
    [
        ("gan", {"generator.width": [8, 9, 16]}, (), [0, 2], "multiple of heads"),
        (
            "gan",
            {"generator.keys": ["dual", "learned", "values"]},
            (),
            [1, 2],
            "Dual keys live in the dual space",
        ),
        (
            "language",
            {"network.keys": ["learned", "whitened", "values"]},
            (),
            [0, 2],
            "whitened keys are fitted to fixed tokens",
        ),
        (
            "language",
            {"network.context": [8, 16, 8_000]},
            (),
            [0, 1],
            "too few for network.context=8000",
        ),
    ],
)
def test_a_variant_without_a_meaning_is_left_out(
    planned, task: str, vary: dict[str, Any], more, kept: list[int], reason: str
) -> None:
    plan = planned(task, vary, *more)
    ((key, values),) = vary.items()
    assert labels(plan) == [f"{key}={values[index]}" for index in kept]
    (note,) = plan.notes
    (lost,) = set(range(3)) - set(kept)
    assert note.startswith(f"{key}={values[lost]} is left out: ")
    assert reason in note


@pytest.mark.parametrize("task", ["gan", "classify"])
def test_keys_that_meet_too_few_tokens_are_left_out(
    planned, tiny_file: Path, tmp_path: Path, task: str
) -> None:
    """That is found out before anything is trained, with the first images of the run."""
    few = tmp_path / "few.npz"
    with np.load(tiny_file) as stored:
        np.savez(few, **{name: stored[name][:16] for name in stored})
    network = "generator" if task == "gan" else "network"
    wide = (f"{network}.width=320", f"{network}.heads=1")
    vary = {f"{network}.keys": ["learned", "values", "whitened"]}
    plan = planned(task, vary, *wide, source=str(few))
    assert labels(plan) == [f"{network}.keys=learned", f"{network}.keys=values"]
    assert plan.notes[0].startswith(f"{network}.keys=whitened is left out: ")
    assert "tokens" in plan.notes[0]


@pytest.mark.parametrize(
    ("vary", "reason"),
    [
        ({"generator.width": [8, 16, "wide"]}, r"^generator\.width=wide: "),
        ({"generator.width": [8, 16, 0]}, r"^generator\.width=0: "),
        ({"generator.score": ["softmax", "none", "cosin"]}, "Did you mean 'cosine'"),
        ({"generator.scor": ["softmax", "none", "cosine"]}, "Did you mean 'generator.score'"),
        ({"loss": ["hinge", "relativistic", "hinje"]}, "Did you mean 'hinge'"),
    ],
)
def test_a_slip_of_the_pen_is_never_left_out(planned, vary: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        planned("gan", vary)


def test_one_variant_alone_answers_nothing(planned) -> None:
    vary = {"generator.width": [9, 8, 11]}
    with pytest.raises(ConfigError, match=r"^generator\.width=9: .*multiple of heads"):
        planned("gan", vary)
    with pytest.raises(DataError, match=r"too few for network\.context=5000"):
        planned("language", {"network.context": [8, 5_000]})


# ---- runs, scores and pictures


def state(config: RunConfig, seed: int, print_of_data: str = "abc", **fields: Any) -> RunState:
    """A run that never ran."""
    given = {
        "path": Path(f"runs/{task_of(config).name}-{config.batch_size}-{seed}"),
        "seed": seed,
        "status": "done",
        "config": config.evolve(f"seed={seed}"),
        "provenance": {"data_fingerprint": print_of_data},
        "images_seen": 640,
        "seconds": 1.0,
    }
    return RunState(**(given | fields))


def test_runs_of_two_kinds_are_refused() -> None:
    runs = [state(ClassificationConfig(), 0), state(LanguageConfig(), 0)]
    with pytest.raises(ConfigError, match=r"a classifier and .* a language model: they have"):
        shared_task(runs)
    assert shared_task(runs[:1]).name == "classify"


def test_held_out_images_are_those_of_the_seed() -> None:
    config = ClassificationConfig()
    other = config.evolve("batch_size=16")
    apart = [state(config, 0, "a"), state(config, 1, "b"), state(other, 1, "b")]
    refuse_mixed_data(apart)
    assert len(split_notes(apart)) == 1
    assert split_notes(apart[1:]) == ()
    with pytest.raises(DataError, match="different data cannot be compared"):
        refuse_mixed_data([*apart, state(other, 0, "b")])
    with pytest.raises(DataError, match="different data cannot be compared"):
        refuse_mixed_data([*apart, state(config.evolve("data.source=else.npz"), 2, "c")])
    language = LanguageConfig()
    with pytest.raises(DataError, match="different data cannot be compared"):
        refuse_mixed_data([state(language, 0, "a"), state(language, 1, "b")])


@pytest.mark.parametrize(
    ("config", "setting"),
    [
        (LanguageConfig(), "data.tokenizer=bytes"),
        (LanguageConfig(), "data.held_out=0.2"),
        (LanguageConfig(), "data.min_count=3"),
        (ClassificationConfig(), "data.label_parts=2"),
    ],
)
def test_scores_that_count_other_things_are_refused(config: RunConfig, setting: str) -> None:
    runs = [state(config, 0), state(config.evolve(setting), 0)]
    name, _, value = setting.partition("=")
    with pytest.raises(DataError, match=f" {name}={value}: their scores count other things"):
        refuse_mixed_data(runs)


@pytest.mark.parametrize("content", [None, "{", "[]", '{"scores": {}}'])
def test_a_run_without_its_score_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "score.json").write_text(content)
    with pytest.raises(BundleError, match="holds no score, though the run is done"):
        ClassifyTask().evaluation(tmp_path, Measure())


def test_a_run_is_scored_by_what_it_wrote_down(tmp_path: Path) -> None:
    score = {"scores": {"accuracy": {"value": 0.75}}, "worst": []}
    (tmp_path / "score.json").write_text(json.dumps(score))
    for metrics in (None, ["accuracy"]):
        assert ClassifyTask().evaluation(tmp_path, Measure(metrics=metrics)) == score


@pytest.fixture
def drawn(planned, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Any, list[str]]]:
    """The picture and the cells of the first row, of two variants with scores 0.05 to 0.9."""

    def draw(task: str, name: str) -> tuple[Any, list[str]]:
        figures: list[Any] = []
        monkeypatch.setattr(plot, "_png", lambda figure: figures.append(figure) or b"")
        records = tuple(
            {"event": "score", "images_seen": 320 * step, "elapsed_s": step, name: value}
            for step, value in enumerate((0.05, 0.9), 1)
        )
        groups, evaluations = [], {}
        for variant in planned(task, {"batch_size": [4, 8]}).variants:
            runs = tuple(state(variant.config, seed, records=records) for seed in (0, 1))
            groups.append(Group(label=variant.label, runs=runs))
            for run in runs:
                score = {"value": 0.98765 + run.seed / 1000}
                evaluations[run.path] = {"scores": {name: score}}
        rows = variant_results(groups, evaluations)
        plot.picture(groups, rows)
        return figures[0], table(rows, COMPARED[task]())[1][0]

    return draw


def test_the_picture_of_accuracies(drawn) -> None:
    figure, cells = drawn("classify", "accuracy")
    left, right, finals = figure.axes
    assert left.get_ylabel() == "accuracy during training (higher is better)"
    assert finals.get_xlabel().endswith("interval of the mean (higher is better)")
    assert (left.get_xlabel(), left.get_yscale(), right.get_yscale()) == (
        *("images shown", "linear"),
        "linear",  # towards 1 a logarithm shows nothing
    )
    assert list(left.lines[0].get_ydata()) == [0.05, 0.9]
    assert cells[2].startswith("0.9882 (")


def test_the_picture_of_bits(drawn) -> None:
    figure, _ = drawn("language", "bits_per_character")
    left, _, finals = figure.axes
    assert left.get_ylabel() == "bits_per_character during training (lower is better)"
    assert finals.get_xlabel().endswith("interval of the mean (lower is better)")
    assert (left.get_xlabel(), left.get_yscale()) == ("tokens shown", "log")


def test_the_picture_of_distances(drawn) -> None:
    figure, cells = drawn("gan", "fd[digits-cls@1a2b3c]")
    left, _, _ = figure.axes
    assert left.get_ylabel() == "fd[digits-cls@1a2b3c] during training"
    assert (left.get_xlabel(), left.get_yscale()) == ("images shown", "log")
    assert cells[2].startswith("0.988 (")
