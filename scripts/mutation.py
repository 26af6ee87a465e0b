"""Planted faults: each is put into a copy of the tree, and the tests named for it must fail.

A test that no fault can make fail tells nothing. The files in `mutants` list single faults, a file
a package, as a slip of the pen would make them: each with the text that stands in the source, the
text in its place and the tests that are to find it. A fault that cannot be found says why in
`equivalent`.

The tree is copied, so that yours stays as it is; the exit code is 1 if a fault survives without a
reason, 2 if the list or the tests are themselves wrong.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
import threading
import time
import tomllib
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parents[1]
CONTRACTS = "src/orthogan/testing"
LISTS = Path("scripts") / "mutants"
NOT_COPIED = shutil.ignore_patterns(
    *(".git", "__pycache__", "*.pyc", ".*_cache", ".hypothesis", ".venv", "venv", "dist"),
    *("runs", "comparisons"),
)
TIMEOUT_S = 600  # a fault that makes a test hang is found as well
# Loaded once, for they take most of the time of a short test; every test runs in a fork. No plugin
# of pytest, which loads them itself.
LIBRARIES = (
    *("torch", "numpy", "scipy.stats", "sklearn.metrics", "matplotlib.figure", "PIL.Image"),
    *("pydantic", "typer", "safetensors.torch", "beartype", "pytest"),
)
_PROCESSES = multiprocessing.get_context("forkserver")
RESULTS = ("killed", "survived", "equivalent")
FAILED, BROKEN = 1, 2  # what pytest returns if a test fails, or a file cannot be imported
CRASHED = 70


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A fault to plant.

    Attributes:
        name: What is wrong, in a few words.
        file: Where.
        old: What stands there, exactly once.
        new: What is put in its place.
        tests: What pytest is given to find it.
        equivalent: Why no test can find it; empty for all others.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    equivalent: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a mutant.

    Attributes:
        mutant: Which.
        result: `killed`, `survived`, or `equivalent`: it survived, and there is a reason.
        seconds: What its tests took.
    """

    mutant: Mutant
    result: str
    seconds: float


class ListError(Exception):
    """The list does not fit the tree, or its tests do not run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; the exit code."""
    asked = _parser().parse_args(arguments)
    os.environ["OMP_NUM_THREADS"] = "1"  # one process a copy of the tree, and tensors are tiny
    os.environ.pop("PYTEST_ADDOPTS", None)  # such as a least coverage, which no single test has
    _PROCESSES.set_forkserver_preload(list(LIBRARIES))
    try:
        mutants = chosen(read_list(ROOT), asked.only)
        if asked.list:
            return _list(mutants, asked.json)
        outcomes = run(mutants, asked.jobs, baseline=not asked.no_baseline)
    except ListError as error:
        print(f"mutate: {error}", file=sys.stderr)
        return 2
    _report(outcomes, asked.json)
    return int(any(outcome.result == "survived" for outcome in outcomes))


def read_list(root: Path) -> list[Mutant]:
    """The mutants, each checked against the source.

    Raises:
        ListError: a text is not found exactly once, or tests are missing.
    """
    mutants = []
    for path in sorted((root / LISTS).glob("*.toml")):
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
        known = tree.get("tests", {})
        mutants += [
            Mutant(**{**entry, "tests": tuple(entry.get("tests", known.get(entry["file"], ())))})
            for entry in tree["mutant"]
        ]
    names = [mutant.name for mutant in mutants]
    for mutant in mutants:
        text = (root / mutant.file).read_text(encoding="utf-8")
        count = text.count(mutant.old)
        if count != 1:
            raise ListError(
                f"'{mutant.name}': its text is found {count} times in {mutant.file}, not once; "
                f"bring {LISTS} up to date."
            )
        if mutant.old == mutant.new or names.count(mutant.name) > 1:
            raise ListError(f"'{mutant.name}' changes nothing, or stands there twice.")
        if not mutant.tests:
            raise ListError(f"'{mutant.name}' names no tests, and neither does [tests].")
        for test in mutant.tests:
            if not _exists(root, test):
                raise ListError(f"'{mutant.name}' names {test}, which does not exist.")
    return mutants


def _exists(root: Path, test: str) -> bool:
    """Whether a file of tests, or the test `file::name` or `file::Class::name`, is there."""
    file, *scopes = test.split("::")
    if not (root / file).is_file():
        return False
    # A test class may inherit its tests from the contracts in the package.
    contracts = sorted((root / CONTRACTS).glob("*.py")) if len(scopes) > 1 else []
    text = "\n".join(each.read_text(encoding="utf-8") for each in [root / file, *contracts])
    return all(f"class {scope}(" in text for scope in scopes[:-1]) and all(
        f"def {name}(" in text for name in scopes[-1:]
    )


def chosen(mutants: list[Mutant], pattern: str | None) -> list[Mutant]:
    """Those whose name or file a regular expression finds.

    Raises:
        ListError: there is none.
    """
    if pattern is None:
        return mutants
    found = [each for each in mutants if re.search(pattern, f"{each.file}: {each.name}")]
    if not found:
        raise ListError(f"No mutant matches '{pattern}'.")
    return found


