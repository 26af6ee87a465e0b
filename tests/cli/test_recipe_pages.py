"""`orthogan recipes`: what a person reads is what a machine reads, and what `--config` reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orthogan.classification.recipes import RECIPES as CLASSIFIERS
from orthogan.cli import main
from orthogan.config import Config, read_config_file
from orthogan.gan.recipes import RECIPES as GANS
from orthogan.language.recipes import RECIPES as LANGUAGES

MADE = {name: each[name]() for each in (GANS, CLASSIFIERS, LANGUAGES) for name in each}
EVERY_RECIPE = pytest.mark.parametrize(("name", "config"), MADE.items(), ids=list(MADE))


def test_every_recipe_of_every_task_is_listed_with_its_command(capsys) -> None:
    assert main(["recipes"]) == 0
    rows = capsys.readouterr().out.splitlines()[1:]
    assert {row.split()[0] for row in rows} == set(MADE)
    for row in rows:
        assert f"orthogan {MADE[row.split()[0]].COMMAND}" in row


@EVERY_RECIPE
@pytest.mark.parametrize("width", ["80", "120"])
def test_the_page_of_a_recipe_is_a_file_of_its_settings(
    name: str, config: Config, width: str, capsys, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    assert main(["recipes", name]) == 0
    page = capsys.readouterr().out
    assert max(map(len, page.splitlines())) <= int(width)
    file = tmp_path / "recipe.yaml"
    file.write_text(page)
    assert type(config)(**read_config_file(file)) == config


@EVERY_RECIPE
def test_the_document_of_a_recipe_has_the_facts_of_its_page(
    name: str, config: Config, capsys, monkeypatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["recipes", name]) == 0
    page = " ".join(line.partition("# ")[2] for line in capsys.readouterr().out.splitlines())
    assert main(["recipes", name, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["config"] == config.to_dict()
    assert {each["name"]: each["value"] for each in document["settings"]} == config.settings()
    usual = MADE[document["default"]].settings()
    for each in document["settings"]:
        assert f"{each['meaning']} [{each['allowed']}]" in page
        assert each["default"] == usual.get(each["name"])
        assert each["differs"] is (each["value"] != usual.get(each["name"], object()))


def test_what_differs_is_told_with_what_the_default_has(capsys) -> None:
    assert main(["recipes", "faithful"]) == 0
    page = " ".join(line.partition("# ")[2] for line in capsys.readouterr().out.splitlines())
    usual, faithful = (MADE[name].settings() for name in ("attention-gan", "faithful"))
    num = sum(value != usual[name] for name, value in faithful.items())
    assert num == page.count("(attention-gan: ")
    assert f"{num} settings differ from attention-gan" in page
    assert "(attention-gan: muon)" in page
    assert main(["recipes", "attention-gan"]) == 0
    assert "(attention-gan: " not in capsys.readouterr().out


def test_an_unknown_recipe_names_the_nearest(capsys) -> None:
    assert main(["recipes", "faithfull"]) == 2
    assert "Unknown recipe 'faithfull'. Did you mean 'faithful'?" in capsys.readouterr().err
