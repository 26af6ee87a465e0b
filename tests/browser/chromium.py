"""Pages in a real Chromium: what runs in them, what they load, and what axe-core finds.

Driven by playwright-core through Node. Both packages and axe-core are looked for in the folder that
`ORTHOGAN_PLAYWRIGHT` names (the one that holds `node_modules`), else where Node itself looks for
packages from here upward; Chromium in `ORTHOGAN_CHROMIUM`, else on the path.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("visit.mjs")
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
TIMEOUT_S = 240
SERIOUS = {"serious", "critical"}


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One look at a page.

    Attributes:
        file: The page.
        address: Of a page of a server on this machine, in the place of a file.
        width: Of the window in pixels.
        scheme: `light` or `dark`.
        scripts: Whether scripts may run.
        steps: JavaScript expressions, or deeds of Playwright's pages with what they take, such as
            `("hover", "#image")`; `("until", code)` waits for code to be true, and
            `("within", "#frame", ...)` does any of these in a frame. Their values come back in
            order.
        axe: Look for violations of accessibility; the page's own policy is off meanwhile.
        picture: Where a picture of the whole page goes.
    """

    file: Path = Path()
    address: str = ""
    width: int = 1280
    scheme: str = "light"
    scripts: bool = True
    steps: tuple[str | tuple[Any, ...], ...] = ()
    axe: bool = False
    picture: Path | None = None


@dataclass(frozen=True)
class Seen:
    """What a visit met.

    Attributes:
        messages: Of the console, and errors.
        dialogs: Such as `alert`, which only a script opens.
        requests: Addresses beside the page itself and what it holds.
        values: Of the steps.
        violations: Serious ones.
    """

    messages: list[str]
    dialogs: int
    requests: list[str]
    values: list[Any]
    violations: list[dict[str, str]] = field(default_factory=list)


def visited(*visits: Visit) -> list[Seen]:
    """What each visit met; skips the test where there is no browser."""
    program, packages = _found()
    asked = {
        "chromium": program,
        "packages": packages,
        "visits": [
            {name: str(value) if isinstance(value, Path) else value
             for name, value in vars(each).items()}
            for each in visits
        ],
    }  # fmt: skip
    done = subprocess.run(
        ["node", str(SCRIPT)], input=json.dumps(asked), capture_output=True, text=True,
        timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [
        Seen(
            found["messages"],
            found["dialogs"],
            [
                each
                for each in found["requests"]
                if not each.startswith(("file:", "data:", "blob:"))
            ],
            found["values"],
            [each for each in found["violations"] if each["impact"] in SERIOUS],
        )
        for found in json.loads(done.stdout)
    ]


def needed() -> None:
    """Skips the test where there is no browser, before anything is made for it."""
    _found()


@cache
def _found() -> tuple[str, str]:
    """Chromium, and a folder from which Node finds the packages."""
    given = os.environ.get("ORTHOGAN_CHROMIUM")
    program = given or next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no Chromium: install it, or name it in ORTHOGAN_CHROMIUM")
    if shutil.which("node") is None:
        pytest.skip("no Node, which drives Chromium")
    packages = os.environ.get("ORTHOGAN_PLAYWRIGHT") or str(SCRIPT.parent)
    found = subprocess.run(
        ["node", "-e", "for (const name of ['playwright-core', 'axe-core']) require.resolve(name)"],
        cwd=packages, capture_output=True, check=False,
    )  # fmt: skip
    if found.returncode:
        pytest.skip("no playwright-core and axe-core: npm install both, and name the folder in "
                    "ORTHOGAN_PLAYWRIGHT")  # fmt: skip
    return program, packages
