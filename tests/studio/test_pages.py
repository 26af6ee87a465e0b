"""What the pages show, what forms start, and what is said where something cannot be done."""

from __future__ import annotations

import asyncio
import html
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from studio_folders import everything, make_run

from orthogan.gan.recipes import RECIPES
from orthogan.studio import events
from orthogan.studio.answers import Answers
from orthogan.studio.desk import Desk
from orthogan.studio.shelf import key_of
from orthogan.studio.sources import source_key
from orthogan.training.lock import FolderLock
from orthogan.training.stop_request import is_asked_to_stop, withdraw_stop

FIRST = f"/runs/{key_of('first')}"
FORM = {"recipe": "attention-gan", "source": source_key("mnist"), "name": "third", "amount": "2",
        "unit": "minutes", "seed": "7", "threads": ""}  # fmt: skip


def test_reading_writes_nothing(guest: TestClient, root: Path) -> None:
    before = everything(root)
    for place in (
        "/",
        "/new",
        f"/new?from={key_of('first')}",
        FIRST,
        f"{FIRST}/grids/200",
        f"{FIRST}/explore",
        f"/compare?run={key_of('first')}&run={key_of('second')}",
    ):
        assert guest.get(place).status_code == 200, place  # fmt: skip
    assert everything(root) == before


def test_the_list_has_every_run_the_youngest_first(guest: TestClient) -> None:
    text = guest.get("/").text
    assert "2 runs, 0 training now." in text
    assert text.index(">first<") < text.index(">second<")
    assert "distance 1.50" in text


def test_the_list_is_told_which_runs_are_left(desk: Desk, root: Path) -> None:
    answers = Answers(desk)
    assert answers._list()["order"] == [key_of("first"), key_of("second")]
    shutil.rmtree(root / "first")
    assert answers._list()["order"] == [key_of("second")]


def test_a_run_that_is_damaged_is_told_of_and_the_others_shown(
    guest: TestClient, root: Path
) -> None:
    (root / "second" / "run.json").write_text("{")
    text = guest.get("/").text
    assert "1 run, 0 training now." in text
    assert "second/run.json: is not valid JSON" in html.unescape(text)


def test_the_settings_of_the_form_become_the_command(
    guest: TestClient, started: list[Any], root: Path
) -> None:
    settings = {"set:generator.width": "32", "set:loss": "hinge", "set:batch_size": "64"}
    answer = guest.post("/runs", data={**FORM, "threads": "1", **settings})
    assert answer.headers["location"] == f"/runs/{key_of('third')}"
    ((name, words),) = started
    assert name == "third"
    assert words == ["train", "mnist", "--model=attention-gan", f"--run={root / 'third'}",
                     "--seed=7", "--for=120s", "--threads=1", "--set=generator.width=32",
                     "--set=loss=hinge"]  # fmt: skip


def test_what_is_started_is_a_command_that_the_command_line_takes(
    guest: TestClient, started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from orthogan.cli import main
    from orthogan.gan import api

    asked: dict[str, Any] = {}

    class Reached(Exception):
        pass

    def train(source: Any, **options: Any) -> None:
        asked.update(options, source=source)
        raise Reached

    monkeypatch.setattr(api, "train", train)
    guest.post("/runs", data={**FORM, "amount": "2000", "unit": "images", "set:loss": "hinge"})
    assert main(started[0][1]) == 1  # as `Reached` is nothing that the command line knows
    assert (asked["source"], asked["images"], asked["seed"]) == ("mnist", 2000, 7)
    assert (asked["model"], asked["settings"]) == ("attention-gan", ["loss=hinge"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "../x"}, "The name of a run has letters"),
        ({"name": "a/../../x"}, "The name of a run has letters"),
        ({"name": "first"}, "A run is called 'first' already"),
        ({"name": ".hidden"}, "The name of a run has letters"),
        ({"amount": "0"}, "A budget is a number above zero"),
        ({"amount": "nan"}, "A budget is a number above zero"),
        ({"amount": "1.5", "unit": "images"}, "A budget in images is a whole number"),
        ({"unit": "years"}, "A budget is in minutes, hours or images."),
        ({"seed": "-1"}, "The seed is a whole number from 0"),
        ({"threads": "0"}, "Threads is a whole number from 1"),
        ({"set:batch_size": "1"}, "batch_size"),
        ({"set:loss": "hing"}, "Did you mean 'hinge'"),
        ({"set:loss": "a" * 300}, "one line of at most 200"),
        ({"recipe": "attention"}, "unknown recipe"),
    ],
)
def test_what_does_not_fit_is_said_above_the_form(
    guest: TestClient, started: list[Any], change: dict[str, str], said: str
) -> None:
    answer = guest.post("/runs", data=FORM | change)
    assert 400 <= answer.status_code < 500
    assert said.lower() in html.unescape(answer.text).lower()
    assert started == []
    if answer.status_code == 422 and "name" in change:  # what was typed is still there
        assert f'value="{change["name"]}"' in answer.text


