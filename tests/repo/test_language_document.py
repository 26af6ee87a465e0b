"""What docs/language.md shows is what happens."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from orthogan.cli import main
from orthogan.language import session

DOCUMENT = (Path(__file__).parents[2] / "docs" / "language.md").read_text()
# So small that a step takes milliseconds.
TINY = (
    *("--set", "network.width=8", "--set", "network.context=8", "--set", "batch_size=4"),
    *("--set", "network.blocks=1"),
)


@pytest.fixture(autouse=True)
def short_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples of a finished run are as tiny as the run."""
    monkeypatch.setattr(session, "SAMPLE_TOKENS", 5)


def test_the_python_of_the_document_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    space: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL):
        exec(block.replace("tokens=20_000", "tokens=256"), space)
    said = capsys.readouterr().out.splitlines()
    assert float(said[0]) > 0
    assert len(said[1]) == 20
    assert any(line.startswith("Tables(12 tokens x 32") for line in said)
    assert float(said[-1]) <= 1


def test_the_commands_of_the_document_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("emma.txt").write_text("it is a truth that she was, and was not. " * 60)
    lines = re.findall(r"^orthogan .*$", DOCUMENT, re.MULTILINE)
    assert {line.split()[1] for line in lines} == {"language", "generate"}
    for line in lines:
        words = shlex.split(line)[1:]
        if words[0] == "language":
            place = words.index("--for")
            words[place : place + 2] = ["--tokens", "32", *TINY]
        else:
            words[words.index("--length") + 1] = "5"
        assert main(words) == 0, (line, capsys.readouterr().err)
