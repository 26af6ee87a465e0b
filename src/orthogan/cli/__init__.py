"""The command line: one file a command; nothing heavy is imported before a command runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit code.

    Args:
        argv: Words after `orthogan`; None takes them from the process.
    """
    try:
        from orthogan.cli.entry import run  # late: Ctrl-C during an import is no traceback either

        return run(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:
        sys.stderr.write("orthogan: Interrupted; repeat the command to go on.\n")
        return INTERRUPTED
