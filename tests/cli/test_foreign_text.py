"""Text of others in every command: any encoding, any stream; nothing that steers a terminal."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forking import FULL, Answer, Forks
from PIL import Image

ODD = "my [red]letters\x1b[31m\u202e\u0928\udcff"
PROMPT = ODD.removesuffix("\udcff")  # which has to be text
CLASSES = ("[red]cats", "a, \x07b", "caf\u00e9 \u0928", "e\u202emus\udcff")
TEXT = "To be\x1b[2J or not\u202e to be, caf\u00e9: \u0928\u0947 [red]. " * 60
WORDS = ("[red]", "caf\u00e9", "\u202eback", "\u0928\u0947", "\x1b[31m", *"abcdefgh")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, and names of any bytes")


@pytest.fixture(scope="module")
def forks(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_settings: Any,
    tiny_classifier: tuple[str, ...],
    feature_cache: Path,
) -> Iterator[Forks]:
    """A folder with a run of each kind, all of it oddly named, and a process to ask."""
    folder = tmp_path_factory.mktemp("odd")
    draws = np.random.default_rng(0)
    for name in CLASSES:
        (folder / "pets" / name).mkdir(parents=True)
        for number in range(8):
            pixels = draws.integers(0, 255, (16, 16), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "pets" / name / f"{number}\x1b\udcfe.png")
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    rows = [" ".join([word, *(f"{x:.3f}" for x in draws.normal(size=6))]) for word in WORDS]
    (folder / "vectors.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORTHOGAN_CACHE", str(feature_cache))
        asked = Forks(folder)
    for words in (
        ("train", "pets", "--images", "64", *_set(*tiny_settings(), "condition=classes")),
        ("classify", "pets", "--images", "64", *_set(*tiny_classifier)),
        ("language", "text.txt", "--tokens", "64", *_set("network.width=8", "network.blocks=1")),
    ):
        sizes = _set("network.context=8") if words[0] == "language" else ()
        done = asked.run(*words, *sizes, "--threads", "1", "--run", f"runs/{ODD}-{words[0]}")
        assert done.code == 0, done.err.decode()
    yield asked
    asked.close()


def _set(*settings: str) -> tuple[str, ...]:
    return tuple(word for setting in settings for word in ("--set", setting))


GAN, CLASSIFIER, LANGUAGE = (f"runs/{ODD}-{kind}" for kind in ("train", "classify", "language"))
COMMANDS = {
    "train": ("train", "pets", "--images", "64", "--set", "condition=classes", "--dry-run"),
    "recipes": ("recipes", "attention-gan"),
    "runs": ("runs", "runs"),
    "sample": ("sample", GAN, "--seeds", "0-1", "--classes", f'"{CLASSES[1]}"', "--out", ODD),
    "sample it": ("sample", GAN, "--seeds", "0-1", "--out", f"{ODD}.png"),
    "no class": ("sample", GAN, "--classes", f"{CLASSES[0]}\x1b"),
    "no model": ("sample", f"{ODD}/none"),
    "export": ("export", GAN, "--out", f"{ODD}.onnx"),
    "predict": ("classify", "--classifier", CLASSIFIER, "--predict", "pets"),
    "score": ("classify", "--classifier", CLASSIFIER, "--test", "pets", "--look", f"{ODD}.png"),
    "generate": ("generate", LANGUAGE, "--prompt", f"be{PROMPT}", "--length", "60"),
    "generate out": ("generate", LANGUAGE, "--prompt", f"be{PROMPT}", "--out", f"{ODD}.txt"),
    "geometry": ("geometry", "vectors.txt", "--num-positions", "4", "--out", f"{ODD}.html"),
    "geometry run": ("geometry", LANGUAGE),
    "compare": ("compare", "--data", "pets", "--seeds", "1", "--plan", "--out", f"{ODD}-compare",
                "--vary", "condition=classes,none"),
    "usage": ("sample", "--bogus\x1b"),
    "setting": ("train", "pets", "--set", f"{ODD}=1", "--dry-run"),
}  # fmt: skip
CODES = {"no class": 2, "no model": 2, "usage": 2, "setting": 2}
WITHOUT_JSON = {"generate out"}


def steers(text: str) -> set[str]:
    """The characters of a text that a terminal obeys instead of showing them."""
    unseen = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return {c for c in text if unicodedata.category(c) in unseen} - set("\n\t\u200c\u200d")


def check(name: str, done: Answer, encoding: str) -> None:
    """What holds of every command."""
    said = done.err.decode(encoding)
    assert done.code == CODES.get(name, 0), said
    assert not steers(done.out.decode(encoding))
    assert not steers(said)
    assert "Unexpected" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_any_encoding_takes_what_is_shown(forks: Forks, name: str, encoding: str) -> None:
    done = forks.run(*COMMANDS[name], encoding=encoding)
    check(name, done, encoding)
    assert bool(done.out) == (name not in {*CODES, "generate out"})


@pytest.mark.parametrize(
    ("name", "err"),
    [
        *((name, "closed") for name in COMMANDS if name not in WITHOUT_JSON),
        *((name, err) for name in ("predict", "no model") for err in ("file", "full", "gone")),
    ],
)
def test_json_stays_one_document(forks: Forks, name: str, err: str) -> None:
    done = forks.run(*COMMANDS[name], "--json", encoding="ascii", err=err)
    assert done.code == CODES.get(name, 0)
    assert bool(done.err) <= (err == "file")
    if done.code == 0:
        assert done.document
    else:
        assert done.out == b""


@pytest.mark.parametrize(
    ("name", "out"),
    [*((name, "gone") for name in COMMANDS), ("runs", "closed"), ("score", "closed")],
)
def test_nobody_reads_the_result(forks: Forks, name: str, out: str) -> None:
    check(name, forks.run(*COMMANDS[name], out=out), "utf-8")


def test_a_requirement_counts_when_nobody_reads_on(forks: Forks) -> None:
    words = ("geometry", "vectors.txt", "--num-positions", "4", "--require", "kept>=2")
    for out in ("gone", "closed", "file"):
        assert forks.run(*words, out=out).code == 7


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
@pytest.mark.parametrize("name", ["recipes", "predict", "generate", "generate out", "no model"])
def test_the_disk_behind_the_result_is_full(forks: Forks, name: str) -> None:
    done = forks.run(*COMMANDS[name], out="full")
    if name in CODES or name == "generate out":
        check(name, done, "utf-8")
        return
    assert done.code == 3
    assert done.err.endswith(
        b"orthogan: The disk is full; free some space and repeat the command.\n"
    )


@pytest.mark.parametrize(("out", "err"), [("closed", "closed"), ("gone", "gone")])
def test_nobody_listens_at_all(forks: Forks, out: str, err: str) -> None:
    for name in ("runs", "sample it", "no model", "predict"):
        assert forks.run(*COMMANDS[name], out=out, err=err).code == CODES.get(name, 0)


def test_training_goes_on_when_nobody_listens(forks: Forks) -> None:
    record = json.loads((forks.folder / GAN / "run.json").read_text())
    words = ("train", "pets", "--images", "64", *_settings_of(record), "--run", "runs/alone")
    for err in ("gone", "full", "closed"):
        done = forks.run(*words, "--json", err=err)
        assert (done.code, done.document["status"]) == (0, "done")


def test_names_are_shown_with_their_brackets(forks: Forks) -> None:
    said = forks.run(*COMMANDS["score"]).out.decode()
    for name in ("[red]cats", "a, \\x07b", "caf\u00e9 \u0928", "e\\u202emus\\udcff"):
        assert name in said
    assert '0 [red]cats, 1 "a, \\x07b"' in forks.run("runs", "runs").out.decode()


def test_what_is_written_is_utf_8(forks: Forks) -> None:
    forks.run(*COMMANDS["generate out"], encoding="ascii")
    text = (forks.folder / f"{ODD}.txt").read_text(encoding="utf-8")
    assert text.startswith(f"be{PROMPT}")
    card = (forks.folder / GAN / "bundle" / "README.md").read_text(encoding="utf-8")
    assert not steers(card)
    assert "caf\u00e9 \u0928" in card


@pytest.mark.parametrize("kind", ["train", "classify", "language"])
def test_the_next_command_can_be_pasted(forks: Forks, kind: str) -> None:
    words = {
        "train": ("train", "pets", "--images", "64", "--set", "condition=classes"),
        "classify": ("classify", "pets", "--images", "64"),
        "language": ("language", "text.txt", "--tokens", "64"),
    }
    record = json.loads((forks.folder / f"runs/{ODD}-{kind}" / "run.json").read_text())
    again = forks.run(*words[kind], *_settings_of(record), "--run", f"runs/{ODD}-{kind}")
    assert again.code == 0, again.err.decode()
    line = again.err.decode().splitlines()[-1].partition("Next: ")[2]
    line = line.replace("FOLDER", "pets").replace("orthogan ", f"{sys.executable} -m orthogan ", 1)
    done = subprocess.run(
        ["bash", "-c", line], cwd=forks.folder, capture_output=True, timeout=300, check=False
    )
    assert (done.returncode, done.stdout != b"") == (0, True), done.stderr.decode()


def _settings_of(record: dict[str, Any]) -> list[str]:
    """The words that a run wrote down as its command, without the first ones."""
    command = record["provenance"]["command"]
    lines = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {command}"], capture_output=True, check=True
    )
    words = lines.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]
    assert words[-2:] == ["--run", words[-1]]
    return words[words.index("--set") : -4]


def test_every_planned_command_can_be_pasted(forks: Forks) -> None:
    lines = forks.run(*COMMANDS["compare"]).out.decode().splitlines()
    assert len(lines) == 2
    for line in lines:
        done = subprocess.run(
            ["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True
        )
        words = done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]
        assert words[words.index("--run") + 1].startswith(f"{ODD}-compare/condition=")
        assert shlex.split("orthogan train")[:2] == words[:2]
