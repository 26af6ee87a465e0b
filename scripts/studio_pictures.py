"""The pictures of docs/studio.md: a studio over runs of yours, in Chromium.

    PYTHONPATH=tests/browser ORTHOGAN_PLAYWRIGHT=... python scripts/studio_pictures.py RUNS RUN

Args: a folder of runs, and the name of one in it that may be training. Chromium and Node packages
are looked for as in tests/browser. The pictures go to docs/pictures, palette PNGs of 128 colors.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from chromium import Visit, visited
from PIL import Image

from orthogan.studio.shelf import key_of

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
COLORS = 128
SHOWN = {"width": 1100, "height": 900}


def main(folder: str, name: str) -> None:
    """Takes the pictures."""
    PICTURES.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "orthogan", "studio", folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as studio:
        assert studio.stdout is not None
        address = studio.stdout.readline().strip()
        own, run = address.partition("?")[0], f"runs/{key_of(name)}"
        explored = (
            ("goto", f"{own}{run}/explore", {"waitUntil": "commit"}),  # the frame takes its time
            ("waitForSelector", "#wait", {"state": "hidden", "timeout": 120_000}),
            ("within", "#view", "fill", "#direction-0", "2"),
            ("within", "#view", "hover", "#stage"),
            ("waitForTimeout", 1000),
        )
        try:
            shot("list", address, (("goto", own),))
            shot("run", address, (("goto", f"{own}{run}"),))
            shot("explore", address, explored)
        finally:
            studio.terminate()


def shot(name: str, address: str, steps: tuple[tuple[object, ...], ...]) -> None:
    """One picture of the window."""
    file = PICTURES / f"studio-{name}.png"
    settled = (*steps, ("setViewportSize", SHOWN), ("waitForTimeout", 2500))
    visited(Visit(address=address, steps=(*settled, ("screenshot", {"path": str(file)}))))
    with Image.open(file) as picture:
        picture.convert("RGB").quantize(COLORS).save(file, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
