"""A process that has everything imported, and answers each command line in a fork of its own.

So a test can ask for a hundred commands with streams of any kind without importing PyTorch a
hundred times. `main` is called as the script does it.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FULL = Path("/dev/full")
# What the commands would import in each fork anew: seconds for the exporter alone.
IMPORTED = (
    *("orthogan.analysis.api", "orthogan.gan.api", "orthogan.classification.api"),
    *("orthogan.language.api", "orthogan.experiments", "orthogan.report", "orthogan.export.onnx"),
    *("matplotlib.figure", "matplotlib.backends.backend_agg", "torch._dynamo"),
    *("torch.onnx._internal.exporter._core", "onnx", "onnxscript", "onnxruntime"),
)


@dataclass(frozen=True)
class Answer:
    """What a command line wrote, as bytes, and its exit code."""

    code: int
    out: bytes
    err: bytes

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out.decode("ascii"))


class Forks:
    """Starts the process; `run` asks it, `close` ends it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self, *words: str, encoding: str = "utf-8", out: str = "file", err: str = "file"
    ) -> Answer:
        """Runs a command line.

        Args:
            words: After `orthogan`.
            encoding: Of its streams.
            out: Where stdout goes: a `file`, `closed`, a `full` disk, or a `gone` reader.
            err: The same of stderr.
        """
        asked = {"words": words, "encoding": encoding, "out": out, "err": err}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        return Answer(code, *((self.folder / name).read_bytes() for name in ("out", "err")))

    def close(self) -> None:
        """Ends the process."""
        self._process.communicate()


def _answer(words: list[str], encoding: str, out: str, err: str) -> int:
    Path("out").write_bytes(b"")
    Path("err").write_bytes(b"")
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        sys.stdout = sys.__stdout__ = _stream(1, "out", out, encoding)
        sys.stderr = sys.__stderr__ = _stream(2, "err", err, encoding)
        sys.argv = ["orthogan", *words]
        from orthogan.cli import main

        code = main()
        if sys.stdout is not None:
            sys.stdout.flush()
    finally:
        os._exit(code)


def _stream(descriptor: int, name: str, kind: str, encoding: str) -> Any:
    os.close(descriptor)
    if kind == "closed":
        return None
    if kind == "gone":
        reader, writer = os.pipe()
        os.close(reader)
    else:
        place = FULL if kind == "full" else Path(name)
        writer = os.open(place, os.O_WRONLY | os.O_APPEND)
    if writer != descriptor:
        os.dup2(writer, descriptor)
        os.close(writer)
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding, errors="strict")


def _serve() -> None:
    import torch

    for name in IMPORTED:
        importlib.import_module(name)
    torch.set_num_threads(1)
    for line in sys.stdin:
        print(_answer(**json.loads(line)), flush=True)


if __name__ == "__main__":
    _serve()
