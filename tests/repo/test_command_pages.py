"""The pages of the commands are those that the code makes."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _script():
    spec = importlib.util.spec_from_file_location(
        "command_pages", ROOT / "scripts" / "command_pages.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pages_are_up_to_date():
    script = _script()
    stale = [
        name for name, text in script.pages().items() if script.read(script.PAGES / name) != text
    ]
    assert not stale, "python scripts/command_pages.py --write"


def test_no_page_is_left_of_a_command_that_is_gone():
    script = _script()
    assert {path.name for path in script.PAGES.iterdir()} == set(script.pages())
