"""What every registered exporter promises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orthogan.errors import OrthoganError
from orthogan.export import EXPORTERS
from orthogan.testing.contract import Contract


class ExporterContract(Contract):
    """A model becomes the one file that was asked for, or nothing at all."""

    registry = EXPORTERS

    def test_a_model_becomes_the_file_that_was_asked_for(self, name: str, tmp_path: Path) -> None:
        exporter = EXPORTERS[name]
        assert exporter.suffix.startswith(".")
        out = tmp_path / f"model{exporter.suffix}"
        made = exporter.write("mnist-demo", out)
        assert json.loads(json.dumps(made.facts))["out"] == str(out)
        assert made.facts["bytes"] == out.stat().st_size > 0
        assert str(out) in made.summary
        assert list(tmp_path.iterdir()) == [out]  # and nothing beside it

    def test_what_is_no_model_leaves_nothing_behind(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(OrthoganError):
            EXPORTERS[name].write("no-such-model", tmp_path / f"x{EXPORTERS[name].suffix}")
        assert not list(tmp_path.iterdir())