@pytest.mark.parametrize(
    "change",
    [{"source": "mnist"}, {"source": "/etc"}, {"extra": "1"}, {"set:data.source": "/etc"}],
)
def test_no_path_comes_from_a_client(
    guest: TestClient, started: list[Any], change: dict[str, str]
) -> None:
    answer = guest.post("/runs", data=FORM | change)
    if "set:data.source" in change:  # is no field of the form, so it is not looked at
        assert not any("/etc" in word for word in started[0][1])
    else:
        assert (answer.status_code, started) == (400, [])


def test_data_are_those_of_the_command_line_of_runs_and_shipped_ones(
    root: Path, tiny_file: Path
) -> None:
    config = RECIPES["attention-gan"]().to_dict()
    config["data"]["source"] = "/data/of/a run"
    make_run(root, "other", config=config)
    found = [each.value for each in Desk(root, (str(tiny_file),)).sources().values()]
    assert found == [str(tiny_file), "/data/of/a run", "mnist", "stacked-mnist"]


def test_a_fork_has_what_was_asked_for_and_another_name(root: Path, guest: TestClient) -> None:
    config = RECIPES["attention-gan"]().evolve("generator.width=48", "budget.seconds=90").to_dict()
    config["generator"]["classes"] = 10
    make_run(root, "wide", config=config)
    asked = Desk(root).fork(Desk(root).shelf.run(key_of("wide")))
    assert (asked.name, asked.amount, asked.unit) == ("wide-fork", "1.5", "minutes")
    assert asked.settings["generator.width"] == "48"
    assert "generator.classes" not in asked.settings  # follows from the data
    page = guest.get(f"/new?from={key_of('wide')}").text
    assert 'value="48"' in page
    assert "Fork of wide" in page
    assert '<option value="640">from its checkpoint at 640 images</option>' in page


def forked(root: Path, **changes: str) -> dict[str, str]:
    """The form of a fork of a run that trained on shipped images, as a browser sends it."""
    config = RECIPES["attention-gan"]().evolve("loss=hinge", "budget.seconds=90").to_dict()
    make_run(root, "left", config=config)
    asked = Desk(root).fork(Desk(root).shelf.run(key_of("left")))
    (source,) = [key for key, each in Desk(root).sources().items() if each.value == "mnist"]
    form = {"recipe": asked.recipe, "source": source, "name": asked.name, "seed": asked.seed,
            "amount": "3", "unit": "minutes", "fork": asked.fork, "begin": "640"}  # fmt: skip
    return form | {f"set:{name}": text for name, text in asked.settings.items()} | changes


def test_a_fork_begins_from_a_checkpoint(root: Path, guest: TestClient, started: list[Any]) -> None:
    form = forked(root, **{"set:batch_size": "32", "seed": "7"})
    assert guest.post("/runs", data=form).status_code == 303
    assert started == [("left-fork", [
        "fork", f"--run={root / 'left-fork'}", "--at=640", "--for=180s", "--seed=7",
        "--set=batch_size=32", "--", str(root / "left"),
    ])]  # fmt: skip
    usual = {"set:loss": RECIPES["attention-gan"]().loss, "name": "usual"}
    assert guest.post("/runs", data=form | usual).status_code == 303
    assert f"--set=loss={usual['set:loss']}" in started[1][1]  # as the recipe has it again
    assert guest.post("/runs", data=form | {"begin": "", "name": "anew"}).status_code == 303
    assert started[2][1][0] == "train"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"begin": "641"}, "is not there any more"),
        ({"begin": "../../../etc"}, "is not there any more"),
        ({"begin": "\u0666\u0664\u0660"}, "is not there any more"),
        ({"fork": "x" * 16}, "is not there any more"),
        ({"fork": "../left"}, "is not there any more"),
        ({"fork": ""}, "is not there any more"),
        ({"recipe": "conv-gan"}, "the recipe and the data"),
        ({"amount": "0"}, "A budget is a number above zero"),
        ({"set:batch_size": "1"}, "batch_size"),
    ],
)
def test_a_fork_of_what_is_not_there_is_refused(
    root: Path, guest: TestClient, started: list[Any], change: dict[str, str], said: str
) -> None:
    answer = guest.post("/runs", data=forked(root, **change))
    assert answer.status_code == 422
    assert said in html.unescape(answer.text)
    assert started == []
    assert not (root / "left-fork").exists()


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"amount": "1", "unit": "hours"}, "--for=3600s"),
        ({"amount": "9000", "unit": "images"}, "--images=9000"),
    ],
)
def test_a_run_goes_on_with_a_longer_budget(
    guest: TestClient, started: list[Any], root: Path, form: dict[str, str], words: str
) -> None:
    assert guest.post(f"{FIRST}/resume", data=form).status_code == 303
    assert started == [("first", ["train", f"--run={root / 'first'}", words])]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({}, "has used up its budget"),
        ({"amount": "600", "unit": "images"}, "has trained for as long already"),
        ({"amount": "0.1", "unit": "minutes"}, "has trained for as long already"),
        ({"amount": "x"}, "A budget is a number"),
    ],
)
def test_a_used_up_budget_is_no_reason_to_go_on(
    guest: TestClient, started: list[Any], form: dict[str, str], said: str
) -> None:
    answer = guest.post(f"{FIRST}/resume", data=form)
    assert answer.status_code == 409
    assert said in html.unescape(answer.text)
    assert started == []


