"""The page about the founding notes, and those it leads to: commands run, numbers are measured."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from orthogan.cli.entry import run as command
from orthogan.rng import stream

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
NOTES = (ROOT / "docs" / "notes.md").read_text()
PAGES = ("notes", "sinusoids", "turns", "frames", "correlation", "equivariance", "organize")
NUMBER = re.compile(
    r"\[\*\*(?P<said>[^*]+)\*\*\]"
    r"\(\.\./benchmarks/results/(?P<file>[\w.-]+\.json) \"(?P<path>[^\"]+)\"\)"
)
COMMANDS = sorted(set(re.findall(r"```\n(orthogan .*?)\n```", NOTES)))
LINES = re.split(r"\n(?=\*\*\d+\. )", NOTES)[1:]


def numbers(page: str) -> list[tuple[str, str, str]]:
    text = " ".join((ROOT / "docs" / f"{page}.md").read_text().split())
    return [(found["said"], found["file"], found["path"]) for found in NUMBER.finditer(text)]


def looked_up(file: str, path: str) -> Any:
    found = json.loads((RESULTS / file).read_text())
    for key in path.split(" / "):
        found = found[int(key)] if isinstance(found, list) else found[key]
    return found


def is_rounded(said: str, value: float) -> bool:
    """Whether a number as it is written is the value, rounded to as many digits."""
    written = said.removesuffix(" %").replace(",", "")
    mantissa, _, power = written.partition("e")
    digits = len(mantissa.partition(".")[2])
    scale = 100.0 if said.endswith("%") else 1.0
    scaled = scale * value / 10.0 ** int(power or 0)
    return abs(float(mantissa) - scaled) <= 0.5000001 * 10.0**-digits


@pytest.mark.parametrize("page", PAGES)
def test_each_number_stands_in_the_record_it_names(page: str) -> None:
    found = numbers(page)
    assert found
    text = (ROOT / "docs" / f"{page}.md").read_text()
    assert len(found) == len(re.findall(r"\.json\s+\"", text))
    wrong = [
        (said, path, looked_up(file, path))
        for said, file, path in found
        if not is_rounded(said, looked_up(file, path))
    ]
    assert not wrong


def test_a_number_that_is_not_the_records_is_found() -> None:
    assert is_rounded("93.4 %", 0.93444)
    assert is_rounded("3e-15", 2.66e-15)
    assert is_rounded("-.027", -0.0269)
    assert is_rounded("6,283", 6283)
    assert not is_rounded("93.5 %", 0.93444)
    assert not is_rounded("2e-15", 2.66e-15)


def test_each_line_has_an_answer_a_page_and_a_command() -> None:
    assert len(LINES) >= 35
    for place, line in enumerate(LINES, 1):
        assert line.startswith(f"**{place}. *"), line
        assert re.search(r"\]\((?!\.\./benchmarks)[\w-]+\.md", line), line
        assert line.count("```\northogan ") == 1, line


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a few images and a short text, as the commands name them."""
    folder = tmp_path_factory.mktemp("notes")
    images = folder / "my-images"
    for kind in ("a", "b"):
        (images / kind).mkdir(parents=True)
        for number in range(40):
            pixels = stream(number, kind).integers(0, 256, (16, 16), dtype="uint8")
            Image.fromarray(pixels).save(images / kind / f"{number}.png")
    words = "the cat sat on the mat and the dog lay on the rug ."
    (folder / "my-text.txt").write_text(f"{words}\n" * 60)
    return folder


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_runs(
    place: Path, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    words = shlex.split(line)
    assert words[0] == "orthogan"
    assert command(words[1:]) == 0, capsys.readouterr().err
