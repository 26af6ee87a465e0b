"""Families against the library itself; `benchmarks/families.py` holds every kind to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip(
    "transformers", reason="transformers is not installed: nothing to hold the families to"
)

import families

pytestmark = pytest.mark.filterwarnings("ignore")

KINDS = [
    "bert", "gpt2", "openai-gpt", "roberta", "biogpt", "opt", "opt:word_embed_proj_dim=32", "bart",
    "bart:scale_embedding=false", "xglm", "marian", "m2m_100", "fsmt", "ctrl", "llama", "gemma2",
    "granite", "t5", "bloom", "falcon", "falcon:alibi=true", "roformer", "deberta",
    "deberta:position_biased_input=false", "esm", "layoutlm", "mamba", "clip", "groupvit",
    "vit", "deit", "dinov2_with_registers", "siglip_vision_model",
]  # fmt: skip
REFUSED = {"canine": "hash tables", "mobilebert": "joined for each token"}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.mark.parametrize("kind", [*KINDS, *REFUSED])
def test_what_is_read_is_what_the_library_adds(kind: str, tmp_path: Path) -> None:
    built = families.build(kind, tmp_path)
    assert "not built" not in built, built
    found = families.compare(tmp_path)
    if kind in REFUSED:
        assert found["verdict"] == "refused"
        assert REFUSED[kind] in found["why"]
    else:
        assert found["verdict"] == "agrees", found


def test_a_wrong_reading_is_found(tmp_path: Path) -> None:
    """The comparison itself: the same weights under the name of another family."""
    families.build("biogpt", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    wrongs = []
    for change in ({"model_type": "bert"}, {"scale_embedding": False}, {"model_type": "llama"}):
        (tmp_path / "config.json").write_text(json.dumps(config | change))
        found = families.compare(tmp_path)
        assert found["verdict"] == "wrong", change
        wrongs.append(found["why"])
    assert wrongs[0].startswith("tokens: 0.125 times")