def test_a_running_run_is_stopped_by_the_file_in_its_folder(guest: TestClient, root: Path) -> None:
    make_run(root, "live", status="running", reason="")
    lock = FolderLock(root / "live" / ".lock")
    try:
        place = f"/runs/{key_of('live')}"
        page = guest.get(place).text
        assert "It is training." in page
        assert ">Stop<" in page
        assert guest.post(f"{place}/resume").status_code == 409
        assert guest.post(f"{place}/stop").status_code == 303
        assert is_asked_to_stop(root / "live")
        assert "It was asked to stop" in guest.get(place).text
    finally:
        lock.release()
    withdraw_stop(root / "live")


def test_a_run_whose_process_is_gone_says_so(guest: TestClient, root: Path) -> None:
    make_run(root, "dead", status="running", reason="")
    page = html.unescape(guest.get(f"/runs/{key_of('dead')}").text)
    assert "ended without a word after 640 images" in page
    assert "Its checkpoint at 640 images is there" in page


def test_the_pictures_are_those_of_the_run_and_no_others(guest: TestClient, root: Path) -> None:
    answer = guest.get(f"{FIRST}/grids/200")
    assert answer.content == (root / "first" / "samples" / "000000200.png").read_bytes()
    assert answer.headers["content-type"] == "image/png"
    for other in ("300", "0", "x", "200.png"):
        assert guest.get(f"{FIRST}/grids/{other}").status_code == 404


def test_hostile_names_stay_text(guest: TestClient, root: Path) -> None:
    name = "<img src=x onerror=alert(1)>"
    config = RECIPES["attention-gan"]().to_dict()
    config["data"]["source"] = name
    make_run(root, name, reason=name, config=config, status=name, recipe=name)
    for place in ("/", f"/runs/{key_of(name)}", "/new"):
        text = guest.get(place).text
        assert html.escape(name) in text
        assert "<img src=x" not in text


def test_what_is_no_text_is_shown_as_its_code(guest: TestClient, root: Path) -> None:
    name = "bytes \udcff"
    config = RECIPES["attention-gan"]().to_dict()
    config["data"]["source"] = name
    make_run(root, "odd", reason=name, config=config, status=name, recipe=name, why=[name])
    for place in ("/", f"/runs/{key_of('odd')}", "/new"):
        answer = guest.get(place)
        assert answer.status_code == 200
        assert "\\udcff" in answer.text


def test_a_folder_that_disappears_is_said_and_may_come_back(
    guest: TestClient, root: Path, desk: Desk
) -> None:
    shutil.move(root, root.with_name("elsewhere"))
    assert "cannot be read" in guest.get("/").text
    assert guest.get(FIRST).status_code == 404
    shutil.move(root.with_name("elsewhere"), root)
    assert guest.get(FIRST).status_code == 200


def test_events_hold_what_has_changed_and_only_that() -> None:
    states = iter([{"a": 1, "b": 2}, {"a": 1, "b": 2}, {"a": 1, "b": 3}])

    async def two() -> list[Any]:
        stream = events.changes(lambda: next(states), every_s=0.0)
        return [json.loads((await anext(stream)).removeprefix("data: ")) for _ in range(2)]

    assert asyncio.run(two()) == [{"a": 1, "b": 2}, {"b": 3}]


def test_what_changes_of_a_run_is_sent(desk: Desk, root: Path) -> None:
    parts = Answers(desk)._parts(key_of("first"))
    assert parts["grids"] == [200, 400]
    charts = {chart["key"]: chart for chart in parts["curves"]}
    assert charts["losses"]["data"][0] == [100.0 * number for number in range(1, 7)]
    assert charts["losses"]["data"][2] == [0.5] * 6
    assert charts["distance"]["names"] == ["generated images", "real images"]
    shutil.rmtree(root / "first")
    assert "is gone" in Answers(desk)._parts(key_of("first"))["gone"]


def test_too_many_open_pages_are_refused(
    guest: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST_STREAMS", 0)
    assert guest.get("/events").status_code == 429


def test_fewer_than_two_runs_are_nothing_to_compare(guest: TestClient) -> None:
    for query in ("", f"?run={key_of('first')}", f"?run={key_of('first')}&run={key_of('first')}"):
        assert guest.get(f"/compare{query}").status_code == 400
    assert guest.get(f"/compare?run={key_of('first')}&run=x").status_code == 404
