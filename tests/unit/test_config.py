"""Configuration: strict names and types, dotted changes, files, and messages that help."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from orthogan.attention import score_names
from orthogan.classification.config import ClassificationConfig
from orthogan.config import Config, described, flatten, read_config_file
from orthogan.errors import ConfigError, SettingError, UnknownNameError, listed
from orthogan.gan.config import TrainingConfig
from orthogan.language.config import LanguageConfig
from orthogan.networks import (
    AttentionGeneratorConfig,
    ConvDiscriminatorConfig,
    ConvGeneratorConfig,
    TransformerDiscriminatorConfig,
    TransformerGeneratorConfig,
)


class Inner(Config):
    rate: float = 0.5
    names: list[str] = []  # noqa: RUF012 (pydantic copies it)
    note: str | None = "x"


class Outer(Config):
    inner: Inner = Inner()
    count: int = Field(3, ge=1)
    is_on: bool = False
    word: str = "a"
    choice: Literal["1", "2"] = "1"


def test_defaults_and_settings_in_order_of_declaration() -> None:
    assert Outer().settings() == {
        "inner.rate": 0.5,
        "inner.names": [],
        "inner.note": "x",
        "count": 3,
        "is_on": False,
        "word": "a",
        "choice": "1",
    }
    assert next(iter(Outer().settings())) == "inner.rate"


@pytest.mark.parametrize(
    ("assignment", "name", "value"),
    [
        ("count=4", "count", 4),
        ("count=1e3", "count", 1000),
        (" count = 4", "count", 4),
        ("is_on=true", "is_on", True),
        ("inner.rate=1e-3", "inner.rate", 1e-3),
        ("inner.rate=1.5e-3", "inner.rate", 1.5e-3),
        ("inner.rate=2", "inner.rate", 2.0),
        ("inner.names=[a, b]", "inner.names", ["a", "b"]),
        ("inner.note=null", "inner.note", None),
        ("word=a=b", "word", "a=b"),
        ("word=two words", "word", "two words"),
        ("word=[a", "word", "[a"),
        ("word=a: b: c", "word", "a: b: c"),
        ("word=123", "word", "123"),
        ("word=1e3", "word", "1e3"),
        ("word= 007 ", "word", "007"),
        ("word=true", "word", "true"),
        ("word=null", "word", "null"),
        ("word=a #1", "word", "a #1"),
        ("word=[a]", "word", "[a]"),
        ("word='a b'", "word", "a b"),
        ('word="123"', "word", "123"),
        ('word="a', "word", '"a'),
        ("word='a': b", "word", "'a': b"),
        ("inner.note=12", "inner.note", "12"),
        ("inner.note=~", "inner.note", None),
        ("choice=2", "choice", "2"),
        ("word=2020-01-31", "word", "2020-01-31"),
        ("word=seven", "word", "seven"),
    ],
)
def test_evolve_reads_values_as_yaml(assignment: str, name: str, value: object) -> None:
    changed = Outer().evolve(assignment)
    assert changed.settings() == Outer().settings() | {name: value}
    assert type(changed.settings()[name]) is type(value)


def test_evolve_takes_several_changes_and_leaves_the_original() -> None:
    base = Outer()
    changed = base.evolve("count=4", "inner.rate=0.25", word="b")
    assert (changed.count, changed.inner.rate, changed.word) == (4, 0.25, "b")
    assert base == Outer()
    assert Outer().evolve("inner={rate: 0.1}").inner == Inner(rate=0.1)


@pytest.mark.parametrize(
    ("assignment", "nearest"),
    [
        ("coutn=4", "count"),
        ("inner.rat=1", "inner.rate"),
        ("iner.rate=1", "inner.rate"),
        ("count.x=1", "count"),
    ],
)
def test_unknown_setting_names_the_nearest(assignment: str, nearest: str) -> None:
    name = assignment.partition("=")[0]
    with pytest.raises(ConfigError, match=rf"'{name}'\. Did you mean '{nearest}'\?"):
        Outer().evolve(assignment)


def test_unknown_field_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"Unknown setting 'coutn'\. Did you mean 'count'\?"):
        Outer(coutn=4)
    with pytest.raises(ConfigError, match="Did you mean 'count'"):
        Outer().evolve(coutn=4)


def test_a_setting_like_no_other_is_told_where_to_look() -> None:
    with pytest.raises(ConfigError) as caught:
        TrainingConfig().evolve("nonsense=1")
    sentence = "Unknown setting 'nonsense'. 'orthogan train --dry-run' shows every setting."
    assert str(caught.value) == sentence
    with pytest.raises(ConfigError, match=r"Did you mean 'penalty\.gamma_end'\? 'orthogan train"):
        TrainingConfig().evolve("penalty.gama_end=1")


@pytest.mark.parametrize("assignment", ["count", "", "count 4", "=4", " = 4"])
def test_assignment_without_equals_is_refused(assignment: str) -> None:
    with pytest.raises(ConfigError, match="Expected NAME=VALUE"):
        Outer().evolve(assignment)


@pytest.mark.parametrize(
    "assignment",
    ["count=0", "count=1.5", "count=many", "is_on=3", "inner=3", "inner.names=a", "choice=3"],
)
def test_value_that_does_not_fit_is_refused(assignment: str) -> None:
    with pytest.raises(ConfigError, match=assignment.partition("=")[0].split(".")[-1]):
        Outer().evolve(assignment)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", ".nan"])
def test_non_finite_numbers_are_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="rate"):
        Outer().evolve(f"inner.rate={value}")


def test_message_of_a_nested_problem_is_one_short_sentence() -> None:
    with pytest.raises(ConfigError) as caught:
        TrainingConfig().evolve("generator.size=18")
    assert str(caught.value) == (
        "In 'generator': Setting 'size' = 18: Input should be a multiple of 4."
    )
    with pytest.raises(ConfigError, match=r"^In 'penalty': .*Did you mean 'kind'\?.*[^.]\.$"):
        TrainingConfig(penalty={"kin": "exact"})


def test_a_rule_between_settings_is_one_sentence_without_the_name_of_a_class() -> None:
    with pytest.raises(ConfigError, match=r"^In 'generator': position_mode=rotate turns .*\.$"):
        TrainingConfig().evolve("generator.position_mode=rotate")
    with pytest.raises(ConfigError, match=r"^Final_batch_size 2 is below .*\.$"):
        TrainingConfig(final_batch_size=2)


@pytest.mark.parametrize(
    ("assignments", "is_slip"),
    [
        (("generator.widht=8",), True),
        (("batch_size.x=8",), True),
        (("generator.width=wide",), True),
        (("generator.width=0",), True),
        (("generator.start=mimmetic",), True),
        (("generator.position_mode=rotate",), False),
        (("generator.key_size=8", "generator.keys=values"), False),
        (("batch_size=8", "final_batch_size=4"), False),
    ],
)
def test_no_setting_is_told_from_settings_that_do_not_go_together(
    assignments: tuple[str, ...], is_slip: bool
) -> None:
    with pytest.raises(ConfigError) as caught:
        TrainingConfig().evolve(*assignments)
    assert isinstance(caught.value, SettingError) is is_slip


def test_recorded_settings_are_completed_or_left_alone() -> None:
    whole = TrainingConfig(seed=3).to_dict()
    assert TrainingConfig.complete(whole) == whole
    earlier = json.loads(json.dumps(whole))
    for name in ("keys", "key_size", "position_mode", "initialization"):
        del earlier["generator"][name]
    assert TrainingConfig.complete(earlier) == whole
    # Runs from before there was a share penalised every pair, and go on so.
    del earlier["penalty"]["share"]
    assert TrainingConfig.complete(earlier)["penalty"]["share"] == 1.0
    for unfit in ({"seed": -1}, {"loss": "none of ours"}, {"gone": 1}):
        assert TrainingConfig.complete(unfit) == unfit


def test_configurations_are_frozen_keyword_only_and_hashable() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Outer().count = 5
    with pytest.raises(TypeError):
        Outer(5)  # type: ignore[call-arg]
    assert hash(TrainingConfig()) == hash(TrainingConfig())


def test_round_trip_through_json() -> None:
    config = TrainingConfig().evolve("penalty.gamma_start=1e-3", "data.source=a b")
    again = TrainingConfig(**json.loads(json.dumps(config.to_dict())))
    assert again == config
    assert TrainingConfig().merge(config.to_dict()) == config


def test_parts_of_another_kind_survive_the_round_trip() -> None:
    config = TrainingConfig(generator=ConvGeneratorConfig(blocks=1))
    assert config.to_dict()["generator"]["blocks"] == 1
    assert TrainingConfig(**config.to_dict()) == config
    assert isinstance(TrainingConfig(**config.to_dict()).generator, ConvGeneratorConfig)
    assert config.evolve("seed=3").generator == config.generator


def test_merge_keeps_text_as_it_is() -> None:
    for text in ("1e-3", "nan", "\U0001f600", "\x7f", "true", "2020-01-31", ""):
        assert Outer().merge({"word": text}).word == text


def test_merge_refuses_unknown_names() -> None:
    with pytest.raises(ConfigError, match=r"Did you mean 'inner\.rate'\?"):
        Outer().merge({"inner": {"raet": 1}})
    with pytest.raises(ConfigError, match="Unknown setting 'other'"):
        Outer().merge({"other": {}})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("run.toml", "seed = 3\n[penalty]\ngamma_start = 1e-3\n"),
        ("run.yaml", "seed: 3\npenalty:\n  gamma_start: 1e-3\n"),
        ("run.YML", "seed: 3\npenalty: {gamma_start: 0.001}\n"),
        ("run.json", '{"seed": 3, "penalty": {"gamma_start": 1e-3}}'),
    ],
)
def test_files_of_every_type_say_the_same(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    config = TrainingConfig().merge(read_config_file(path))
    assert config == TrainingConfig().evolve("seed=3", "penalty.gamma_start=0.001")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.ini", b"seed = 3"),
        ("run", b"seed = 3"),
        ("run.toml", b"seed = = 3"),
        ("run.yaml", b"seed: [3"),
        ("run.yaml", b"- 3\n- 4\n"),
        ("run.yaml", b""),
        ("run.yaml", b"!!python/object/apply:os.getcwd []"),
        ("run.json", b"{"),
        ("run.json", b"3"),
        ("run.json", b"\xff\xfe\x00"),
    ],
)
def test_bad_file_is_refused_by_name(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_config_file(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


LAUGHS = "a0: &a0 {k: 1}\n" + "".join(
    f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(12)
)
MERGES = "a0: &a0 {k: 1}\n" + "".join(
    f"a{n + 1}: &a{n + 1} {{<<: [{', '.join([f'*a{n}'] * 9)}]}}\n" for n in range(12)
)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        *((f"run.{kind}", "[" * 10_000, "nested deeper than 20") for kind in ("yaml", "json")),
        ("run.yaml", "a: " * 1 + "{b: " * 10_000 + "}" * 10_000, "nested deeper than 20"),
        ("run.json", '{"a":' * 10_000 + "1" + "}" * 10_000, "nested deeper than 20"),
        ("run.json", '{"a":' * 30 + "1" + "}" * 30, "nested deeper than 20"),
        ("run.toml", "a = " + "[" * 10_000 + "]" * 10_000, "nested deeper than 20"),
        ("run.toml", "a." * 30 + "b = 1", "nested deeper than 20"),
        ("run.yaml", LAUGHS, "more than 10000 values"),
        ("run.yaml", MERGES, "more than 10000 values"),
        ("run.yaml", "a: &a [*a]", "nested deeper than 20"),
        ("run.yaml", "seed: 1\nseed: 2", "line 2, column 1: 'seed' is set twice"),
        ("run.yaml", "penalty: {kind: none, kind: r1}", "'kind' is set twice"),
        ("run.json", '{"seed": 1, "seed": 2}', "'seed' is set twice"),
        ("run.json", '{"penalty": {"kind": "none", "kind": "r1"}}', "'kind' is set twice"),
        ("run.toml", "seed = 1\nseed = 2", "Cannot overwrite a value"),
        ("run.yaml", "seed: " + "9" * 5000, "digits"),
        ("run.yaml", "seed: 2020-13-45", "month"),
        ("run.json", " " * 300_000 + "{}", "more than 65536 bytes"),
        ("run.json", "[" + "1," * 20_000 + "1]", "more than 10000 values"),
        ("run.json", '"' + "x" * 1000, ""),
    ],
    ids=lambda each: each[:20] if isinstance(each, str) else None,
)
def test_bombs_and_repeats_are_refused(tmp_path: Path, name: str, content: str, words: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        read_config_file(path)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 600


def test_anchors_of_a_sane_size_are_read(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: *a\nc: {<<: *a, y: 3}\n")
    assert read_config_file(path) == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 1, "y": 2},
        "c": {"x": 1, "y": 3},
    }


@pytest.mark.parametrize(
    "assignment",
    [
        ".".join(["a"] * 100_000) + "=1",
        "x" * 100_000 + "=1",
        "x" * 100_000,
        "seed=" + "[" * 100_000,
        "seed=" + "[" * 100_000 + "]" * 100_000,
        "seed=" + "{a: " * 3_000 + "1" + "}" * 3_000,
        "seed=" + "9" * 5_000,
        "seed=2020-13-45",
        "seed=&a [*a]",
        "seed={a: 1, a: 2}",
        "seed=" + "'" * 99_999,
        "seed=!!int 0b",
        "penalty.gamma_start=" + "1" * 5_000,
        "penalty.gamma_start=1e999",
        "seed.x=1",
        "penalty=3",
        "=",
    ],
    ids=lambda each: each[:20],
)
def test_absurd_assignments_are_refused_in_a_sentence(assignment: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TrainingConfig().evolve(assignment)
    assert len(str(caught.value)) < 600


def test_a_bad_file_says_what_is_wrong_and_where(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    for text, words in (
        ("seed: 1\nloss: [3", "line 2, column 9: expected ',' or ']', but got '<stream end>'."),
        ("seed: 1\n\tloss: 3", "line 2, column 1: found character '\\t' that cannot start"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError) as caught:
            read_config_file(path)
        assert str(caught.value).startswith(f"{path}: cannot be read: {words}")
    with pytest.raises(ConfigError) as caught:
        read_config_file(tmp_path / "none.yaml")
    assert str(caught.value).endswith("none.yaml: cannot be read: no such file or directory.")


@pytest.mark.parametrize("name", ["run.toml", "run.json"])
def test_missing_file_or_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config_file(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config_file(tmp_path / name)


def test_flatten_keeps_lists_and_empty_mappings_as_leaves() -> None:
    assert flatten({"a": {"b": {"c": [1, 2]}, "d": {}}}) == [("a.b.c", [1, 2]), ("a.d", {})]


@pytest.mark.parametrize(
    ("assignment", "hint"),
    [
        ("generator.kind=transfomer", "transformer"),
        ("discriminator.kind=cnv", "conv"),
        ("loss=relativist", "relativistic"),
        ("penalty.kind=finite", "finite-difference"),
    ],
)
def test_unknown_parts_name_the_nearest(assignment: str, hint: str) -> None:
    with pytest.raises(UnknownNameError, match=f"Did you mean '{hint}'"):
        TrainingConfig().evolve(assignment)


@pytest.mark.parametrize(
    "fields",
    [
        {"budget": {"images": 10, "seconds": 10.0}},
        {"budget": {}},
        {"budget": {"images": 0}},
        {"budget": {"seconds": 0}},
        {"generator": {}},
        {"generator": 5},
        {"batch_size": 1},
        {"batch_size": 64, "final_batch_size": 32},
        {"seed": -1},
        {"seed": 2**63},
        {"data": {"size": 15}},
        {"data": {"colour": "blue"}},
        {"precision": "float16"},
        {"penalty": {"gamma_start": -1}},
        {"generator_optimizer": {"learning_rate": 0}},
        {"generator_optimizer": {"beta1": 1.0}},
        {"generator_optimizer": {"final_share": 1.5}},
        {"average": {"half_life_share": 0}},
        {"escape_attempts": -1},
        {"escape_attempts": 21},
        {"batch_size": 2**16 + 1},
        {"final_batch_size": 2**16 + 1},
        {"checkpoint_every_s": 0},
        {"score_every_s": 0},
    ],
)
def test_impossible_training_settings_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(fields))):
        TrainingConfig(**fields)


def test_another_kind_comes_with_its_own_defaults() -> None:
    base = TrainingConfig(generator=AttentionGeneratorConfig(width=40), seed=3)
    switched = base.evolve("generator.kind=transformer")
    assert switched.generator == TransformerGeneratorConfig()
    assert switched == TrainingConfig(generator=TransformerGeneratorConfig(), seed=3)
    assert base.merge({"generator": {"kind": "transformer"}}) == switched
    assert switched.evolve("generator.kind=attention").generator == AttentionGeneratorConfig()
    other = base.evolve("discriminator.kind=conv")
    assert other.discriminator == ConvDiscriminatorConfig()
    assert other.generator == base.generator


def test_settings_of_the_new_kind_are_kept_whatever_the_order() -> None:
    expected = TransformerGeneratorConfig(width=48, style_size=32)
    words = ["generator.width=48", "generator.kind=transformer", "generator.style_size=32"]
    assert TrainingConfig().evolve(*words).generator == expected
    assert TrainingConfig().evolve(*reversed(words)).generator == expected
    tree = {"generator": {"width": 48, "style_size": 32, "kind": "transformer"}}
    assert TrainingConfig().merge(tree).generator == expected
    both = {"generator": {"kind": "conv"}, "discriminator": {"kind": "transformer", "heads": 2}}
    changed = TrainingConfig().merge(both)
    assert changed.generator == ConvGeneratorConfig()
    assert changed.discriminator == TransformerDiscriminatorConfig(heads=2)


def test_the_same_kind_keeps_its_settings_and_another_the_form_of_the_images() -> None:
    base = TrainingConfig().evolve("generator.width=40", "generator.colours=3", "generator.size=32")
    assert base.evolve("generator.kind=attention") == base
    assert base.merge({"generator": {"kind": "attention"}}) == base
    generator = base.evolve("generator.kind=conv").generator
    assert generator == ConvGeneratorConfig(colours=3, size=32)


def test_a_setting_of_the_old_kind_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"Unknown setting 'generator\.style_size'"):
        TrainingConfig().evolve("generator.kind=conv", "generator.style_size=3")
    with pytest.raises(UnknownNameError, match="Did you mean 'conv'"):
        TrainingConfig().merge({"generator": {"kind": "conf"}})


def test_every_setting_says_what_it_is() -> None:
    def undocumented(config: Config) -> list[str]:
        missing = []
        for name, field in type(config).model_fields.items():
            value = getattr(config, name)
            if isinstance(value, Config):
                missing += undocumented(value)
            elif name != "kind" and not field.description:
                missing.append(f"{type(config).__name__}.{name}")
        return missing

    assert undocumented(TrainingConfig()) == []


@pytest.mark.parametrize(
    ("config", "assignment", "meant"),
    [
        (
            TrainingConfig,
            "lr=1",
            ["generator_optimizer.learning_rate", "discriminator_optimizer.learning_rate"],
        ),
        (TrainingConfig, "generator.lr=1", ["generator_optimizer.learning_rate"]),
        (TrainingConfig, "width=8", ["generator.width", "discriminator.width"]),
        (TrainingConfig, "network.width=8", ["generator.width", "discriminator.width"]),
        (TrainingConfig, "generatr.width=8", ["generator.width"]),
        (TrainingConfig, "discriminator.layers=2", ["discriminator.blocks"]),
        (TrainingConfig, "gamma=1", ["penalty.gamma_start", "penalty.gamma_end"]),
        (TrainingConfig, "epochs=3", ["budget.seconds", "budget.images"]),
        (TrainingConfig, "batch=8", ["batch_size", "final_batch_size"]),
        (TrainingConfig, "amp=1", ["precision"]),
        (TrainingConfig, "dropout=0.1", []),
        (TrainingConfig, "generator.dropout=0.1", []),
        (TrainingConfig, "nosie=1", []),  # as near to `noise` as to nothing that exists
        (ClassificationConfig, "optimizer.lr=1", ["optimizer.learning_rate"]),
        (ClassificationConfig, "generator.width=8", ["network.width"]),
        (LanguageConfig, "steps=3", ["budget.seconds", "budget.tokens"]),
        (LanguageConfig, "block_size=3", ["network.context"]),
        (LanguageConfig, "tokeniser=words", ["data.tokenizer"]),
    ],
)
def test_only_settings_of_the_same_meaning_are_suggested(
    config: type[Config], assignment: str, meant: list[str]
) -> None:
    with pytest.raises(SettingError) as caught:
        config().evolve(assignment)
    name = assignment.partition("=")[0]
    quoted = [f"'{each}'" for each in meant]
    hint = f" Did you mean {listed(quoted)}?" if meant else ""
    shown = f" 'orthogan {config.COMMAND} --dry-run' shows every setting."
    assert str(caught.value) == f"Unknown setting '{name}'.{hint}{shown}"


def test_a_name_that_is_not_registered_is_told_with_its_network_and_the_list() -> None:
    with pytest.raises(UnknownNameError) as caught:
        TrainingConfig().evolve("discriminator.score=sofmax")
    assert isinstance(caught.value, SettingError)
    assert str(caught.value).startswith(
        "In 'discriminator': Unknown attention score 'sofmax'. Did you mean 'softmax'? Known: "
    )


def test_names_of_earlier_versions_are_read() -> None:
    expected = LanguageConfig().evolve("data.tokenizer=words", "optimizer.kind=adamw")
    old = {"data": {"tokeniser": "words"}, "optimiser": {"kind": "adamw"}}
    assert LanguageConfig(**old) == LanguageConfig().merge(old) == expected
    words = ("data.tokeniser=words", "optimiser.kind=adamw")
    assert LanguageConfig().evolve(*words) == expected
    assert "optimizer" in LanguageConfig.complete(old)


@pytest.mark.parametrize("config", [TrainingConfig(), ClassificationConfig(), LanguageConfig()])
def test_every_setting_is_described_with_its_values(config: Config) -> None:
    told = {setting.name: setting for setting in described(config)}
    assert told.keys() == config.settings().keys()
    assert all(setting.meaning and setting.allowed for setting in told.values())


@pytest.mark.parametrize("config", [ClassificationConfig(), LanguageConfig()])
def test_settings_that_may_have_no_effect_exist(config: ClassificationConfig) -> None:
    settings = config.settings()
    for rule, idle in config.IDLE.items():
        assert {rule.partition("=")[0], *idle} <= settings.keys()


def test_what_a_setting_allows_is_said_in_words() -> None:
    told = {setting.name: setting.allowed for setting in described(TrainingConfig())}
    assert told["generator.kind"] == "attention, conv or transformer"
    assert told["generator.score"] == listed(score_names())
    assert told["generator.blocks"] == "whole, 0 to 256"
    assert told["generator.size"] == "whole, 16 to 128, a multiple of 4"
    assert told["penalty.gamma_start"] == "at least 0"
    assert told["generator_optimizer.beta1"] == "at least 0, below 1"
    assert told["final_batch_size"] == "null or whole, 2 to 65536"
    assert told["compile"] == "auto, on or off"


def test_settings_of_attention_are_read_under_the_names_of_version_0_1() -> None:
    now = TrainingConfig().evolve(
        "generator.positions=sinusoidal",
        "generator.position_mode=rotate",
        "generator.initialization=mimetic",
    )
    old = {"positions": "sinusoidal", "injection": "rotate", "start": "mimetic"}
    kind = {"kind": "attention"}
    assert TrainingConfig(generator=kind | old) == now
    assert TrainingConfig().merge({"generator": old}) == now
    assert TrainingConfig().evolve(*(f"generator.{name}={old[name]}" for name in old)) == now
