"""A language run without a bundle, as `orthogan geometry` meets it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from orthogan.analysis.api import analyze
from orthogan.analysis.network_tables import read_network
from orthogan.analysis.trained import has_language, is_trained, unfinished_language
from orthogan.cli.entry import run as command
from orthogan.errors import BundleError, ConfigError, DataError, ResumeError


@pytest.fixture
def text(tiny_text: Path, tmp_path: Path) -> Path:
    """A text of this test's own, to be changed."""
    return Path(shutil.copy(tiny_text, tmp_path / "own.txt"))


@pytest.fixture
def unfinished(learn_tiny, text: Path, tmp_path: Path) -> Path:
    """A run as if it were still training."""
    run = tmp_path / "run"
    learn_tiny(run, "network.positions=sinusoidal", source=text, tokens=96)
    assert unfinished_language(run) is None
    shutil.move(run / "bundle", tmp_path / "bundle")
    return run


def test_it_is_read_from_its_newest_checkpoint(unfinished: Path) -> None:
    assert is_trained(unfinished)
    assert not has_language(unfinished)
    assert unfinished_language(unfinished) == unfinished
    found = analyze(unfinished, limit=5, corrections=()).tables
    whole = analyze(unfinished.parent / "bundle", limit=5, corrections=()).tables
    assert (found.labels, found.source) == (whole.labels, str(unfinished))
    assert len(found.tokens) == 5
    assert torch.equal(found.tokens, whole.tokens)
    assert torch.equal(found.positions, whole.positions)
    assert torch.equal(found.heads[0][1].query, whole.heads[0][1].query)
    with pytest.raises(ConfigError, match="limit is at least 1"):
        analyze(unfinished, limit=0)


def test_the_command_reads_it(unfinished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["geometry", str(unfinished), "--json", "--repair", "none"]) == 0
    tree = json.loads(capsys.readouterr().out)
    assert (tree["source"], tree["tokens"], tree["own_codes"]) == (str(unfinished), 12, True)
    assert command(["geometry", str(unfinished), "--network", "generator"]) == 3
    assert "a language model is trained here, not a generator" in capsys.readouterr().err


def test_a_run_that_has_changed_is_refused(unfinished: Path, text: Path) -> None:
    with pytest.raises(BundleError, match="repeat its command"):
        read_network(unfinished)
    record = json.loads((unfinished / "run.json").read_text())
    for name, value, words in [("width", 10, "do not fit"), ("positions", "round", "be built")]:
        network = record["config"]["network"] | {name: value}
        changed = record | {"config": record["config"] | {"network": network}}
        (unfinished / "run.json").write_text(json.dumps(changed))
        with pytest.raises(BundleError, match=words):
            analyze(unfinished)
    (unfinished / "run.json").write_text(json.dumps(record))
    text.write_text(text.read_text() + "more")
    with pytest.raises(DataError, match=r"own.txt: not the text that .*run learns from; restore"):
        analyze(unfinished)
    shutil.rmtree(unfinished / "checkpoints")
    with pytest.raises(ResumeError, match="no checkpoint yet; repeat its command"):
        analyze(unfinished)
