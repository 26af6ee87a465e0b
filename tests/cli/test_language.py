"""`orthogan language` and `orthogan generate`: what they ask, print, write and refuse."""

from __future__ import annotations

import inspect
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import orthogan.language
from orthogan.language import api, model, session

SCORE = {
    "scores": {"bits_per_character": {"value": 2.0, "low": 1.9, "high": 2.1, "floor": 4.4, "n": 9}},
    "bits_per_token": 2.0,
}


@dataclass
class FakeModels:
    """Records calls; answers what a test puts into its fields."""

    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)
    status: str = "done"
    kind: str = "characters"

    def _record(self, name: str, *args: Any, **options: Any) -> None:
        self.calls.append((name, args, options))

    def train_language(self, source: str | None, **options: Any) -> Any:
        self._record("train_language", source, **options)
        facts = {
            "status": self.status,
            "tokens_seen": 64_000,
            "seconds": 30.2,
            "scores": {"bits_per_character": 2.25},
            "score": SCORE if self.status == "done" else {},
        }
        return SimpleNamespace(
            path=Path("runs/emma"),
            reason="The time was up.",
            next_command="orthogan generate runs/emma",
            to_dict=lambda: facts | {"path": "runs/emma"},
            **facts,
        )

    def resolve_language(self, source: str | None, **options: Any) -> Any:
        self._record("resolve_language", source, **options)
        return SimpleNamespace(to_dict=lambda: {"data": source, "network": {"width": 8}})

    def load_language(self, source: str, **options: Any) -> Any:
        self._record("load_language", source, **options)

        def generate(prompt: str, **asked: Any) -> str:
            self._record("generate", prompt, **asked)
            return f"text {asked['seed']}"

        tokenizer = SimpleNamespace(
            kind=self.kind, unknown_pieces=lambda prompt: sorted(set(prompt) & set("\u00e9\u00e8"))
        )
        return SimpleNamespace(path=Path(source), note="", generate=generate, tokenizer=tokenizer)


@pytest.fixture
def fake(cli: Any, monkeypatch: pytest.MonkeyPatch) -> FakeModels:
    """The stand-in, in the place of what `orthogan.language` does."""
    stand_in = FakeModels()
    for name in ("api", "model"):
        monkeypatch.setitem(sys.modules, f"orthogan.language.{name}", stand_in)
        monkeypatch.setattr(orthogan.language, name, stand_in, raising=False)
    return stand_in


def test_training_options_are_passed_on(cli, fake: FakeModels) -> None:
    answer = cli(
        *("language", "emma.txt", "--for", "90s", "--run", "here", "--seed", "7"),
        *("--device", "cpu", "--threads", "2", "--tokenizer", "words", "--set", "a=b"),
        *("--config", "c.toml"),
    )
    assert answer.code == 0
    assert fake.calls == [
        (
            "train_language",
            ("emma.txt",),
            {
                "minutes": 1.5,
                "tokens": None,
                "run": Path("here"),
                "seed": 7,
                "device": "cpu",
                "threads": 2,
                "settings": ["a=b"],
                "config": Path("c.toml"),
                "tokenizer": "words",
            },
        )
    ]


@pytest.mark.parametrize("words", [("x",), ("x", "--tokens", "500k"), ("x", "--dry-run")])
def test_what_is_passed_on_is_what_the_python_interface_takes(cli, fake, words) -> None:
    assert cli("language", *words).code == 0
    name, args, options = fake.calls[0]
    bound = (
        inspect.signature(getattr(model if name.startswith("load") else api, name))
        .bind(*args, **options)
        .arguments
    )
    if "--tokens" in words:
        assert (bound["tokens"], bound["minutes"]) == (500_000, None)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("language", "x", "--for", "0"), "Expected a duration"),
        (("language", "x", "--tokens", "0"), "A count is a whole number above zero"),
        (("language", "x", "--for", "5m", "--tokens", "3"), "--for and --tokens exclude"),
        (("language", "x", "--device", "cud"), "Unknown device 'cud'. Did you mean 'cuda'?"),
        (("generate", "x", "--device", "cud"), "Unknown device 'cud'. Did you mean 'cuda'?"),
        (("generate", "x", "--seeds", "3-1"), "A range of seeds goes upward"),
        (("generate", "x", "--out", "y", "--json"), "--out and --json exclude one another"),
        (("generate", "x", "--length", "0"), "Invalid value for '--length'"),
        (("generate", "x", "--temperature", "-1"), "Invalid value for '--temperature'"),
        (("generate", "x", "--top", "0"), "Invalid value for '--top'"),
    ],
)
def test_impossible_options_are_refused(cli, fake, words: tuple[str, ...], sentence: str) -> None:
    answer = cli(*words)
    assert (answer.code, answer.out, fake.calls) == (2, "", [])
    assert answer.err.startswith(f"orthogan: {sentence}")


