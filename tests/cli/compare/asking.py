"""What the comparisons of these tests ask, and how a folder is filled with their runs."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path
from typing import Any

import torch

from orthogan.cli import main
from orthogan.experiments import compare

VARY = ("--vary", "generator.score=softmax,cosine")
CELLS = [
    *("generator.score=softmax-seed0", "generator.score=cosine-seed0"),
    *("generator.score=cosine-seed1", "generator.score=softmax-seed1"),
]


def question(shared: tuple[str, ...]) -> dict[str, Any]:
    """The question about GANs in Python."""
    settings = [shared[i + 1] for i, word in enumerate(shared) if word == "--set"]
    return {
        "vary": {"generator.score": ["softmax", "cosine"]},
        "seeds": 2,
        "images": 64,
        "source": shared[1],
        "threads": 1,
        "settings": settings,
        "num_images": 160,
        "out": "out",
    }


def fill(folder: Path, **asked: Any) -> None:
    """Fills `out` in the folder by the commands of a plan, one by one, and keeps the commands."""
    threads = torch.get_num_threads()
    try:
        with contextlib.chdir(folder):
            answer = compare(**asked, plan=True, show_progress=False)
            assert answer.status == "planned"
            Path("commands").write_text("\n".join(answer.commands))
            for line in answer.commands:
                program, *words = shlex.split(line)
                assert (program, main(words)) == ("orthogan", 0)
    finally:
        torch.set_num_threads(threads)


def planned_words(folder: Path) -> list[list[str]]:
    """The words of each command that filled the folder."""
    return [shlex.split(line) for line in (folder / "commands").read_text().splitlines()]
