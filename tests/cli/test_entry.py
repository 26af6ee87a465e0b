"""Every way a command can end: one sentence on stderr, the documented exit code, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import orthogan
from orthogan import cli as package
from orthogan.cli import entry
from orthogan.errors import DataError, DivergedError, ResumeError, StorageError


def python(*words: str, stdout: int = subprocess.PIPE, **environment: str) -> Any:
    return subprocess.run(
        [sys.executable, *words],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("words", [("-c", "import orthogan"), ("-m", "orthogan", "--version")])
def test_processes_run_the_sources_beside_these_tests(words: tuple[str, ...]) -> None:
    sources = Path(__file__).parents[2] / "src" / "orthogan"
    assert Path(orthogan.__file__).parent == sources
    done = python("-v", *words, PYTHONNOUSERSITE="1")
    assert f"{sources / '__init__.py'}" in done.stderr


@pytest.mark.parametrize("package", ["orthogan", "orthogan.cli"])
@pytest.mark.parametrize(
    ("words", "code"),
    [(("--version",), 0), (("bogus",), 2), (("runs", "/no/such/folder"), 3)],
)
def test_the_package_runs_as_a_program(package: str, words: tuple[str, ...], code: int) -> None:
    done = python("-m", package, *words)
    assert done.returncode == code
    assert bool(done.stderr) == bool(code)
    assert "Traceback" not in done.stderr


def test_help_needs_nothing_heavy() -> None:
    code = (
        "import sys; from orthogan.cli import main; main(['--help']);"
        "heavy = {'torch', 'numpy', 'pydantic', 'yaml', 'PIL', 'rich'} & set(sys.modules);"
        "sys.exit(f'imports {heavy}' if heavy else 0)"
    )
    done = python("-c", code)
    assert (done.returncode, done.stderr) == (0, "")
    assert "train" in done.stdout


def test_help_of_a_command(cli) -> None:
    answer = cli("train", "--help")
    assert (answer.code, answer.err) == (0, "")
    assert "--for TIME" in answer.out


def test_the_shell_gets_completions() -> None:
    asked = {"_ORTHOGAN_COMPLETE": "complete_bash", "COMP_WORDS": "orthogan re", "COMP_CWORD": "1"}
    done = python("-m", "orthogan.cli", **asked)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["report", "recipes"], "")


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = python("-m", "orthogan.cli", "--help", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_behind_stdout() -> None:
    with Path("/dev/full").open("w") as full:
        done = python("-m", "orthogan.cli", "--version", stdout=full.fileno())
    assert done.returncode == 3
    assert done.stderr == "orthogan: The disk is full; free some space and repeat the command.\n"


def test_version(cli) -> None:
    answer = cli("--version")
    assert (answer.code, answer.out, answer.err) == (0, f"{orthogan.__version__}\n", "")


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_no_command_shows_help(cli, words: tuple[str, ...]) -> None:
    answer = cli(*words)
    assert (answer.code, answer.err) == (0, "")
    assert "evaluate" in answer.out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("trian",), "No such command 'trian'. Did you mean 'train'? See: orthogan --help"),
        (
            ("train", "--modle", "x"),
            (
                "No such option '--modle'. Did you mean '--compile' or '--model'? "
                "See: orthogan train --help"
            ),
        ),
        (("train", "--frobnicate"), "No such option: --frobnicate. See: orthogan train --help"),
        (("train", "--seed"), "Option '--seed' requires an argument."),
        (("train", "--seed", "x"), "Invalid value for '--seed'"),
        (("train", "--seed", "-1"), "Invalid value for '--seed'"),
        (("train", "--seed", str(2**63)), "Invalid value for '--seed'"),
        (("train", "--threads", "0"), "Invalid value for '--threads'"),
        (("train", "mnist", "extra"), "unexpected extra argument"),
        (("sample",), "Missing argument 'SOURCE'"),
        (("evaluate", "x", "--num-images", "0"), "Invalid value for '--num-images'"),
    ],
)
def test_usage_errors(cli, words: tuple[str, ...], sentence: str) -> None:
    answer = cli(*words)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("orthogan: ")
    assert sentence in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (DataError("photos: holds no image."), 3, "photos: holds no image."),
        (StorageError("runs/x: cannot be written"), 3, "runs/x: cannot be written."),
        (DivergedError("NaN at 64 images."), 4, "NaN at 64 images."),
        (ResumeError("seed 0 -> 1."), 6, "seed 0 -> 1."),
        (MemoryError(), 5, "Out of memory;"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
            5,
            "Out of memory;",
        ),
        (OSError(28, "No space left on device"), 3, "The disk is full;"),
        (KeyboardInterrupt(), 130, "Interrupted; repeat the command to go on."),
        (RuntimeError("odd\nthing"), 1, "Unexpected RuntimeError: odd thing. This is a bug;"),
        (ValueError(), 1, "Unexpected ValueError: no message. This is a bug;"),
    ],
)
def test_each_error_is_a_sentence_and_a_code(
    cli, api, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, sentence: str
) -> None:
    monkeypatch.setattr(entry, "_drop_stdout", lambda: None)  # pytest owns stdout here
    api.error = error
    answer = cli("train")
    assert (answer.code, answer.out) == (code, "")
    assert answer.err.startswith(f"orthogan: {sentence}")
    assert answer.err.count("\n") == 1


def test_cuda_out_of_memory_is_known_by_its_name(cli, api) -> None:
    api.error = type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory")
    assert cli("train").code == 5


@pytest.mark.parametrize("by_option", [True, False])
def test_a_traceback_only_on_request(
    cli, api, monkeypatch: pytest.MonkeyPatch, by_option: bool
) -> None:
    api.error = RuntimeError("odd")
    if not by_option:
        monkeypatch.setenv("ORTHOGAN_DEBUG", "1")
    answer = cli("train", *(["--debug"] if by_option else []))
    assert answer.code == 1
    assert "Traceback" in answer.err
    assert answer.err.splitlines()[-1].startswith("orthogan: Unexpected RuntimeError: odd.")


def test_a_broken_pipe_is_quiet(cli, api, monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[bool] = []
    monkeypatch.setattr(entry, "_drop_stdout", lambda: dropped.append(True))
    api.error = BrokenPipeError()
    answer = cli("train")
    assert (answer.code, answer.out, answer.err) == (0, "", "")
    assert dropped


def test_words_come_from_the_process_by_default(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["orthogan", "--version"])
    assert package.main() == 0
    assert capsys.readouterr().out == f"{orthogan.__version__}\n"