@pytest.mark.parametrize(("status", "code"), [("done", 0), ("interrupted", 130), ("preempted", 75)])
def test_training_ends_with_why_and_what_next(cli, fake, status: str, code: int) -> None:
    fake.status = status
    answer = cli("language", "emma.txt")
    assert answer.code == code
    assert answer.err.splitlines()[-1] == "The time was up. Next: orthogan generate runs/emma"
    rows = [line.split() for line in answer.out.splitlines()]
    done = ["bits_per_character", "2", "1.9", "to", "2.1", "4.4", "9"]
    assert (done in rows) == (status == "done")
    assert (["bits_per_character", "2.25"] in rows) == (status != "done")
    assert ["tokens", "64,000"] in rows


def test_json_and_dry_runs_are_one_document(cli, fake) -> None:
    assert json.loads(cli("language", "x", "--json").out)["tokens_seen"] == 64_000
    assert json.loads(cli("language", "x", "--dry-run", "--json").out)["network"] == {"width": 8}
    assert "network:" in cli("language", "x", "--dry-run").out
    assert [name for name, *_ in fake.calls[1:]] == ["resolve_language", "resolve_language"]


def test_generation_options_are_passed_on(cli, fake: FakeModels) -> None:
    answer = cli(
        *("generate", "runs/emma", "--prompt", "It is", "--length", "9", "--seeds", "3,5"),
        *("--temperature", "0.5", "--top", "4", "--device", "cpu", "--threads", "1"),
    )
    assert (answer.code, answer.out) == (0, "It istext 3\n\nIt istext 5\n")
    load, first, second = fake.calls
    assert load == ("load_language", ("runs/emma",), {"device": "cpu", "threads": 1})
    options = {"length": 9, "seed": 3, "temperature": 0.5, "top": 4}
    assert first == ("generate", ("It is",), options)
    assert second == ("generate", ("It is",), options | {"seed": 5})
    inspect.signature(model.LanguageModel.generate).bind(None, *first[1], **first[2])


def test_words_are_set_apart_from_the_prompt(cli, fake) -> None:
    fake.kind = "words"
    assert cli("generate", "x", "--prompt", "It is").out == "It is text 0\n"
    assert cli("generate", "x").out == "text 0\n"


def test_texts_in_a_file_and_as_json(cli, fake) -> None:
    answer = cli("generate", "x", "--seeds", "0-1", "--out", "texts.txt")
    assert (answer.code, answer.out, answer.err) == (0, "", "Wrote 2 texts: texts.txt\n")
    assert Path("texts.txt").read_text() == "text 0\n\ntext 1\n"
    tree = json.loads(cli("generate", "x", "--prompt", "a", "--json").out)
    assert tree == {"model": "x", "prompt": "a", "texts": [{"seed": 0, "text": "text 0"}]}


def test_the_whole_way(cli, one_thread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "SAMPLE_TOKENS", 5)
    Path("rhyme.txt").write_text("the cat sat on the mat. " * 60)
    sizes = ("network.width=8", "network.blocks=1", "network.context=8", "batch_size=4")
    words = [word for size in sizes for word in ("--set", size)]
    answer = cli("language", "rhyme.txt", "--tokens", "64", *words)
    assert answer.code == 0, answer.err
    assert answer.err.splitlines()[-1].endswith("Next: orthogan generate runs/rhyme-language-0")
    answer = cli("generate", "runs/rhyme-language-0", "--prompt", "the", "--length", "12")
    assert answer.code == 0
    assert answer.out.startswith("the")
    assert len(answer.out) == 3 + 12 + 1
    assert cli("generate", "runs/nowhere").code == 2


def test_unknown_pieces_of_a_prompt_are_said(cli, fake: FakeModels) -> None:
    answer = cli("generate", "runs/emma", "--prompt", "caf\u00e9")
    assert answer.code == 0
    assert "not in the model's vocabulary, so read as <unk>: '\\xe9'." in answer.err.lower()
    assert "vocabulary" not in cli("generate", "runs/emma", "--prompt", "cafe").err