def run(mutants: Sequence[Mutant], jobs: int, *, baseline: bool = True) -> list[Outcome]:
    """The outcomes, in order.

    Args:
        mutants: What to plant.
        jobs: Copies of the tree that work side by side.
        baseline: Check first that all their tests pass without a fault.

    Raises:
        ListError: they do not.
    """
    with _copies(jobs) as copies:
        if baseline:
            _check_baseline(mutants, copies, jobs)
        lock, done = threading.Lock(), [0]

        def judge(mutant: Mutant) -> Outcome:
            copy = copies.get()
            try:
                outcome = _judged(mutant, copy)
            finally:
                copies.put(copy)
            with lock:
                done[0] += 1
                say = f"{done[0]}/{len(mutants)} {outcome.result}: {mutant.file}: {mutant.name}"
                print(f"{say} ({outcome.seconds:.0f} s)", file=sys.stderr, flush=True)
            return outcome

        with ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(judge, mutants))


@contextmanager
def _copies(jobs: int) -> Iterator[SimpleQueue[Path]]:
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(jobs):
            copy = Path(folder) / str(number)
            shutil.copytree(ROOT, copy, ignore=NOT_COPIED, symlinks=True)
            copies.put(copy)
        yield copies


def _check_baseline(mutants: Sequence[Mutant], copies: SimpleQueue[Path], jobs: int) -> None:
    tests = sorted({test for mutant in mutants for test in mutant.tests})

    def passes(test: str) -> tuple[int, str]:
        copy = copies.get()
        try:
            return _pytest(copy, [test])
        finally:
            copies.put(copy)

    with ThreadPoolExecutor(jobs) as pool:
        for done, (code, output) in enumerate(pool.map(passes, tests), 1):
            if code != 0:
                raise ListError(f"Tests fail without any fault:\n{output}")
            said = f"{done}/{len(tests)} of the tests pass without a fault"
            print(said, file=sys.stderr, flush=True)


def _judged(mutant: Mutant, copy: Path) -> Outcome:
    path = copy / mutant.file
    text = path.read_text(encoding="utf-8")
    start = time.perf_counter()
    try:
        _write(path, text.replace(mutant.old, mutant.new))
        code, output = _pytest(copy, mutant.tests)
    finally:
        _write(path, text)
    if code not in {0, FAILED, BROKEN}:
        raise ListError(f"'{mutant.name}': its tests cannot be run:\n{output}")
    survived = "equivalent" if mutant.equivalent else "survived"
    return Outcome(
        mutant=mutant,
        result="killed" if code else survived,
        seconds=time.perf_counter() - start,
    )


def _write(path: Path, text: str) -> None:
    """Writes a module, and drops what Python has compiled of it, which it knows by the second."""
    path.write_text(text, encoding="utf-8")
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
        compiled.unlink()


def _pytest(copy: Path, tests: Sequence[str]) -> tuple[int, str]:
    """What pytest returns for the first of these that fails, and what it printed; else 0."""
    code, output = 0, ""
    for test in tests:
        with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
            told = Path(folder) / "output"
            process = _PROCESSES.Process(target=_run_pytest, args=(copy, test, told))
            process.start()
            process.join(TIMEOUT_S)
            if process.is_alive():
                process.kill()
                process.join()
                return FAILED, "timed out"
            output = told.read_text(encoding="utf-8", errors="replace")[-4000:]
        code = process.exitcode or 0
        if code:
            break
    return (code if code >= 0 else FAILED), output  # below 0: killed by a signal


def _run_pytest(copy: Path, test: str, told: Path) -> None:
    """Runs in a process of its own, which has loaded the libraries but nothing of ours."""
    with told.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    source = str(copy / "src")
    sys.path.insert(0, source)  # before any that is installed
    paths = [source, *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    os.chdir(copy)
    code = CRASHED
    try:
        import pytest

        words = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", test]
        code = int(pytest.main(words, plugins=[_NoShrinking()]))
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001 - no trouble of ours may pass for a test that fails
        traceback.print_exc()
    raise SystemExit(code)


class _NoShrinking:
    """A failing example is enough; the smallest one takes long to find."""

    def pytest_configure(self) -> None:
        """Where Hypothesis is installed, it stops at the first."""
        with suppress(ImportError):
            from hypothesis import Phase, settings

            settings.register_profile("mutate", phases=[Phase.explicit, Phase.generate])
            settings.load_profile("mutate")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mutate", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--list", action="store_true", help="show the faults and plant none")
    parser.add_argument("--only", metavar="REGEX", help="only those whose file: name it finds")
    parser.add_argument("--jobs", type=_count, default=1, metavar="N", help="how many at a time")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--no-baseline", action="store_true", help="trust that the tests pass without a fault"
    )
    return parser


def _count(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"at least 1 is needed, got {text}")
    return int(text)


def _list(mutants: Sequence[Mutant], as_json: bool) -> int:
    if as_json:
        print(json.dumps([asdict(mutant) for mutant in mutants], indent=2))
    else:
        for mutant in mutants:
            print(f"{mutant.file}: {mutant.name}")
    return 0


def _report(outcomes: Sequence[Outcome], as_json: bool) -> None:
    if as_json:
        print(json.dumps([asdict(outcome) for outcome in outcomes], indent=2))
        return
    left = [outcome for outcome in outcomes if outcome.result != "killed"]
    for outcome in left:
        mutant = outcome.mutant
        print(f"{outcome.result:<10}  {mutant.file}: {mutant.name}")
        print(f"{'':<12}{mutant.equivalent or 'not found by ' + ', '.join(mutant.tests)}")
    counts = {name: sum(each.result == name for each in outcomes) for name in RESULTS}
    total = sum(outcome.seconds for outcome in outcomes)
    said = ", ".join(f"{count} {name}" for name, count in counts.items())
    print(f"{len(outcomes)} faults: {said}; {total:.0f} s of tests.")
