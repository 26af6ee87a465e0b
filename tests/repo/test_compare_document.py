"""What docs/compare.md shows can be typed, and says what the tests do."""

import re
import shlex
from pathlib import Path

import pytest

from orthogan import experiments as comparison
from orthogan.cli import main
from orthogan.statistics.paired import paired_test

TEXT = (Path(__file__).parents[2] / "docs" / "compare.md").read_text()
COMMANDS = re.findall(r"^orthogan (compare [^#>\n]*)", TEXT, re.MULTILINE)


def test_there_are_commands():
    assert len(COMMANDS) > 5


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_is_understood(line, monkeypatch):
    asked = []

    def noted(*runs, **options):
        asked.append((runs, options))
        return comparison.Comparison(status="planned", reason="Noted.")

    monkeypatch.setattr(comparison, "compare", noted)
    assert main(shlex.split(line)) == 0
    ((runs, options),) = asked
    assert bool(runs) != bool(options["vary"])


@pytest.mark.usefixtures("one_thread")
def test_the_example_runs(scored_file, tiny_settings, feature_cache, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ORTHOGAN_CACHE", str(feature_cache))
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    tiny = f"source={str(scored_file)!r}, settings={tiny_settings()!r}, num_images=160"
    assert "seeds=5, minutes=2" in example
    exec(example.replace("seeds=5, minutes=2", f"seeds=2, images=32, {tiny}"), {})
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "generator.score=softmax: The others are compared with it."
    assert printed[1].startswith("generator.score=cosine: ")
    assert printed[2].startswith("fd[general@")


def test_the_least_p_values_are_those_of_the_test():
    for seeds in (5, 6):
        least = paired_test([float(seed) for seed in range(1, seeds + 1)]).least
        assert str(least) in TEXT
