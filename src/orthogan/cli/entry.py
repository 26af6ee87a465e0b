"""The entry point: every way a command can end becomes one sentence and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

import typer

from orthogan.cli.app import app
from orthogan.cli.output import say
from orthogan.errors import OrthoganError
from orthogan.plugins import PluginWarning

OK, BUG, USAGE, UNUSABLE, OUT_OF_MEMORY = 0, 1, 2, 3, 5
COMPLETION = "_ORTHOGAN_COMPLETE"  # set by the shell when it asks for completions

# The parser's own root of "you typed something wrong"; typer exports only this leaf of the tree.
_UsageProblem = typer.BadParameter.__mro__[2]


def run(words: Sequence[str]) -> int:
    """Runs a command line; the exit code.

    Args:
        words: What was typed after `orthogan`.

    Raises:
        KeyboardInterrupt: Ctrl-C, where no command answered it itself.
    """
    debug = "--debug" in words or os.environ.get("ORTHOGAN_DEBUG", "0") not in {"", "0"}
    try:
        with _plain_warnings():
            code = _invoke([word for word in words if word != "--debug"] or ["--help"])
        print(end="", flush=True)  # noqa: T201 - a closed pipe must show here, not at exit
    except BrokenPipeError:
        _drop_stdout()
        return OK
    except Exception as error:  # noqa: BLE001 - the last line of defence
        return _explain(error, debug)
    return code


def _invoke(words: list[str]) -> int:
    if COMPLETION in os.environ:
        app(prog_name="orthogan")  # answers the shell and leaves by SystemExit
    # Not `app(words)`: that would turn Ctrl-C and closed pipes into its own messages and codes.
    command = typer.main.get_command(app)
    try:
        with command.make_context("orthogan", words) as context:
            code = command.invoke(context)
    except typer.Exit as error:  # --version and --help leave this way
        return error.exit_code
    return code if isinstance(code, int) else OK


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """What a command leaves out of other packages is told in a sentence, without a line of code."""
    before = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, PluginWarning):
            say(f"orthogan: {message}")
        else:
            before(message, category, filename, lineno, file, line)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before


def _explain(error: Exception, debug: bool) -> int:
    if debug:
        say("".join(traceback.format_exception(error)).rstrip())
    if _is_disk_full(error):
        _drop_stdout()
    code, sentence = _sentence(error)
    if getattr(error, "is_told", False):  # by another of several processes
        return code
    say(f"orthogan: {sentence}")
    return code


def _sentence(error: BaseException) -> tuple[int, str]:
    if isinstance(error, OrthoganError):
        return error.exit_code, _one_line(error)
    if isinstance(error, _UsageProblem):
        return USAGE, _usage_sentence(error)
    if _is_out_of_memory(error):
        return OUT_OF_MEMORY, (
            "Out of memory; close other programs, or use a smaller batch or fewer images."
        )
    if _is_disk_full(error):
        return UNUSABLE, "The disk is full; free some space and repeat the command."
    return BUG, (
        f"Unexpected {type(error).__name__}: {_one_line(error)} This is a bug; "
        "repeat the command with --debug and report what it shows."
    )


def _usage_sentence(error: BaseException) -> str:
    close = getattr(error, "possibilities", None)
    if close:
        option = getattr(error, "option_name", "")
        sentence = f"No such option '{option}'. Did you mean {_either(close)}?"
    else:
        sentence = getattr(error, "format_message", lambda: str(error))()
        sentence = sentence.strip() if sentence.endswith((".", "?", ")")) else f"{sentence}."
    context = getattr(error, "ctx", None)
    return f"{sentence} See: {context.command_path if context else 'orthogan'} --help"


def _either(names: Sequence[str]) -> str:
    return " or ".join(f"'{name}'" for name in sorted(names))


def _is_out_of_memory(error: BaseException) -> bool:
    # By name: torch may not be imported, and its CPU allocator raises a plain RuntimeError.
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))
    )


def _is_disk_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno == errno.ENOSPC


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or "no message"
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _drop_stdout() -> None:
    # The reader has seen enough (`| head`) or the disk is full: the flush at exit must not fail.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
