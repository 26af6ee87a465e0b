"""What processes do that a test has launched; imported anew in each of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orthogan.parallel.launcher import in_process
from orthogan.parallel.lost import LOST


def fail_once(words: Sequence[str]) -> Any:
    """The second process is gone, the first time; the first one notices."""
    return in_process(_fail_once, words)


def _fail_once(words: Sequence[str]) -> int:
    folder, restarts = Path(words[0]), os.environ["TORCHELASTIC_RESTART_COUNT"]
    (folder / f"{os.environ['RANK']}-{restarts}").touch()
    if restarts == "0":
        if os.environ["RANK"] == "1":
            os._exit(9)
        return LOST
    sys.stdout.write(f"rank {os.environ['RANK']} of {os.environ['WORLD_SIZE']}\n")
    return 4
