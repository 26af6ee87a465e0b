"""The studio in Chromium: a run is started, watched, stopped, resumed and explored."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import Seen, Visit, needed, visited
from hostile import hostile

from orthogan.gan.recipes import RECIPES
from orthogan.studio.shelf import key_of
from orthogan.training.run_folder import RunFolder
from orthogan.training.stop_request import ask_to_stop

PATIENCE_MS = 120_000  # of the frame: a command makes its page first
NUM_HOSTILE = 60
TINY = "new-from-the-page"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    needed()
    command = [sys.executable, "-m", "orthogan", "studio", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            for run in folder.glob("*/run.json"):
                ask_to_stop(run.parent)
            process.terminate()


def until(condition: str) -> tuple[Any, ...]:
    return ("until", condition)


STATUS = "document.querySelector('#live .badge')?.textContent"
SEEN = "Number(document.querySelector('#live dd')?.textContent.replaceAll(',', ''))"
CURVE = "document.querySelector('#curves canvas').toDataURL()"
IMAGE = "document.querySelector('#large').toDataURL()"


def quiet(seen: Seen, address: str) -> None:
    """No message, and nothing asked of anybody but the studio."""
    own = address.partition("?")[0]
    assert seen.messages == []
    assert seen.dialogs == 0
    assert [each for each in seen.requests if not each.startswith(own)] == []


def fields(values: dict[str, str]) -> str:
    """Fills in a form, parts that are folded away as well."""
    return "".join(f"document.getElementById({name!r}).value = {value!r};"
                   for name, value in values.items())  # fmt: skip


@pytest.fixture(scope="module")
def run(address: str, tiny_settings: Callable[..., tuple[str, ...]]) -> str:
    """The address of a run that was started, stopped, resumed and stopped again on its page."""
    settings = dict(each.split("=") for each in tiny_settings("attention-gan"))
    values = {f"set:{name}": value for name, value in settings.items()}
    values |= {"name": TINY, "amount": "3", "threads": "1", "set:checkpoint_every_s": "1",
               "set:score_every_s": "3"}  # fmt: skip
    (seen,) = visited(Visit(address=address, steps=(
        ("click", "text=Start a run"),
        until("location.pathname === '/new' && document.readyState === 'complete'"),
        fields(values),
        ("click", "button.main >> nth=0"),
        until(f"{STATUS} === 'running' && {SEEN} > 0"),
        until("document.querySelector('#curves canvas') && document.querySelector('#grid').src"),
        SEEN, CURVE, "window.before = " + SEEN, "window.curve = " + CURVE,
        until(f"{SEEN} > before && {CURVE} !== curve"),
        ("click", "text=Stop"),
        until(f"{STATUS} === 'interrupted'"),
        SEEN,
        ("click", "text=Go on"),
        until(f"{STATUS} === 'running'"),
        "window.before = " + SEEN,
        until(f"{SEEN} > before"),
        ("click", "text=Stop"),
        until(f"{STATUS} === 'interrupted'"),
        SEEN,
        "document.querySelector('#live').textContent",
        "location.href",
    )))  # fmt: skip
    quiet(seen, address)
    early, stopped, later = seen.values[6], seen.values[13], seen.values[-3]
    assert 0 < early < stopped < later
    assert "everything is saved" in seen.values[-2]
    return str(seen.values[-1])


def test_a_fork_begins_from_a_checkpoint(address: str, run: str) -> None:
    (seen,) = visited(Visit(address=address, steps=(
        ("goto", run),
        ("click", "a:text-is('Fork')"),
        until("location.pathname === '/new' && document.readyState === 'complete'"),
        "document.querySelector('h1').textContent",
        "Number(document.querySelectorAll('#begin option')[1].value)",
        ("selectOption", "#begin", {"index": 1}),
        ("click", "button.main >> nth=0"),
        until(f"{STATUS} === 'running' && {SEEN} > 0"),
        "window.begun = " + SEEN,
        until(f"{SEEN} > begun"),
        ("click", "text=Stop"),
        until(f"{STATUS} === 'interrupted'"),
        SEEN,
        "document.querySelector('#timeline').textContent",
    )))  # fmt: skip
    quiet(seen, address)
    begin, end = seen.values[4], seen.values[-2]
    assert seen.values[3] == f"Fork of {TINY}"
    assert 0 < begin < end
    assert seen.values[8] >= begin
    assert f"from a checkpoint of {TINY}" in seen.values[-1]


def test_a_latent_is_dragged_and_a_patch_pointed_at(address: str, run: str) -> None:
    has_drawn = "document.querySelector('#said')?.textContent !== 'Drawing...'"
    drawn = ("within", "#view", "until", has_drawn)
    (seen,) = visited(Visit(address=address, steps=(
        ("goto", run),
        ("click", "text=Explore latents and attention"),
        ("waitForSelector", "#wait", {"state": "hidden", "timeout": PATIENCE_MS}),
        drawn,
        ("within", "#view", IMAGE),
        ("within", "#view", "fill", "#direction-0", "3"),
        ("waitForTimeout", 500),
        ("within", "#view", IMAGE),
        ("within", "#view", "document.querySelector('#attended').textContent"),
        ("within", "#view", "hover", "#stage"),
        ("waitForTimeout", 300),
        ("within", "#view", "document.querySelector('#attended').textContent"),
        # From inside of the frame nothing of the studio can be reached.
        ("within", "#view", "fetch('/new').then(() => 'reached', () => 'refused')"),
        ("within", "#view", "origin"),
    )))  # fmt: skip
    assert [each for each in seen.messages if "Content Security Policy" not in each] == []
    before, after = seen.values[4], seen.values[7]
    assert before.startswith("data:image/png")
    assert before != after
    assert seen.values[8] != seen.values[11]
    assert seen.values[12:] == ["refused", "null"]


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(address: str, run: str, width: int, scheme: str) -> None:
    own = address.partition("?")[0]
    fits = "document.documentElement.scrollWidth <= innerWidth"
    visits = [
        Visit(address=address, width=width, scheme=scheme, axe=axe,
              steps=(("goto", place), ("waitForTimeout", 1500), fits))
        for place in (own, f"{own}new?from={run.rpartition('/')[2]}", run) for axe in (False, True)
    ]  # fmt: skip
    for visit, seen in zip(visits, visited(*visits), strict=True):
        if visit.axe:
            assert seen.violations == [], visit.steps
        else:
            quiet(seen, address)
            assert seen.values[-1] is True, visit.steps


def test_names_run_nothing(address: str, folder: Path) -> None:
    config = RECIPES["attention-gan"]().to_dict()
    for at, name in enumerate(hostile(NUM_HOSTILE)):
        made = "".join(each for each in name if each not in "/\0")[:80].strip(". ") or "x"
        own = config | {"data": config["data"] | {"source": name}}
        try:
            run = RunFolder.open(folder / f"{at}{made}", own, {"command": name}, recipe=name)
        except (OSError, ValueError):
            continue  # no name of a folder
        run.append_metrics({"images_seen": 9, "event": "escape", "reason": name})
        run.update_status(name, reason=name, images_seen=9)
        run.close()
    keys = [key_of(path.parent.name) for path in sorted(folder.glob("*[<&]*/run.json"))]
    own = address.partition("?")[0]
    injected = (
        "[...document.querySelectorAll('*')].filter(e => [...e.attributes].some("
        "a => a.name.startsWith('on')) || e.matches('iframe, main script')).length"
    )
    places = [own, f"{own}new", *(f"{own}runs/{key}" for key in keys[:8])]
    assert len(places) == 10
    steps = [step for place in places for step in (("goto", place), ("waitForTimeout", 1500),
             injected)]  # fmt: skip
    (seen,) = visited(Visit(address=address, steps=tuple(steps)))
    quiet(seen, address)
    assert seen.values[2::3] == [0] * len(places)


def test_runs_are_told_apart_and_compared(address: str, run: str) -> None:
    (seen,) = visited(Visit(address=address, steps=(
        ("waitForTimeout", 1500),
        ("click", "text=Compare the chosen runs"),
        "document.querySelector('h1').textContent",
    )))  # fmt: skip
    assert seen.values[-1] == "Not here"
    assert all("400" in each for each in seen.messages)
