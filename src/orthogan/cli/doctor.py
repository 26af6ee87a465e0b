"""`orthogan doctor`: whether this machine is ready to train, and how fast it is."""

from __future__ import annotations

from dataclasses import asdict

from orthogan.cli.options import AsJson
from orthogan.cli.output import say, show_json, show_table

UNUSABLE = 3


def doctor(*, as_json: AsJson = False) -> int:
    """Check this machine: versions, threads, speed, files."""
    from orthogan.cli.checks import examine, is_ready

    checks = examine()
    ready = is_ready(checks)
    if as_json:
        show_json({"ready": ready, "checks": [asdict(check) for check in checks]})
    else:
        rows = [[check.name, check.status, check.found] for check in checks]
        show_table(["check", "status", "found"], rows)
    for check in checks:
        if check.advice:
            say(f"{check.name}: {check.advice}")
    return 0 if ready else UNUSABLE
