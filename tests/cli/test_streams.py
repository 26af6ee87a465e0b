"""The streams of a process of its own: shells close them, readers leave, libraries talk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from orthogan.cli import output
from orthogan.training.progress import ProgressDisplay

ORTHOGAN = f"{sys.executable} -m orthogan"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="of the shells of Unix")


def shell(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line.replace("orthogan", ORTHOGAN)],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("orthogan --version >&-", 0),
        ("orthogan --version 2>&-", 0),
        ("orthogan --version <&- >&- 2>&-", 0),
        ("orthogan --version 2>/dev/full", 0),
        ("orthogan --version >/dev/full", 3),
        ("orthogan --version >/dev/full 2>&-", 3),
        ("orthogan recipes --json | head -1", 0),
        ("orthogan recipes 2>&1 | true", 0),
        ("orthogan runs nowhere >&-", 3),
        ("orthogan runs nowhere 2>&-", 3),
        ("orthogan runs nowhere 2>&1 | true", 3),
        ("orthogan bogus 2>/dev/full", 2),
        ("orthogan bogus >/dev/full", 2),
    ],
)
def test_the_exit_code_does_not_depend_on_who_listens(line: str, code: int, tmp_path: Path) -> None:
    done = shell(line, tmp_path)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr


def test_advice_never_takes_the_place_of_a_result(tmp_path: Path) -> None:
    assert shell("orthogan runs 2>&-", tmp_path).stdout == b""  # "There are no runs"
    assert shell("orthogan runs --json 2>&-", tmp_path).stdout == b"[]\n"


def test_a_file_is_whole_where_no_stream_was_open(tmp_path: Path) -> None:
    line = "orthogan sample mnist-demo --seeds 0-1 --out two.png <&- >&- 2>&-"
    assert shell(line, tmp_path).returncode == 0
    with Image.open(tmp_path / "two.png") as image:
        image.load()


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1:strict", "utf-8"])
def test_a_name_no_encoding_has_is_escaped(encoding: str, tmp_path: Path) -> None:
    name = "\u0928\u202e\udcff\x1b"
    done = shell("orthogan runs $NAME", tmp_path, NAME=name, PYTHONIOENCODING=encoding)
    shown = "\u0928" if encoding == "utf-8" else "\\u0928"
    wanted = f"orthogan: {shown}\\u202e\\udcff\\x1b: is not a folder, so it has no runs.\n"
    assert (done.returncode, done.stderr.decode()) == (3, wanted)


def test_a_long_result_that_nobody_reads_changes_no_exit_code() -> None:
    program = (
        "import sys; from orthogan.cli.streams import own_streams; own_streams();"
        "print('x' * 100_000, flush=True); sys.exit(7)"
    )
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", program], stdout=writer, check=False)
    os.close(writer)
    assert done.returncode == 7


def test_what_libraries_write_is_no_result(tmp_path: Path) -> None:
    program = (
        "import os; from orthogan.cli.streams import own_streams; own_streams();"
        "os.write(1, b'library'); os.system('echo child'); print('result')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "result\n"
    assert "library" in done.stderr
    assert "child" in done.stderr


def test_streams_of_others_are_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr
    from orthogan.cli import main

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["orthogan", "--version"])
        assert main() == 0
    assert (sys.stdout, sys.stderr) == before


def test_without_stderr_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    output.say("advice")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("label", ["[bold]cats[/bold]", "[/]", "a\x1b[31m\rb", "\u202eabc"])
def test_a_label_is_neither_markup_nor_control(
    label: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = label.replace("\x1b", "\\x1b").replace("\r", "\\r").replace("\u202e", "\\u202e")
    for is_terminal in (True, False):
        monkeypatch.setattr(sys.stdout, "isatty", lambda answer=is_terminal: answer)
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "80")
        output.show_table([label, "n"], [[label, "1"]])
        assert capsys.readouterr().out.count(shown) == 2


def test_progress_shows_a_label_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    display = ProgressDisplay("a\x1b", True)
    display.note("found [red]cats\x1b[31m")
    assert capsys.readouterr().err == "found [red]cats\\x1b[31m\n"
    title = display._bar.tasks[0].description
    assert title == "a\\x1b"


def test_a_traceback_steers_no_terminal(
    cli, api: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    api.error = RuntimeError("odd \x1b[2J")
    said = cli("train", "--debug").err
    assert "RuntimeError: odd \\x1b[2J" in said
    assert "\x1b" not in said
