"""How a command's process treats memory: seen from outside, in processes of their own."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from orthogan.cli.process import keep_pages


def _said(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize(("argv", "frozen"), [("None", True), ("['--version']", False)])
def test_a_process_ends_without_looking_for_rubbish(argv: str, frozen: bool) -> None:
    said = _said(
        "import atexit, gc, sys; from orthogan.cli import main;"
        "atexit.register(lambda: print(gc.get_freeze_count() > 0));"  # runs last
        f"sys.argv = ['orthogan', '--version']; main({argv})"
    )
    assert said.splitlines()[-1] == str(frozen)


@pytest.mark.parametrize(("seeds", "is_collecting"), [("0-3", False), ("x", True)])
def test_drawing_never_looks_for_rubbish(seeds: str, is_collecting: bool, tmp_path: Path) -> None:
    words = ["sample", "mnist-demo", "--seeds", seeds, "--out", str(tmp_path / "grid.png")]
    program = f"import gc; from orthogan.cli import main; main({words!r}); print(gc.isenabled())"
    assert _said(program).splitlines()[-1] == str(is_collecting)


@pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="of glibc's heap"
)
def test_the_heap_keeps_its_pages() -> None:
    # Of 40 MB, which the heap by default takes from the system anew each time.
    program = """if True:
        import resource, torch
        from orthogan.cli.process import keep_pages
        %s
        for turn in range(60):
            if turn == 20:
                before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            torch.ones(10_000_000)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    """
    given_back, kept = int(_said(program % "pass")), int(_said(program % "keep_pages()"))
    assert given_back > 10 * (kept + 10)


def test_elsewhere_the_heap_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr("ctypes.CDLL", lambda _name: pytest.fail("touched the heap"))
    keep_pages()
