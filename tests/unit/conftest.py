"""The reference of many tests: a tiny run that nothing disturbed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from disturbances import final_bits

_WHOLE: list[tuple[bytes, bytes]] = []


@pytest.fixture
def whole(train_tiny: Callable[..., Any], tmp_path: Path) -> tuple[bytes, bytes]:
    """The final weights of the tiny run with default settings; trained once."""
    if not _WHOLE:
        assert train_tiny(tmp_path / "whole").status == "done"
        _WHOLE.append(final_bits(tmp_path / "whole"))
    return _WHOLE[0]
