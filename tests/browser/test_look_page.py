"""The page of attention maps in Chromium: nothing runs or is loaded, and all can read it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import Visit, needed, visited
from PIL import Image

from orthogan.analysis.look import look
from orthogan.report.attention_page import write_attention_page

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def page(
    tiny_file: Path,
    tiny_settings: Callable[..., tuple[str, ...]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Two runs with hostile names, over pictures with hostile names."""
    needed()
    import orthogan as og

    folder = tmp_path_factory.mktemp("look")
    run = folder / HOSTILE
    options: dict[str, Any] = {"show_progress": False, "threads": 1}
    og.train(tiny_file, images=64, run=run, settings=tiny_settings(), **options)
    other = Path(shutil.copytree(run, folder / "'\"><script>alert(1)<script>"))
    picture = folder / f"{HOSTILE}.png"
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(picture)
    looks = [look(each, seeds=range(8), shown=2, images=[picture]) for each in (run, other)]
    return write_attention_page(looks, folder / "maps.html", command=f"orthogan look '{HOSTILE}'")


def test_nothing_runs_and_nothing_is_loaded(page: Path) -> None:
    (seen,) = visited(
        Visit(file=page, steps=("[...document.images].every(i => i.naturalWidth === 112)",))
    )
    assert (seen.messages, seen.dialogs, seen.requests, seen.values) == ([], 0, [], [True])


def test_all_can_read_it(page: Path) -> None:
    views = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]
    wide = "document.documentElement.scrollWidth - innerWidth"
    for seen in visited(
        *(Visit(file=page, width=w, scheme=s, axe=True, steps=(wide,)) for w, s in views)
    ):
        assert seen.violations == []
        assert seen.values == [0]
