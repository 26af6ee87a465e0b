"""Foreign text that may be shown, and commands that may be pasted."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from orthogan.terminal import pasteable, printable, printable_lines

SPOKEN = [
    "plain",
    "a b",
    "it's",
    '"q"',
    "$HOME",
    "`id`",
    "a;b|c",
    "*",
    "#x",
    "~",
    "\u0928\u0947",
    "",
]
UNSPOKEN = ["a\nb", "\x1b[31m\x07", "\u202ecats", "\udcff.png", "a'b\\\r", "\x9b1", "\x1f7"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2J\x07\r\n\t\x7f\x9b", "a\\x1b[2J\\x07\\r\\n\\t\\x7f\\x9b"),
        ("\u202e\u2066\u200f\u061c", "\\u202e\\u2066\\u200f\\u061c"),
        ("\u2028\u2029\ufeff\U000e0041", "\\u2028\\u2029\\ufeff\\U000e0041"),
        ("\udcff\ud800", "\\udcff\\ud800"),
        ("caf\u00e9 \u0915\u094d\u200d\u0937 [red] \u00a0\\", None),
        ("\U0001f469\u200d\U0001f52c", None),
    ],
)
def test_only_what_steers_is_escaped(text: str, shown: str | None) -> None:
    assert printable(text) == (text if shown is None else shown)
    assert printable_lines("a\n\tb\x1b") == "a\n\tb\\x1b"


@pytest.mark.parametrize("word", [*SPOKEN, *UNSPOKEN])
def test_a_shell_reads_back_every_word(word: str) -> None:
    line = pasteable(["printf", "%s\\0", word, "end"])
    assert printable(line) == line
    if word in SPOKEN:
        assert shlex.split(line) == ["printf", "%s\\0", word, "end"]
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=True)
    assert done.stdout == os.fsencode(f"{word}\0end\0")


def test_a_path_is_never_taken_for_an_option() -> None:
    assert pasteable(["orthogan", "sample", Path("-x y")]) == "orthogan sample './-x y'"
    assert pasteable(["orthogan", "sample", Path("runs/-x"), "--json"]).endswith(" runs/-x --json")
