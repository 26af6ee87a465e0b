"""Every public function of the geometry is in use, and the Python of its page runs."""

import inspect
import re
from pathlib import Path

import pytest

from orthogan import geometry

ROOT = Path(__file__).parents[2]
PACKAGES = ("collapse", "heads", "identity", "positions", "spectra")
PAGE = (ROOT / "docs" / "geometry.md").read_text()


def _users():
    """The text of every command, document, benchmark and example."""
    source = ROOT / "src" / "orthogan"
    for path in [
        *(path for path in source.rglob("*.py") if source / "geometry" not in path.parents),
        *(path for path in (ROOT / "docs").rglob("*.md") if path.name != "log.md"),
        *(ROOT / "benchmarks").glob("*.py"),
        *(ROOT / "examples").glob("*.py"),
    ]:
        yield path.read_text()


def test_the_root_holds_few_names():
    assert len(geometry.__all__) <= 40


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_function_is_used_or_shown(package):
    users = "\n".join(_users())
    module = getattr(geometry, package)
    public = [name for name in module.__all__ if inspect.isfunction(getattr(module, name))]
    unused = [name for name in public if not re.search(rf"\b{name}\b", users)]
    assert not unused


def test_the_python_of_the_page_runs():
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    space = {}
    for block in blocks:
        exec(block, space)
    assert len(blocks) >= len(PACKAGES)
    assert {"shorter", "moved", "frame", "forms", "layers"} <= space.keys()
